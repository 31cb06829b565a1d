"""Plot of a propagation: variance and mean by depth, with one line for each initializer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lecun_cli.propagation.result import LayerMoments, Propagation, Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from lecun_cli.display.figures import Theme

_MOST_NAMED = 8
"""Maximum number of layers whose names are below the axis; if there are more, the axis shows numbers."""
_MOST_MARKED = 40
_MARKERS = "o^sDvP"
_LINEAR = 2.0  # largest mean that is on a linear axis
_MANY = 1e9  # range from which all ticks are powers of ten
_LEAST, _MOST = 1e-40, 1e40  # limits of the axis


def title_of(propagation: Propagation) -> str:
    """Return the title of the plot; softmax layers are not drawn and not counted."""
    layers = [layer for layer in propagation.runs[0].layers if layer.activation != "softmax"]
    used = {layer.activation for layer in layers} - {None, "linear"}
    noun = "layer" if len(layers) == 1 else "layers"
    activations = f" ({', '.join(sorted(filter(None, used)))})" if used else ""
    return f"{propagation.source}: unit-variance inputs through {len(layers):,} {noun}{activations}"


def draw(propagation: Propagation, theme: Theme) -> Figure:
    """Draw a propagation: the variance above, on a logarithmic axis, and the mean below.

    Softmax layers are left out, since their outputs are probabilities. A line breaks at the start of a chain.

    Args:
        propagation: The result of `propagate`.
        theme: The colors; call this function inside `look(theme)`.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 5.6))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    shown = [layer for layer in propagation.runs[0].layers if layer.activation != "softmax"]
    last = shown[-1].depth if shown else 1
    for k, run in enumerate(propagation.runs):
        _line(above, run, "variance", k, theme)
        _line(below, run, "mean", k, theme)
    above.axhline(1.0, color=theme.ink, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    below.axhline(0.0, color=theme.ink, linewidth=0.8, linestyle=(0, (1, 2)), zorder=1)
    above.set_yscale("log")
    _limit_variance(above, propagation)
    _scale_mean(below, propagation)
    above.set_ylabel("variance")
    below.set_ylabel("mean")
    _depth_axis(below, propagation.runs[0].layers[:last])
    above.tick_params(axis="x", length=0)
    for axes, field in ((above, "variance"), (below, "mean")):
        axes.set_xlim(-0.02 * last, last * 1.02)
        _label_ends(axes, propagation, field, theme)
    figure.suptitle(title_of(propagation), x=0.01, ha="left", fontweight="bold", fontsize=11)
    return figure


def _line(axes: Axes, run: Run, field: str, k: int, theme: Theme) -> None:
    xs: list[float] = []
    ys: list[float] = []
    if run.layers[0].entry == "input":
        xs.append(0.0)
        ys.append(1.0 if field == "variance" else 0.0)
    for layer in run.layers:
        if layer.begins and layer.depth > 1:
            xs.append(math.nan)
            ys.append(math.nan)
        if layer.activation == "softmax":
            continue
        value = getattr(layer, field)
        xs.append(layer.depth)
        ys.append(value if _is_shown(value, field) else math.nan)
    marked = len(run.layers) <= _MOST_MARKED
    axes.plot(
        xs,
        ys,
        color=_color(k, theme),
        linewidth=2.0 if k == 0 else 1.4,
        marker=_MARKERS[k % len(_MARKERS)] if marked else None,
        markersize=4.0 if k == 0 else 3.6,
        zorder=len(theme.series) + 2 - k,
    )
    if field == "variance" and run.verdict.kind in {"overflows", "dies"}:
        ends = [(x, y) for x, y in zip(xs, ys, strict=True) if not math.isnan(y)]
        axes.plot(*zip(*ends[-1:], strict=True), marker="x", color=_color(k, theme), markersize=7.0)


def _color(k: int, theme: Theme) -> str:
    return theme.series[k % len(theme.series)]


def _is_shown(value: float, field: str) -> bool:
    return math.isfinite(value) and (field == "mean" or _LEAST <= value <= _MOST)


def _shown(propagation: Propagation, field: str) -> list[float]:
    """Return all values of the lines."""
    return [
        value
        for run in propagation.runs
        for layer in run.layers
        if layer.activation != "softmax" and _is_shown(value := getattr(layer, field), field)
    ]


def _limit_variance(axes: Axes, propagation: Propagation) -> None:
    """Set the limits of the variance axis, at least 1/4 to 4, so that a steady signal looks steady."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

    values = _shown(propagation, "variance")
    low, high = min([0.25, *values]), max([4.0, *values])
    room = (high / low) ** 0.04
    axes.set_ylim(low / room, high * room)
    ticks = _ticks(low, high)
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(_tick if high / low < _MANY else _power))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _scale_mean(axes: Axes, propagation: Propagation) -> None:
    """Set the scale of the mean axis: linear for small means, otherwise logarithmic outside -1 to 1."""
    from matplotlib.ticker import FuncFormatter

    values = _shown(propagation, "mean")
    most = max([0.5, *map(abs, values)])
    if most > _LINEAR:
        axes.set_yscale("symlog", linthresh=1.0, linscale=0.6)
        axes.yaxis.set_major_formatter(FuncFormatter(_tick))
    low, high = min([-0.5, *values]), max([0.5, *values])
    axes.set_ylim(low * 1.15 if most <= _LINEAR else low * 2, high * 1.15 if most <= _LINEAR else high * 2)


def _ticks(low: float, high: float) -> list[float]:
    """Return the ticks of a logarithmic axis: several per decade, one per decade, or fewer."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = math.ceil((last - first) / 8)
    digits = (1, 2, 5) if high / low < 30 else (1, 3) if high / low < 2000 else (1,)
    powers = [k for k in range(first, last + 1) if k % stride == 0]
    return [digit * 10.0**k for k in powers for digit in digits]


def _power(value: float, _: int) -> str:
    return f"$10^{{{round(math.log10(value))}}}$"


def _tick(value: float, _: int) -> str:
    """Return a tick label, as a power of ten if it has many digits."""
    if value == 0 or 1e-3 <= abs(value) < 1e5:
        return f"{value:g}".replace("-", "\N{MINUS SIGN}")
    power = math.floor(math.log10(abs(value)) + 1e-9)
    return f"${'-' if value < 0 else ''}10^{{{power}}}$"


def _depth_axis(axes: Axes, layers: Sequence[LayerMoments]) -> None:
    from matplotlib.ticker import MaxNLocator

    if len(layers) <= _MOST_NAMED:
        begins = ["input"] if layers[0].entry == "input" else []
        names = begins + [_short(layer.name) for layer in layers]
        slant = sum(map(len, names)) > 70
        axes.set_xticks(
            [*range(1 - len(begins), 1 + len(layers))],
            names,
            rotation=20 if slant else 0,
            ha="right" if slant else "center",
        )
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=3, steps=[1, 2, 4, 5, 10]))
        axes.set_xlabel("depth (layers)")


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"…{name[-21:]}"


