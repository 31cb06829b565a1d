"""Plot an inspection: histogram, quantiles and scale of every tensor of weights, in one figure.

Tensors without problems form one quiet crowd; problems have colors and are named.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lecun_cli.display.text import counted, shorten_middle
from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution, TruncatedNormal, Uniform
from lecun_cli.inspection.inspector import Inspection, TensorReport
from lecun_cli.inspection.standardization import N_BINS, REACH
from lecun_cli.inspection.tensor_verdict import VERDICTS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lecun_cli.display.figures import Theme

_MAX_NAME = 60
_PROBLEM_SIZE = 30.0
"""Minimum area of the dots of problems, so that they show among a thousand others."""
_MAX_LINES = 200
_HALF_WIDTH = 3.2
"""The histogram extends to this many stds on both sides."""


def title_of(inspection: Inspection) -> str:
    """Return a title for an inspection: its file, the number of tensors, and the number with problems."""
    what = (
        inspection.files[0]
        if len(inspection.files) == 1
        else f"{inspection.path} ({len(inspection.files):,} files)"
    )
    outcome = f"{len(inspection.bad):,} with problems" if inspection.bad else "no problems"
    return f"{what}: {counted(len(inspection.tensors), 'tensor')}, {outcome}"


@dataclass(frozen=True)
class _Problem:
    """A kind of problem and the tensors that have it, in one color in all panels.

    Attributes:
        label: Text of the legend.
        color: Color of lines and dots.
        tensors: The tensors with this problem.
        is_drawn: If true, the first tensor gets its own line in the histogram and the quantile plot.
    """

    label: str
    color: str
    tensors: tuple[TensorReport, ...]
    is_drawn: bool = True


def draw(inspection: Inspection, theme: Theme) -> Figure:
    """Draw the figure of an inspection.

    Args:
        inspection: Result of `inspect` with `standard=True`.
        theme: Colors of the figure.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    weights = [t for t in inspection.tensors if t.standard is not None]
    figure = Figure(figsize=(12.5, 8.8))
    figure.set_layout_engine("constrained", w_pad=0.12, h_pad=0.12)
    figure.suptitle(title_of(inspection), x=0.012, ha="left", fontsize=13, fontweight="bold")
    if not weights:
        message = "no tensor of weights with a known distribution"
        figure.text(0.5, 0.5, message, ha="center", color=theme.ink, fontsize=12)
        return figure
    axes = figure.subplots(2, 2)
    problems = _problems(weights, theme)
    _histograms(axes[0, 0], weights, problems, theme)
    _quantiles(axes[0, 1], weights, problems, theme)
    _scales(axes[1, 0], weights, problems, theme)
    _ratios(axes[1, 1], weights, problems, theme)
    if problems:
        handles = [Line2D([], [], color=f.color, lw=2.5, marker="o", label=f.label) for f in problems]
        figure.legend(handles=handles, loc="outside lower left", ncols=1, fontsize=9)
    return figure


def _problems(weights: Sequence[TensorReport], theme: Theme) -> list[_Problem]:
    """Return the kinds of problems, worst first; those beyond the number of colors share the last one."""
    groups: dict[tuple[str, str | None], list[TensorReport]] = {}
    for tensor in sorted((t for t in weights if t.is_bad), key=lambda t: VERDICTS.index(t.verdict)):
        groups.setdefault((tensor.verdict, tensor.judgment.distribution), []).append(tensor)
    colors = [theme.bad, *(c for c in theme.series[1:] if c not in {theme.good, theme.bad})]
    problem_groups = [
        _Problem(_label(tensors), color, tuple(tensors))
        for tensors, color in zip(groups.values(), colors, strict=False)
    ]
    left = [t for tensors in list(groups.values())[len(colors) :] for t in tensors]
    if left:
        problem_groups.append(
            _Problem(
                f"other problems: {counted(len(left), 'tensor')}", theme.ink, tuple(left), is_drawn=False
            )
        )
    return problem_groups


def _label(tensors: Sequence[TensorReport]) -> str:
    first = tensors[0]
    distribution = f"; follows {first.judgment.distribution}" if first.judgment.distribution else ""
    name = shorten_middle(first.name, _MAX_NAME)
    more = f" and {len(tensors) - 1:,} more" if len(tensors) > 1 else ""
    return f"{first.verdict}{distribution}: {name}{more}"


def _distribution_name(tensor: TensorReport) -> str:
    """Return the name of a tensor's expected distribution, without its scale."""
    distribution = None if tensor.expected is None else tensor.expected.distribution
    match distribution:
        case TruncatedNormal():
            return "normal truncated at two sigma"
        case Uniform():
            return "uniform"
        case _:
            return "mixed"


def _standard_distribution(name: str) -> Distribution | None:
    """Return the named distribution with a std of 1, or None for mixtures."""
    if name == "uniform":
        return Uniform(-math.sqrt(3.0), math.sqrt(3.0))
    return TruncatedNormal(1.0 / TRUNCATED_STD) if name.startswith("normal") else None


