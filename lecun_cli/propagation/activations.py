"""The activations that a spec may name, as the frameworks compute them, in place and in bounded memory.

A new one is a row of `ACTIVATIONS`. Frameworks differ in two of them, which their records state: the slope of
`leaky_relu`, and whether `gelu` is exact or the approximation by tanh.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from lecun_cli.layers.forward_math import sigmoid

if TYPE_CHECKING:
    from lecun_cli.frameworks import Framework
    from lecun_cli.layers.operation import Array

Function = Callable[[Any], Any]

SELU_SCALE = 1.0507009873554804934193349852946
"""lambda of Klambauer et al., arXiv:1706.02515: with alpha, mean 0 and variance 1 are a fixed point."""
SELU_ALPHA = 1.6732632423543772848170429916717
"""alpha of the same paper."""

_BLOCK = 2**17  # elements computed at once, so that the temporaries stay in the cache


def activate(name: str, x: Array, framework: Framework) -> None:
    """Apply an activation in place.

    Args:
        name: A key of `ACTIVATIONS`.
        x: Any shape, in C order, channels on the last axis, over which `softmax` sums to one.
        framework: Its record states the variants of `leaky_relu` and `gelu`.
    """
    function = ACTIVATIONS[name]
    if name == "leaky_relu":
        function = _leaky(framework.leaky_relu_slope)
    elif name == "gelu" and framework.gelu_by_tanh:
        function = _gelu_by_tanh
    rows = x.reshape(-1, x.shape[-1])
    step = max(1, _BLOCK // rows.shape[1])
    with np.errstate(
        over="ignore", under="ignore", invalid="ignore"
    ):  # a signal may explode, which the result shows
        for first in range(0, len(rows), step):
            rows[first : first + step] = function(rows[first : first + step])


def normal_cdf(x: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the cumulative distribution function of N(0, 1) in float64, with an error below 1e-7.

    Computed by Abramowitz and Stegun, 7.1.26, for erfc: NumPy has no erf, and SciPy is not a dependency.

    Args:
        x: Any shape and float dtype.

    Returns:
        An array of the same shape.
    """
    z = np.abs(x.astype(np.float64)) * math.sqrt(0.5)
    t = 1.0 / (1.0 + 0.3275911 * z)
    tail = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = (tail + coefficient) * t
    tail *= 0.5 * np.exp(-z * z)
    cdf: np.ndarray[Any, np.dtype[np.float64]] = np.where(x < 0, tail, 1.0 - tail)
    return cdf


def _softplus(x: Array) -> Any:  # noqa: ANN401 - NumPy's stubs lose the dtype; so they do in all of these
    return np.logaddexp(x, np.float32(0.0))


def _elu(x: Array) -> Any:  # noqa: ANN401
    return np.where(x > 0, x, np.expm1(np.minimum(x, np.float32(0.0))))


def _selu(x: Array) -> Any:  # noqa: ANN401
    negative = np.float32(SELU_SCALE * SELU_ALPHA) * np.expm1(np.minimum(x, np.float32(0.0)))
    return np.where(x > 0, np.float32(SELU_SCALE) * x, negative)


def _softmax(x: Array) -> Any:  # noqa: ANN401
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return raised / raised.sum(axis=-1, keepdims=True)


def _leaky(slope: float) -> Function:
    return lambda x: np.where(x > 0, x, np.float32(slope) * x)


def _gelu_by_tanh(x: Array) -> Any:  # noqa: ANN401
    inner = np.float32(math.sqrt(2.0 / math.pi)) * (x + np.float32(0.044715) * x * x * x)
    return np.float32(0.5) * x * (np.float32(1.0) + np.tanh(inner))


ACTIVATIONS: dict[str, Function] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, np.float32(0.0)),
    "relu6": lambda x: np.clip(x, np.float32(0.0), np.float32(6.0)),
    "leaky_relu": _leaky(0.01),
    "elu": _elu,
    "selu": _selu,
    "gelu": lambda x: x * normal_cdf(x),
    "silu": lambda x: x * sigmoid(x),
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": lambda x: x / (np.float32(1.0) + np.abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "exponential": np.exp,
}
