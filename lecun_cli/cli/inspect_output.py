"""What `inspect` found, as tables, JSON and CSV."""

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
from lecun_cli.inspection.tensor_verdict import LEVEL, SILENT, VERDICTS

if TYPE_CHECKING:
    from lecun_cli.inspection.measured import Statistics

_BLOCKS = " ▁▂▃▄▅▆▇█"
_WIDE = 140
"""From here on a terminal has room for histograms of twice the bins."""
_MOST_REASONS = 20

_COLUMNS = (
    Column("tensor"),
    Column("shape", rank=3),
    Column("dtype", rank=8),
    Column("bytes", right=True, rank=10),
    Column("fan_in", right=True, rank=5),
    Column("mean", right=True, rank=11),
    Column("std", right=True, rank=4),
    Column("/asked", right=True),
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
    """A key by which what is not known comes last."""
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
"""Keys of `--sort`; what deserves a look comes first."""


def sorted_tensors(tensors: Sequence[TensorReport], by: str) -> list[TensorReport]:
    """Tensors in an order of `SORTS`, equal ones as in the file."""
    key = SORTS[by]
    return list(tensors) if key is None else sorted(tensors, key=key)


def print_tables(inspection: Inspection, tensors: Sequence[TensorReport], seconds: float) -> None:
    """Print the table, the reasons of what is bad, and a summary, on stdout."""
    room = width()
    bins = 16 if room is None or room >= _WIDE else 8
    fitted_table(_COLUMNS, [_row(tensor, bins) for tensor in tensors])
    left = len(inspection.tensors) - len(tensors)
    lines = [f"... and {left:,} more tensors", ""] if left else [""]
    lines += _reasons([t for t in tensors if t.is_bad], None if room is None else _MOST_REASONS)
    lines += _summary(inspection, seconds)
    emit("\n".join(lines if room is None else _wrapped(lines, room)))


def _row(tensor: TensorReport, bins: int) -> list[Cell]:
    s, expected = tensor.statistics, tensor.expected
    further = sum(finding.is_bad for finding in tensor.judgment.findings) - 1
    verdict = tensor.verdict + (f" +{further}" if further > 0 else "")
    style = "bold red" if tensor.is_bad else "dim" if tensor.verdict in SILENT else "green"
    fan = None if expected is None else expected.fan_in
    head: list[Cell] = [
        tensor.name,
        shape_text(tensor.shape),
        tensor.dtype,
        format_nbytes(tensor.nbytes),
        "" if fan is None else f"{fan:.10g}",
    ]
    if s is None:
        return [*head, *[""] * (len(_COLUMNS) - len(head) - 1), (verdict, style)]
    bound = expected.distribution.bound if expected is not None and expected.is_random else None
    ratio = tensor.ratio
    p = tensor.judgment.p_value
    return [
        *head,
        "" if math.isnan(s.mean) else f"{s.mean:.2g}",
        _short(s.std),
        "" if ratio is None else (_ratio(ratio), "red" if tensor.verdict == "wrong scale" else ""),
        _short(s.minimum),
        _short(s.maximum),
        "" if bound is None else (_ratio(_farthest(s) / bound), "red" if s.n_past else ""),
        f"{s.n_zero:,}",
        (f"{s.n_nan}+{s.n_infinite}", "red") if s.n_nan or s.n_infinite else "0",
        _distinct(tensor),
        blocks(s.histogram, bins),
        "" if p is None else f"{p:.2f}" if p >= 0.01 else f"{p:.0e}" if p > 1e-99 else "<1e-99",
        (verdict, style),
    ]


def _farthest(statistics: Statistics) -> float:
    return max(abs(statistics.minimum), abs(statistics.maximum))


def _distinct(tensor: TensorReport) -> str:
    from lecun_cli.inspection.measured import shown_distinct

    return "" if tensor.statistics is None else shown_distinct(tensor.statistics.n_distinct)


def _short(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3g}"


def _ratio(value: float) -> str:
    if math.isnan(value):
        return ""
    return f"{value:.3f}" if 0.1 <= abs(value) < 100 else f"{value:.2g}"


def blocks(histogram: Sequence[float], bins: int) -> str:
    """A histogram as characters of eight heights; what is not empty shows."""
    if not histogram:
        return ""
    size = len(histogram) // bins
    sums = [sum(histogram[i * size : (i + 1) * size]) for i in range(bins)]
    most = max(sums)
    return "".join(_BLOCKS[max(1, round(8 * n / most))] if n >= 0.5 else _BLOCKS[0] for n in sums)


def _reasons(bad: Sequence[TensorReport], most: int | None) -> list[str]:
    """The reasons of what is bad, those of like tensors once."""
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
        lines.append(f"and {len(alike) - most:,} other kinds of fault; --json and --csv have all")
    return [*lines, ""] if lines else lines


def _wrapped(lines: Sequence[str], room: int) -> list[str]:
    """Lines folded at spaces, each with an indent below its own."""
    folded = []
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()) + 2)
        folded += textwrap.wrap(
            line, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False,
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
        distribution = "the manifest's law" if stated else "LeCun normal, fan-ins by layer kind"
        lines.append(
            f"held against {distribution}; a p below {inspection.level:.2g} contradicts it "
            f"({LEVEL:g} over {counted(tested, 'tensor')} of weights)"
        )
    return lines


def as_json_text(inspection: Inspection, tensors: Iterable[TensorReport]) -> str:
    """Everything that was found, as JSON; what is no number is null."""
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


def _flat(tensor: TensorReport) -> dict[str, Any]:
    """A tensor as one row of plain values."""
    s, expected = tensor.statistics, tensor.expected
    has_density = expected is not None and expected.is_random
    bound = expected.distribution.bound if expected is not None and has_density else None
    return {
        "name": tensor.name,
        "file": tensor.file,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "elements": math.prod(tensor.shape),
        "bytes": tensor.nbytes,
        "initializer": None if expected is None else expected.initializer,
        "law_is_stated": None if expected is None else expected.is_stated,
        "fan_in_is_guessed": None if expected is None else expected.is_guessed,
        "fan_in": None if expected is None else expected.fan_in,
        "fan_out": None if expected is None else expected.fan_out,
        "mean": None if s is None else _number(s.mean),
        "std": None if s is None else _number(s.std),
        "asked_std": expected.distribution.std if expected is not None and has_density else None,
        "ratio": None if tensor.ratio is None else _number(tensor.ratio),
        "min": None if s is None else _number(s.minimum),
        "max": None if s is None else _number(s.maximum),
        "bound": bound,
        "past_bound": None if s is None or bound is None else s.n_past,
        "zeros": None if s is None else s.n_zero,
        "nan": None if s is None else s.n_nan,
        "inf": None if s is None else s.n_infinite,
        "distinct": None if s is None else s.n_distinct,
        "p": tensor.judgment.p_value,
        "verdict": tensor.verdict,
        "bad": tensor.is_bad,
        "follows": tensor.judgment.distribution,
    }


def _histogram(tensor: TensorReport) -> dict[str, Any] | None:
    if tensor.statistics is None or not tensor.statistics.histogram:
        return None
    low, high = tensor.statistics.span
    return {"low": low, "high": high, "counts": list(tensor.statistics.histogram)}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_csv_text(tensors: Iterable[TensorReport]) -> str:
    """The tensors as CSV with a header, without the last line's end; what is not known is empty."""
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