def _pooled(tensors: Sequence[TensorReport]) -> list[float]:
    """Return the density of the values of all tensors together."""
    pooled = [0.0] * N_BINS
    n = sum(math.prod(t.shape) for t in tensors)
    for tensor in tensors:
        if tensor.standard is not None:
            share = math.prod(tensor.shape) / n
            for i, density in enumerate(tensor.standard.density):
                pooled[i] += share * density
    return pooled


def _steps(density: Sequence[float], n_elements: int) -> tuple[list[float], list[float]]:
    """Return (edges, heights) of bins, which are wider for fewer values."""
    width = 1 if n_elements >= 20_000 else 2 if n_elements >= 4_000 else 4
    heights = [sum(density[i : i + width]) / width for i in range(0, N_BINS, width)]
    edges = [-REACH + 2 * REACH * width * i / N_BINS for i in range(len(heights) + 1)]
    return edges, heights


def _histograms(
    ax: Axes, weights: Sequence[TensorReport], problems: Sequence[_Problem], theme: Theme
) -> None:
    good = [t for t in weights if not t.is_bad]
    highest = 0.5
    for name, color in zip(dict.fromkeys(map(_distribution_name, weights)), theme.series, strict=False):
        crowd = [t for t in good if _distribution_name(t) == name]
        if crowd:
            edges, heights = _steps(_pooled(crowd), sum(math.prod(t.shape) for t in crowd))
            ax.stairs(
                heights,
                edges,
                fill=True,
                color=color,
                alpha=0.35,
                label=f"{counted(len(crowd), 'tensor')} without problems",
            )
        standard = _standard_distribution(name)
        if standard is not None:
            xs, ys = _density(standard)
            ax.plot(xs, ys, color=theme.ink, lw=1.4, label=f"expected: {name}")
    for problem in problems:
        tensor = problem.tensors[0]
        if problem.is_drawn and tensor.standard is not None:
            edges, heights = _steps(tensor.standard.density, math.prod(tensor.shape))
            ax.stairs(heights, edges, color=problem.color, lw=1.5, baseline=None)
            highest = max(highest, min(0.9, max(heights)))
    ax.set_xlim(-_HALF_WIDTH, _HALF_WIDTH)
    ax.set_ylim(0, highest * 1.25)
    ax.set_title("Histogram and expected density")
    ax.set_xlabel("weight / expected std")
    ax.set_ylabel("density")
    ax.legend(loc="upper left", fontsize=8.5)


def _density(distribution: Distribution) -> tuple[list[float], list[float]]:
    low, high = distribution.support
    n = 200
    ends = [low + (high - low) * i / n for i in range(n + 1)]
    under = [distribution.cdf(x) for x in ends]
    heights = [(b - a) / ((high - low) / n) for a, b in itertools.pairwise(under)]
    middles = [(a + b) / 2 for a, b in itertools.pairwise(ends)]
    return [low, low, *middles, high, high], [0.0, heights[0], *heights, heights[-1], 0.0]


def _quantiles(ax: Axes, weights: Sequence[TensorReport], problems: Sequence[_Problem], theme: Theme) -> None:
    from matplotlib.collections import LineCollection

    good = [t for t in weights if not t.is_bad]
    few = good[:: max(1, math.ceil(len(good) / _MAX_LINES))]
    lines = [list(zip(t.standard.expected, t.standard.observed, strict=True)) for t in few if t.standard]
    ax.plot([-5, 5], [-5, 5], color=theme.ink, lw=1.0, ls=(0, (4, 3)), zorder=4)
    ax.add_collection(
        LineCollection(
            lines, colors=theme.series[0], linewidths=1.2, alpha=max(0.12, 0.6 / (1 + len(lines) / 20))
        )
    )
    reach = 2.6
    for problem in problems:
        tensor, color = problem.tensors[0], problem.color
        if tensor.standard is None or tensor.statistics is None or tensor.expected is None:
            continue
        if not problem.is_drawn:
            continue
        std = tensor.expected.distribution.std
        bound = tensor.expected.distribution.bound / std
        ax.plot(tensor.standard.expected, tensor.standard.observed, color=color, lw=1.8, zorder=3)
        ends = [tensor.statistics.minimum / std, tensor.statistics.maximum / std]
        ax.plot([-bound, bound], ends, ls="", marker="o", ms=5, color=color, zorder=3, clip_on=True)
        reach = max(reach, min(5.0, 1.08 * max(map(abs, ends))))
    ax.set_xlim(-2.6, 2.6)
    ax.set_ylim(-reach, reach)
    ax.set_title("Quantiles" + ("; dots: smallest and largest value" if problems else ""))
    ax.set_xlabel("expected quantile / expected std")
    ax.set_ylabel("observed quantile / expected std")