def _label_ends(axes: Axes, propagation: Propagation, field: str, theme: Theme) -> None:
    """Label each line at its right end, without overlaps."""
    ends: list[tuple[float, int]] = []
    for k, run in enumerate(propagation.runs):
        shown = [
            value
            for layer in run.layers
            if layer.activation != "softmax" and _is_shown(value := getattr(layer, field), field)
        ]
        if shown:
            ends.append((_fraction(axes, shown[-1]), k))
    height = 0.075 if field == "variance" else 0.115
    for y, (_, k) in zip(spread([y for y, _ in ends], height), ends, strict=True):
        run = propagation.runs[k]
        verdict = f"  {run.verdict.kind}" if field == "variance" else ""
        axes.text(
            1.012, y, f"{run.initializer}{verdict}", transform=axes.transAxes, va="center", ha="left",
            color=_color(k, theme), fontweight="bold" if k == 0 else "normal", fontsize=9,
        )  # fmt: skip


def _fraction(axes: Any, value: float) -> float:  # noqa: ANN401 - matplotlib has no types here
    """Return the position of a value on the height of the axes, from 0 to 1."""
    point = axes.transData.transform((1.0, value))
    return float(axes.transAxes.inverted().transform(point)[1])


def spread(positions: Sequence[float], height: float) -> list[float]:
    """Return positions between 0 and 1, moved as little as needed to be `height` apart.

    Args:
        positions: The positions, in any order.
        height: The minimum distance.
    """
    order = sorted(range(len(positions)), key=lambda k: positions[k])
    spread_out = [min(1.0, max(0.0, positions[k])) for k in order]
    for _ in range(50):  # each pass halves the remaining overlaps
        for i in range(1, len(spread_out)):
            overlap = height - (spread_out[i] - spread_out[i - 1])
            if overlap > 1e-6:
                spread_out[i - 1] -= overlap / 2
                spread_out[i] += overlap / 2
    low = max(0.0, -min(spread_out, default=0.0))
    high = max(0.0, max(spread_out, default=0.0) - 1.0)
    moved = [y + low - high for y in spread_out]
    return [moved[order.index(k)] for k in range(len(positions))]
