"""The result of `inspect` as tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from lecun_cli.cli.report import Cell, Column, emit, fitted_table, width
from lecun_cli.display.text import counted, shape_text
from lecun_cli.display.units import format_nbytes
from lecun_cli.inspection.inspector import Inspection, TensorReport
from lecun_cli.inspection.tensor_statistics import shown_distinct
from lecun_cli.inspection.tensor_verdict import LEVEL, SILENT, VERDICTS

if TYPE_CHECKING:
    from lecun_cli.inspection.expected import Expected
    from lecun_cli.inspection.tensor_statistics import Statistics

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDE = 140
"""The width of a terminal, in columns, from which histograms have twice the bins."""
_MOST_REASONS = 20

_COLUMNS = (
    Column("tensor"),
    Column("shape", rank=3),
    Column("dtype", rank=8),
    Column("bytes", right=True, rank=10),
    Column("fan_in", right=True, rank=5),
    Column("mean", right=True, rank=11),
    Column("std", right=True, rank=4),
    Column("ratio", right=True),
    Column("min", right=True, rank=9),
    Column("max", right=True, rank=9),
    Column("/bound", right=True, rank=6),
    Column("zeros", right=True, rank=11),
    Column("NaN+inf", right=True, rank=12),
    Column("distinct", right=True, rank=7),
    Column("histogram", style="cyan"),
    Column("p", right=True, rank=2),
    Column("verdict"),
)


def _of_verdict(tensor: TensorReport) -> tuple[int, float]:
    return VERDICTS.index(tensor.verdict), _low(tensor.judgment.p_value)


def _low(value: float | None) -> float:
    """Return a key that sorts unknown values last."""
    return math.inf if value is None or math.isnan(value) else value


SORTS: dict[str, Callable[[TensorReport], Any] | None] = {
    "file": None,
    "name": lambda t: t.name,
    "size": lambda t: -t.nbytes,
    "std": lambda t: math.inf if t.statistics is None else _low(-t.statistics.std),
    "ratio": lambda t: -abs(math.log(t.ratio)) if t.ratio and t.ratio > 0 else math.inf,
    "p": lambda t: _low(t.judgment.p_value),
    "verdict": _of_verdict,
}
"""The sort key of each value of `--sort`; the tensors that deserve attention come first."""


def sorted_tensors(tensors: Sequence[TensorReport], by: str) -> list[TensorReport]:
    """Sort tensors by a key of `SORTS`; equal ones stay in the order of the file."""
    key = SORTS[by]
    return list(tensors) if key is None else sorted(tensors, key=key)


def print_tables(inspection: Inspection, tensors: Sequence[TensorReport], seconds: float) -> None:
    """Print the table, the problems, and a summary on stdout.

    Args:
        inspection: The result for all tensors.
        tensors: The tensors to show, in order.
        seconds: The duration of the inspection.
    """
    columns = width()
    bins = 16 if columns is None or columns >= _WIDE else 8
    fitted_table(_COLUMNS, [_row(tensor, bins) for tensor in tensors])
    n_hidden = len(inspection.tensors) - len(tensors)
    lines = [f"... and {counted(n_hidden, 'more tensor')}", ""] if n_hidden else [""]
    lines += _reasons([t for t in tensors if t.is_bad], None if columns is None else _MOST_REASONS)
    lines += _summary(inspection, seconds)
    emit("\n".join(lines if columns is None else _wrapped(lines, columns)))


def _row(tensor: TensorReport, bins: int) -> list[Cell]:
    fan_in = None if tensor.expected is None else tensor.expected.fan_in
    head: list[Cell] = [
        tensor.name,
        shape_text(tensor.shape),
        tensor.dtype,
        format_nbytes(tensor.nbytes),
        "" if fan_in is None else f"{fan_in:.10g}",
    ]
    middle = [""] * (len(_COLUMNS) - len(head) - 1)
    if tensor.statistics is not None:
        return [*head, *_measured_cells(tensor, tensor.statistics, bins), _verdict_cell(tensor)]
    return [*head, *middle, _verdict_cell(tensor)]


def _measured_cells(tensor: TensorReport, s: Statistics, bins: int) -> list[Cell]:
    """Return the cells from the mean to the p-value."""
    bound = _bound(tensor.expected)
    return [
        "" if math.isnan(s.mean) else f"{s.mean:.2g}",
        _short(s.std),
        "" if tensor.ratio is None else (_ratio(tensor.ratio), _scale_style(tensor)),
        _short(s.minimum),
        _short(s.maximum),
        "" if bound is None else (_ratio(_max_magnitude(s) / bound), "red" if s.n_past else ""),
        f"{s.n_zero:,}",
        (f"{s.n_nan}+{s.n_infinite}", "red") if s.n_nan or s.n_infinite else "0",
        shown_distinct(s.n_distinct),
        blocks(s.histogram, bins),
        _p_text(tensor.judgment.p_value),
    ]


def _verdict_cell(tensor: TensorReport) -> Cell:
    n_others = sum(finding.is_bad for finding in tensor.judgment.findings) - 1
    style = "bold red" if tensor.is_bad else "dim" if tensor.verdict in SILENT else "green"
    return tensor.verdict + (f" +{n_others}" if n_others > 0 else ""), style


def _scale_style(tensor: TensorReport) -> str:
    return "red" if tensor.verdict == "wrong scale" else ""


def _bound(expected: Expected | None) -> float | None:
    return expected.distribution.bound if expected is not None and expected.is_random else None


def _p_text(p_value: float | None) -> str:
    if p_value is None:
        return ""
    if p_value >= 0.01:
        return f"{p_value:.2f}"
    return f"{p_value:.0e}" if p_value > 1e-99 else "<1e-99"


def _max_magnitude(statistics: Statistics) -> float:
    return max(abs(statistics.minimum), abs(statistics.maximum))


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _ratio(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if 0.1 <= abs(value) < 100 else f"{value:.2g}"


def blocks(histogram: Sequence[float], bins: int) -> str:
    """Draw a histogram with block characters of eight heights; a bin that is not empty is visible.

    Args:
        histogram: The number of values in each fine bin.
        bins: The number of characters, a divisor of the number of fine bins.
    """
    if not histogram:
        return ""
    size = len(histogram) // bins
    sums = [sum(histogram[i * size : (i + 1) * size]) for i in range(bins)]
    most = max(sums)
    return "".join(_BLOCKS[max(1, round(8 * n / most))] if n >= 0.5 else _BLOCKS[0] for n in sums)


def _reasons(bad: Sequence[TensorReport], most: int | None) -> list[str]:
    """List the problems of tensors, once for tensors that differ only in numbers.

    Args:
        bad: The tensors with problems.
        most: The maximum number of groups, or None for all.
    """
    alike: dict[tuple[str, ...], list[TensorReport]] = {}
    for tensor in bad:
        verdicts = (finding.verdict for finding in tensor.judgment.findings)
        key = (re.sub(r"\d+", "*", tensor.name), *verdicts, tensor.judgment.distribution or "")
        alike.setdefault(key, []).append(tensor)
    lines = []
    for group in list(alike.values())[:most]:
        first = group[0]
        more = f"  (and {len(group) - 1:,} like it)" if len(group) > 1 else ""
        lines.append(first.name + more)
        lines += [f"  {f.verdict}: {f.reason}" for f in first.judgment.findings if f.is_bad]
    if most is not None and len(alike) > most:
        lines.append(f"and {len(alike) - most:,} other groups with problems; --json and --csv list all")
    return [*lines, ""] if lines else lines


def _wrapped(lines: Sequence[str], columns: int) -> list[str]:
    """Wrap lines at spaces; continuation lines are indented."""
    folded = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        folded += textwrap.wrap(
            line, columns, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
            drop_whitespace=True,
        ) or [""]  # fmt: skip
    return folded


def _summary(inspection: Inspection, seconds: float) -> list[str]:
    counts = Counter(tensor.verdict for tensor in inspection.tensors)
    verdicts = ", ".join(f"{counts[verdict]:,} {verdict}" for verdict in VERDICTS if counts[verdict])
    files = inspection.files[0] if len(inspection.files) == 1 else f"{len(inspection.files):,} files"
    rate = f" in {seconds:.1f} s" if seconds >= 0.05 else ""
    n_elements = sum(math.prod(tensor.shape) for tensor in inspection.tensors)
    lines = [
        f"{files}: {counted(len(inspection.tensors), 'tensor')}, {n_elements:,} values, "
        f"{format_nbytes(inspection.nbytes)}{rate}: {verdicts}",
    ]
    expected = [tensor.expected for tensor in inspection.tensors if tensor.expected is not None]
    tested = sum(e.is_random for e in expected)
    if tested:
        stated = all(e.is_stated for e in expected)
        source = "the distributions in the manifest" if stated else "LeCun normal with fan-ins by layer type"
        lines.append(
            f"compared with {source}; a p below {inspection.level:.2g} contradicts it "
            f"({LEVEL:g} over {counted(tested, 'tensor')} of weights)"
        )
    return lines


def as_json_text(inspection: Inspection, tensors: Iterable[TensorReport]) -> str:
    """Return the inspection as JSON; values that are not finite are null."""
    document = {
        "path": inspection.path,
        "files": list(inspection.files),
        "ok": inspection.ok,
        "level": inspection.level,
        "tensors": [_json(tensor) for tensor in tensors],
        "warnings": list(inspection.warnings),
    }
    return json.dumps(document, ensure_ascii=False)


def _json(tensor: TensorReport) -> dict[str, Any]:
    findings = [{"verdict": f.verdict, "reason": f.reason} for f in tensor.judgment.findings]
    return {**_flat(tensor), "histogram": _histogram(tensor), "findings": findings}


_FIELDS = (
    "name", "file", "dtype", "shape", "elements", "bytes", "initializer", "law_is_stated",
    "fan_in_is_guessed",
    "fan_in", "fan_out", "mean", "std", "asked_std", "ratio", "min", "max", "bound", "past_bound", "zeros",
    "nan", "inf", "distinct", "p", "verdict", "bad", "follows",
)  # fmt: skip
"""The keys of a tensor in JSON, and the columns of the CSV table."""


def _flat(tensor: TensorReport) -> dict[str, Any]:
    """Return a tensor as one row of plain values; unknown values are None."""
    values = {
        "name": tensor.name,
        "file": tensor.file,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "elements": math.prod(tensor.shape),
        "bytes": tensor.nbytes,
        **_expected_values(tensor.expected),
        **_measured_values(tensor),
        "p": tensor.judgment.p_value,
        "verdict": tensor.verdict,
        "bad": tensor.is_bad,
        "follows": tensor.judgment.distribution,
    }
    return {field: values.get(field) for field in _FIELDS}


def _expected_values(expected: Expected | None) -> dict[str, Any]:
    if expected is None:
        return {}
    return {
        "initializer": expected.initializer,
        "law_is_stated": expected.is_stated,
        "fan_in_is_guessed": expected.is_guessed,
        "fan_in": expected.fan_in,
        "fan_out": expected.fan_out,
        "asked_std": expected.distribution.std if expected.is_random else None,
        "bound": _bound(expected),
    }


def _measured_values(tensor: TensorReport) -> dict[str, Any]:
    s = tensor.statistics
    ratio = None if tensor.ratio is None else _finite(tensor.ratio)
    if s is None:
        return {"ratio": ratio}
    return {
        "mean": _finite(s.mean),
        "std": _finite(s.std),
        "ratio": ratio,
        "min": _finite(s.minimum),
        "max": _finite(s.maximum),
        "past_bound": None if _bound(tensor.expected) is None else s.n_past,
        "zeros": s.n_zero,
        "nan": s.n_nan,
        "inf": s.n_infinite,
        "distinct": s.n_distinct,
    }


def _histogram(tensor: TensorReport) -> dict[str, Any] | None:
    if tensor.statistics is None or not tensor.statistics.histogram:
        return None
    low, high = tensor.statistics.span
    return {"low": low, "high": high, "counts": list(tensor.statistics.histogram)}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_csv_text(tensors: Iterable[TensorReport]) -> str:
    """Return the tensors as CSV with a header, without a final line end; unknown values are empty."""
    out = io.StringIO()
    writer = None
    for tensor in tensors:
        row = _flat(tensor)
        row["shape"] = shape_text(tensor.shape, scalar="")
        row["reason"] = "; ".join(f.reason for f in tensor.judgment.findings)
        if writer is None:
            writer = csv.DictWriter(out, row.keys(), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)
    return out.getvalue().removesuffix("\n")
