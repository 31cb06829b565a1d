"""The chart of README: `speed.svg` and, for dark pages, `speed-dark.svg`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.comparisons import WHOLE
from tests.bench.results import Results, Runs, Sized, peak_mib, seconds
from tests.bench.table import size


@dataclass(frozen=True)
class Theme:
    """Colors of a page on GitHub."""

    file: str
    page: str
    text: str
    grid: str
    ours: str
    dd: str
    peer: str


LIGHT = Theme("speed.svg", "#ffffff", "#1f2328", "#d1d9e0", "#0969da", "#bc4c00", "#8c959f")
DARK = Theme("speed-dark.svg", "#0d1117", "#e6edf3", "#30363d", "#58a6ff", "#f0883e", "#6e7681")

_OURS = "lecun-init, with digests"


def write(results: Results, folder: Path, suffix: str = ".svg") -> list[Path]:
    """Write the chart, light and dark.

    Args:
        results: What was measured; the sizes at the least.
        folder: Where.
        suffix: `.png` to look at it.

    Returns:
        The files.
    """
    written = []
    for theme in (LIGHT, DARK):
        path = (folder / theme.file).with_suffix(suffix)
        _write(results, theme, path)
        written.append(path)
    return written


def _write(results: Results, theme: Theme, path: Path) -> None:
    import matplotlib as mpl
    from matplotlib.figure import Figure

    style: dict[Any, Any] = {
        "axes.edgecolor": theme.grid,
        "axes.facecolor": theme.page,
        "axes.labelcolor": theme.text,
        "axes.spines.right": False,
        "axes.spines.top": False,
        "axes.titlelocation": "left",
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "figure.facecolor": theme.page,
        "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
        "font.size": 9,
        "grid.color": theme.grid,
        "grid.linewidth": 0.6,
        "svg.fonttype": "none",  # text as text: a quarter of the size
        "svg.hashsalt": "lecun-init",  # the same results, the same bytes
        "text.color": theme.text,
        "xtick.color": theme.text,
        "ytick.color": theme.text,
    }
    with mpl.rc_context(style):
        bars = _bars(results)
        figure = Figure(figsize=(12.5, 4.1), layout="constrained")
        axes = figure.subplots(1, 3 if bars else 2, width_ratios=[1.15, 1, 1] if bars else None)
        if bars:
            _draw_bars(axes[0], bars, theme)
        _draw_seconds(axes[-2], results.sized, theme)
        _draw_memory(axes[-1], results.sized, theme)
        kernel = results.versions["kernel"]
        runs = f"{results.runs} run" + "s" * (results.runs != 1)
        figure.supxlabel(
            f"{results.machine}, {kernel}, {results.date}; medians of {runs}", fontsize=8, color=theme.text
        )
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata, dpi=110)


def _bars(results: Results) -> list[tuple[str, Runs]]:
    """Return the rows of ours, `dd` and every peer for one float32 file, if they have been measured."""
    rows = [r for r in results.compared if r.group == WHOLE and r.what.startswith("float32, ")]
    if not rows:
        return []
    peers = [(row.what.removeprefix("float32, "), row.reference) for row in rows]
    ours = [run for row in rows for run in row.ours]
    dd = [("dd of zeros", row.dd) for row in results.sized if row.mib == 1024]
    return [(_OURS, ours), *dd, *sorted(peers, key=lambda bar: seconds(bar[1]))]


def _draw_bars(axes: Any, bars: list[tuple[str, Runs]], theme: Theme) -> None:
    axes.set_title("A file of 1 GiB, float32, flushed to the disk")
    values = [seconds(runs) for _, runs in bars]
    colors = [{_OURS: theme.ours, "dd of zeros": theme.dd}.get(name, theme.peer) for name, _ in bars]
    axes.barh(range(len(bars)), values, color=colors, height=0.34)
    for span, (name, runs) in enumerate(bars):
        axes.text(0, span - 0.25, name, va="bottom", fontsize=8.5)
        figures = f" {seconds(runs):.1f} s in {_memory(peak_mib(runs))}"
        axes.text(values[span], span, f" {figures}", va="center", fontsize=8.5)
    axes.set_ylim(len(bars) - 0.6, -0.75)
    axes.set_xlim(0, max(values) * 1.36)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_axisbelow(True)
    axes.set_xlabel("seconds, and peak memory")


def _draw_seconds(axes: Any, rows: list[Sized], theme: Theme) -> None:
    axes.set_title("Seconds against size, whole process")
    _sizes_along(axes, rows)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    axes.yaxis.set_minor_formatter(lambda *_: "")
    _draw_both(axes, rows, ([seconds(r.ours) for r in rows], [seconds(r.dd) for r in rows]), theme)


def _draw_memory(axes: Any, rows: list[Sized], theme: Theme) -> None:
    axes.set_title("Peak memory against size, whole process")
    _sizes_along(axes, rows)
    ticks = [4**power for power in range(8)]
    axes.set_yscale("log", base=2)
    axes.set_ylim(1, 2 * ticks[-1])
    axes.set_yticks(ticks, labels=[_memory(tick) for tick in ticks])
    axes.minorticks_off()
    sizes = [row.mib for row in rows]
    axes.plot(sizes, sizes, color=theme.peer, linestyle=":")
    axes.annotate(
        "the file itself",
        (sizes[-1], sizes[-1]),
        xytext=(-22, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=8.5,
    )
    _draw_both(axes, rows, ([peak_mib(r.ours) for r in rows], [peak_mib(r.dd) for r in rows]), theme)


def _sizes_along(axes: Any, rows: list[Sized]) -> None:
    """Draw the sizes on the horizontal axis, without labels for sizes that are close together."""
    sizes = [row.mib for row in rows]
    following = [*sizes[1:], 4 * sizes[-1]]
    labels = [size(mib) if after >= 4 * mib else "" for mib, after in zip(sizes, following, strict=True)]
    axes.set_xscale("log", base=2)
    axes.set_xticks(sizes, labels=labels, fontsize=8)
    axes.minorticks_off()
    axes.grid()
    axes.set_axisbelow(True)
    axes.set_xlabel("size of the file")


def _draw_both(axes: Any, rows: list[Sized], values: tuple[list[float], list[float]], theme: Theme) -> None:
    """Draw our line and that of `dd`, with the names next to them."""
    sizes = [row.mib for row in rows]
    near = {"textcoords": "offset points", "fontsize": 8.5}
    ours, dd = values
    axes.plot(sizes, ours, color=theme.ours, marker="o", markersize=4)
    axes.plot(sizes, dd, color=theme.dd, marker="o", markersize=4)
    axes.annotate("lecun-init", (sizes[0], ours[0]), xytext=(0, 8), va="bottom", color=theme.ours, **near)
    middle = len(rows) // 2
    axes.annotate(
        "dd of zeros, fsync", (sizes[middle], dd[middle]), xytext=(6, -6), va="top", color=theme.dd, **near
    )


def _memory(mib: float) -> str:
    return f"{mib / 1024:.1f} GiB".replace(".0 ", " ") if mib >= 1000 else f"{mib:.0f} MiB"
