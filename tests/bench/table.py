"""Tables for the benchmark section of README."""

from __future__ import annotations

from pathlib import Path

from tests.bench.comparisons import ALONE, SIZES
from tests.bench.results import Alone, Compared, Results, Sized, peak_mib, seconds

BEGIN, END = "<!-- written by `python -m tests.bench --readme` -->", "<!-- end of the benchmark -->"


def section(results: Results) -> str:
    """Return the section without its markers: the machine, the chart and the tables."""
    pairs = f"{results.runs} pair" + "s" * (results.runs != 1)
    parts = [f"{described(results)}; medians of {pairs}."]
    if results.sized:
        parts.append(CHART)
    groups = dict.fromkeys(row.group for row in results.compared)
    parts += [_compared(group, [r for r in results.compared if r.group == group]) for group in groups]
    if results.sized:
        parts.append(_sized(results.sized))
    if results.alone:
        parts.append(_alone(results.alone))
    return "\n\n".join(parts)


CHART = """\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="tests/bench/speed-dark.svg">
  <img src="tests/bench/speed.svg" alt="Seconds and peak memory, against the frameworks and against size">
</picture>"""


def described(results: Results) -> str:
    """Return the machine, the day and the versions as a sentence."""
    versions = ", ".join(
        f"{name} {of}" for name, of in results.versions.items() if name not in {"kernel", "lecun-init"}
    )
    return f"{results.machine}, {results.date}; {results.versions['kernel']}; {versions}"


def _compared(group: str, rows: list[Compared]) -> str:
    has_limit = any(row.limit is not None for row in rows)
    heads = [group, "ours s", "other s", "ours / other", *["limit"] * has_limit, "ours MiB", "other MiB"]
    lines = [_line(heads), "|---" * len(heads) + "|"]
    for row in rows:
        cells = [row.what, _time(seconds(row.ours)), _time(seconds(row.reference)), f"{row.ratio:.3f}"]
        if has_limit:
            cells.append(_limit(row))
        cells += [f"{peak_mib(row.ours):.0f}", f"{peak_mib(row.reference):.0f}"]
        lines.append(_line(cells))
    return "\n".join(lines)


def _limit(row: Compared) -> str:
    texts = []
    if row.limit is not None:
        texts.append(f"≤ {row.limit:.3g}{_met(row.ratio, row.limit)}")
    if row.memory_limit is not None:
        texts.append(f"memory ≤ {row.memory_limit:.3g}{_met(row.memory_ratio, row.memory_limit)}")
    return "; ".join(texts)


def _met(measured: float, limit: float) -> str:
    return "" if measured <= limit else " **missed**"


def _sized(rows: list[Sized]) -> str:
    heads = [f"{SIZES}: whole process, float32", "ours s", "dd s", "ours MiB", "dd MiB"]
    lines = [_line(heads), "|---" * len(heads) + "|"]
    for row in rows:
        times = [_time(seconds(row.ours)), _time(seconds(row.dd))]
        peaks = [f"{peak_mib(row.ours):.0f}", f"{peak_mib(row.dd):.0f}"]
        lines.append(_line([size(row.mib), *times, *peaks]))
    return "\n".join(lines)


def _alone(rows: list[Alone]) -> str:
    lines = [_line([ALONE, "s", "limit", "MiB"]), "|---" * 4 + "|"]
    for row in rows:
        limit = "" if row.limit is None else f"≤ {row.limit:.3g}{_met(seconds(row.runs), row.limit)}"
        lines.append(_line([row.what, f"{seconds(row.runs):.3f}", limit, f"{peak_mib(row.runs):.0f}"]))
    return "\n".join(lines)


def size(mib: int) -> str:
    """Return a size as text."""
    return f"{mib // 1024} GiB" if mib >= 1024 else f"{mib} MiB"


def _time(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def put(path: Path, body: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace the text between two marker lines of a file.

    Raises:
        SystemExit: The file does not contain the markers.
    """
    head, begin_line, rest = path.read_text(encoding="utf-8").partition(begin)
    _, ended, tail = rest.partition(end)
    if not begin_line or not ended:
        raise SystemExit(f"{path}: missing lines {begin} and {end}")
    path.write_text(f"{head}{begin}\n\n{body}\n\n{end}{tail}", encoding="utf-8")