def _scales(ax: Axes, weights: Sequence[TensorReport], problems: Sequence[_Problem], theme: Theme) -> None:
    with_fans = [t for t in weights if t.expected is not None and t.expected.fan_in]
    ax.set_title("Std against fan-in")
    ax.set_xlabel("fan-in")
    ax.set_ylabel("std")
    if not with_fans:
        ax.text(0.5, 0.5, "all fan-ins are unknown", ha="center", transform=ax.transAxes)
        return
    positions = {id(t): i for i, t in enumerate(with_fans)}
    for color, area, some in _crowds(with_fans, problems, theme):
        # Moved along the expected line a little, or many tensors with one fan-in would be one dot.
        factors = [_jitter(positions[id(t)], len(with_fans)) for t in some]
        xs = [_fan(t) * j for t, j in zip(some, factors, strict=True)]
        ys = [t.statistics.std / math.sqrt(j) for t, j in zip(some, factors, strict=True) if t.statistics]
        ax.scatter(xs, ys, s=area, color=color, alpha=0.75, lw=0, zorder=3)
    fans = sorted(_fan(t) for t in with_fans)
    ends = [fans[0] / 2.5, fans[-1] * 2.5]
    ax.plot(ends, [x**-0.5 for x in ends], color=theme.ink, lw=1.2, label="1 / sqrt(fan-in)", zorder=2)
    _logarithmic(ax, "xy")
    ax.legend(loc="upper right", fontsize=8.5)


def _logarithmic(ax: Axes, which: str) -> None:
    """Make axes logarithmic, with plain numbers as labels and enough of them on short ranges."""
    from matplotlib.ticker import LogLocator, NullLocator

    for letter in which:
        axis = ax.xaxis if letter == "x" else ax.yaxis
        (ax.set_xscale if letter == "x" else ax.set_yscale)("log")
        axis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(_plain_number)


def _plain_number(value: float, _position: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"


def _crowds(
    weights: Sequence[TensorReport], problems: Sequence[_Problem], theme: Theme
) -> list[tuple[str, float, list[TensorReport]]]:
    """Return (color, area of a dot, tensors): first of the good tensors, then of each problem."""
    size = _size(len(weights))
    shown = set(map(id, weights))
    crowds = [(theme.series[0], size, [t for t in weights if not t.is_bad])]
    crowds += [
        (p.color, max(size, _PROBLEM_SIZE), [t for t in p.tensors if id(t) in shown]) for p in problems
    ]
    return crowds


def _ratios(ax: Axes, weights: Sequence[TensorReport], problems: Sequence[_Problem], theme: Theme) -> None:
    errors = [_error(t) for t in weights]
    ratios = [t.ratio or 0.0 for t in weights]
    n = len(weights)
    ax.vlines(
        range(1, n + 1), [1 - 4 * e for e in errors], [1 + 4 * e for e in errors], color=theme.faint,
        lw=max(0.5, min(4.0, 200 / n)), alpha=0.9 if n < 100 else 0.45, zorder=1,
        label="four standard errors",
    )  # fmt: skip
    ax.axhline(1.0, color=theme.ink, lw=1.0, zorder=2)
    positive = [r for r in ratios if r > 0]
    is_wide = bool(positive) and (max(positive) > 2.5 or min(positive) < 0.4)
    heights = [max(r, min(positive) / 2) if is_wide else r for r in ratios]
    positions = {id(t): i for i, t in enumerate(weights)}
    for color, area, some in _crowds(weights, problems, theme):
        at = [positions[id(t)] for t in some]
        ax.scatter(
            [i + 1 for i in at], [heights[i] for i in at], s=area, color=color, lw=0, alpha=0.85, zorder=3
        )
    if is_wide:
        _logarithmic(ax, "y")
    else:
        least = max(0.02, 4.4 * sorted(errors)[n // 2])
        low, high = (max(least, 1.15 * far) for far in (1.0 - min(ratios), max(ratios) - 1.0))
        ax.set_ylim(1.0 - max(low, high / 4), 1.0 + max(high, low / 4))
    _numbered(ax, n)
    ax.set_title("Std over expected std; bars: four standard errors")
    ax.set_xlabel("tensors of weights, in file order")
    ax.set_ylabel("std / expected std")


def _numbered(ax: Axes, n: int) -> None:
    """Number the x axis from 1 to `n`."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(0.5 - 0.01 * n, n + 0.5 + 0.01 * n)
    if n <= 10:
        ax.set_xticks(range(1, n + 1))
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.grid(visible=False, axis="x")


def _fan(tensor: TensorReport) -> float:
    return 1.0 if tensor.expected is None or not tensor.expected.fan_in else tensor.expected.fan_in


def _jitter(i: int, count: int) -> float:
    """Return a factor near 1 that moves a dot, or 1 for few tensors."""
    return 1.0 if count < 30 else 2.0 ** (((i * 0.6180339887) % 1.0 - 0.5) * 0.3)


def _size(count: int) -> float:
    return 42.0 if count < 40 else 22.0 if count < 300 else 11.0


def _error(tensor: TensorReport) -> float:
    """Return the relative standard error of a tensor's std."""
    if tensor.expected is None:
        return 0.0
    spread = tensor.expected.distribution.kurtosis - 1.0
    return math.sqrt(spread / (4.0 * max(1, math.prod(tensor.shape))))
