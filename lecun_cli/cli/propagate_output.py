"""The result of `propagate` as a table with a plot, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import textwrap
from collections.abc import Sequence

from lecun_cli.cli.report import Cell, Column, emit, fitted_table, width
from lecun_cli.display.text import counted, shape_text
from lecun_cli.propagation.result import LayerMoments, Propagation

_MARKS = "●▲■◆▼★"
_UNIT = "│"
_DOT = "·"
_WIDE = 120
_LEAST_POWER = 2


def print_tables(propagation: Propagation) -> None:
    """Print the layers, a summary of the signal, and the assumptions on stdout."""
    terminal_width = width()
    is_wide = terminal_width is None or terminal_width >= _WIDE
    one = len(propagation.runs) == 1
    size = 41 if is_wide and terminal_width is not None else 21
    power = _power(propagation)
    columns = [Column("layer")]
    if one:
        columns += [Column("kind", rank=6), Column("output", rank=7, right=True)]
    columns += [Column("fed by", rank=5), Column("activation", rank=3)]
    if one:
        columns += [
            Column("before", right=True, rank=4),
            Column("mean", right=True),
            Column("variance", right=True),
        ]
    else:
        names = [run.initializer if is_wide else "" for run in propagation.runs]
        columns += [Column(f"{_mark(k)} {name}".strip(), right=True) for k, name in enumerate(names)]
    columns.append(Column(_scale(power, size), style="cyan" if one else ""))
    fitted_table(columns, _rows(propagation, one, power, size))
    lines = _summary(propagation)
    if terminal_width is not None:
        lines = [textwrap.fill(line, terminal_width, subsequent_indent="  ") for line in lines]
    emit("\n".join(["", *lines]))


def _rows(propagation: Propagation, one: bool, power: int, size: int) -> list[list[Cell]]:
    rows: list[list[Cell]] = []
    for layers in zip(*(run.layers for run in propagation.runs), strict=True):
        first = layers[0]
        row: list[Cell] = [first.name]
        if one:
            row += [first.kind, shape_text(first.shape)]
        row += [first.entry, first.activation or ""]
        if one:
            changed = first.activation not in {None, "linear"}
            row += [_number(first.variance_before) if changed else "", _mean(first.mean)]
        row += [(_number(layer.variance), _style(layer)) for layer in layers]
        row.append(strip([_log2(layer) for layer in layers], power, size, ground=_ground(first)))
        rows.append(row)
    return rows


def _log2(layer: LayerMoments) -> float | None:
    """Return the position of a layer on the plot, or None for softmax, whose outputs are probabilities."""
    if layer.activation == "softmax":
        return None
    if layer.variance == 0.0:
        return -math.inf
    return math.log2(layer.variance) if math.isfinite(layer.variance) else math.inf


def _style(layer: LayerMoments) -> str:
    exponent = _log2(layer)
    if exponent is None:
        return "dim"
    return "green" if abs(exponent) <= 1 else "yellow" if abs(exponent) <= 3 else "bold red"


def _power(propagation: Propagation) -> int:
    """Return the range of the plot, which extends from 2^-power to 2^power."""
    exponents = [
        abs(exponent)
        for run in propagation.runs
        for layer in run.layers
        if (exponent := _log2(layer)) is not None
    ]
    return max([_LEAST_POWER, *(math.ceil(exponent) for exponent in exponents if math.isfinite(exponent))])


def _ground(layer: LayerMoments) -> str:
    """Return the background of a line of the plot: dots where a layer other than the first starts a chain."""
    return _DOT if layer.begins and layer.depth > 1 else " "


def strip(exponents: Sequence[float | None], power: int, size: int, *, ground: str = " ") -> str:
    """Draw a line of the plot: a mark for every run over a vertical line at variance 1.

    Args:
        exponents: log2 of the variance in each run; infinite values are drawn at the ends, None is not drawn.
        power: The plot extends from `-power` to `power`.
        size: The number of characters, odd.
        ground: The background character.
    """
    line = [ground] * size
    middle = size // 2
    line[middle] = _UNIT
    for k, exponent in reversed(list(enumerate(exponents))):  # the first run is on top
        if exponent is not None:
            share = max(-1.0, min(1.0, exponent / power))
            line[middle + round(share * middle)] = _mark(k)
    return "".join(line)


def _mark(k: int) -> str:
    return _MARKS[k % len(_MARKS)]


def _scale(power: int, size: int) -> str:
    """Return the heading of the plot: the variances at its ends and in its middle."""
    low, high = (f"1/{2**power}", f"{2**power}") if power <= 10 else (f"2^-{power}", f"2^{power}")
    middle = size // 2
    left = low.ljust(middle)
    return f"{left}1{high.rjust(size - middle - 1)}"


def _number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "inf"


def _mean(value: float) -> str:
    if not math.isfinite(value):
        return "?"
    return f"{value:+.3f}" if abs(value) < 100 else f"{value:+.3g}"


def _summary(propagation: Propagation) -> list[str]:
    layers = propagation.runs[0].layers
    counts = sorted({layer.samples for layer in layers})
    samples = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    wide = max(len(run.initializer) for run in propagation.runs)
    lines = [
        f"{_mark(k)} {run.initializer.ljust(wide)}  {run.verdict.said}"
        for k, run in enumerate(propagation.runs)
    ]
    lines.append(
        f"{propagation.source}: {counted(len(layers), 'layer')}, {samples} samples of variance 1; "
        f"framework {propagation.framework}, seed {propagation.seed}, input seed "
        f"{propagation.input_seed}"
    )
    if any(_ground(layer) == _DOT for layer in layers):
        lines.append("note: dotted line: the layer starts a new chain with inputs of its own")
    return lines + [f"note: {note}" for note in propagation.notes]


def as_json_text(propagation: Propagation) -> str:
    """Return the propagation as JSON; values that are not finite are null."""
    return json.dumps(propagation.to_json(), ensure_ascii=False)


def as_csv_text(propagation: Propagation) -> str:
    """Return a row for every layer of every run as CSV with a header, without a final line end."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(
        ["initializer", "depth", "name", "kind", "activation", "entry", "shape", "samples", "mean",
         "variance", "mean_before", "variance_before"]
    )  # fmt: skip
    for run in propagation.runs:
        for layer in run.layers:
            shape = shape_text(layer.shape)
            writer.writerow(
                [run.initializer, layer.depth, layer.name, layer.kind, layer.activation or "", layer.entry,
                 shape, layer.samples, layer.mean, layer.variance, layer.mean_before, layer.variance_before]
            )  # fmt: skip
    return out.getvalue().removesuffix("\n")
