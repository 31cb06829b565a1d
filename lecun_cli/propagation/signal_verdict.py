"""Judge how the variance of a signal changes through a network, in one sentence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_STEADY = 1.0
"""Maximum number of doublings or halvings of a steady signal over the whole depth, by the fit."""
_WIDEST = 2.0
"""Maximum number of doublings or halvings between the variance of one layer and that of the input."""


@dataclass(frozen=True)
class Verdict:
    """How the variance changes along the longest chain.

    Attributes:
        kind: `stays`, `drifts`, `explodes`, `vanishes`, `overflows` (past float32) or `dies` (exactly zero).
        said: The verdict as a sentence.
        n_layers: Number of layers of the chain.
        lowest: Smallest variance of their outputs.
        highest: Largest variance of their outputs.
        factor: Factor by which a layer multiplies the variance, from a fit of its logarithm over the depth.
    """

    kind: str
    said: str
    n_layers: int
    lowest: float
    highest: float
    factor: float


def judge(variances: Sequence[float]) -> Verdict:
    """Return the verdict on one chain.

    Args:
        variances: The variance of the output of each layer, in order, not finite if float32 overflowed. The
            variance of the input is 1.
    """
    n = len(variances)
    layers = "layer" if n == 1 else "layers"
    first_bad = next((k for k, v in enumerate(variances) if not math.isfinite(v)), None)
    first_dead = next((k for k, v in enumerate(variances) if v == 0.0), None)
    finite = [v for v in variances if math.isfinite(v) and v > 0.0]
    low, high = min(finite, default=0.0), max(finite, default=0.0)
    logs = [math.log2(v) for v in finite]
    slope = _slope(logs)
    factor = 2.0**slope
    if first_bad is not None:
        text = f"explodes: past float32 in layer {first_bad + 1} of {n}{_pace(slope)}"
        return Verdict("overflows", text, n, low, math.inf, factor)
    if first_dead is not None:
        text = f"dies: all outputs are one value from layer {first_dead + 1} of {n}"
        return Verdict("dies", text, n, 0.0, high, factor)
    total = slope * (n - 1)
    near = all(abs(v) <= _WIDEST for v in logs)
    if abs(total) <= _STEADY and near:
        text = f"stays: variance from {low:.3g} to {high:.3g} over {n} {layers}"
        return Verdict("stays", text, n, low, high, factor)
    away = math.log2(variances[-1]) * math.copysign(
        1.0, slope
    )  # the signal ends in the direction of the slope
    if abs(total) <= _STEADY or near or away < _STEADY or n < 3:
        text = f"drifts: variance from {low:.3g} to {high:.3g} over {n} {layers}"
        return Verdict("drifts", text, n, low, high, factor)
    kind = "explodes" if slope > 0 else "vanishes"
    text = f"{kind}: variance {variances[-1]:.3g} after {n} {layers}{_pace(slope)}"
    return Verdict(kind, text, n, low, high, factor)


def _pace(slope: float) -> str:
    """Return the number of layers for a doubling or halving, or the factor of one layer if it is larger."""
    if abs(slope) < 1e-3:
        return ""
    if abs(slope) > 1:
        return f", {'times' if slope > 0 else 'divided by'} {2.0 ** abs(slope):.3g} in every layer"
    verb = "doubles" if slope > 0 else "halves"
    return f", {verb} every {1 / abs(slope):.2g} layers"


def _slope(logs: Sequence[float]) -> float:
    """Return the slope of the least-squares line through values at 1, 2, 3 ..."""
    n = len(logs)
    if n < 2:
        return 0.0
    middle = (n - 1) / 2
    mean = math.fsum(logs) / n
    above = math.fsum((k - middle) * (v - mean) for k, v in enumerate(logs))
    return above / math.fsum((k - middle) ** 2 for k in range(n))
