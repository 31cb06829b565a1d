"""The activations that a spec may name, as the frameworks compute them, in place and in bounded memory.

A new one is a row of `ACTIVATIONS`. Frameworks agree on all but two: the slope of `leaky_relu` (0.2 in
Keras, 0.01 in PyTorch and Flax) and `gelu`, which is exact in Keras and PyTorch and, by default, the
approximation by tanh in Flax.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float32]]
"""float32; samples first, channels last."""

Function = Callable[[Array], Any]

SELU_SCALE = 1.0507009873554804934193349852946
"""lambda of Klambauer et al., arXiv:1706.02515: with alpha, it makes mean 0 and variance 1 a fixed point."""
SELU_ALPHA = 1.6732632423543772848170429916717
"""alpha of the same."""

_BLOCK = 2**17  # elements worked on at once: the temporaries stay in the cache


def activate(name: str, x: Array, framework: str) -> None:
    """Apply an activation in place.

    Args:
        name: A key of `ACTIVATIONS`.
        x: Any shape, C order, the channels on the last axis, which is what `softmax` sums to one over.
        framework: A key of `FRAMEWORKS`, for the two that frameworks do not agree on.
    """
    function = _OF_FRAMEWORK.get((name, framework), ACTIVATIONS[name])
    rows = x.reshape(-1, x.shape[-1])
    step = max(1, _BLOCK // rows.shape[1])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # a signal may explode: that is shown
        for first in range(0, len(rows), step):
            rows[first : first + step] = function(rows[first : first + step])


def normal_cdf(x: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The distribution function of N(0, 1) in float64, right to 1e-7.

    Abramowitz and Stegun, 7.1.26, for erfc: NumPy has no erf, and SciPy is no dependency.

    Args:
        x: Any shape and float dtype.
    """
    z = np.abs(x.astype(np.float64)) * math.sqrt(0.5)
    t = 1.0 / (1.0 + 0.3275911 * z)
    tail = np.zeros_like(t)
    for coefficient in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = (tail + coefficient) * t
    tail *= 0.5 * np.exp(-z * z)
    cdf: np.ndarray[Any, np.dtype[np.float64]] = np.where(x < 0, tail, 1.0 - tail)
    return cdf


def _sigmoid(x: Array) -> Any:  # noqa: ANN401 - an array; so are all of these
    return np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)


def _softplus(x: Array) -> Any:  # noqa: ANN401
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
    "silu": lambda x: x * _sigmoid(x),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "softmax": _softmax,
    "softplus": _softplus,
    "softsign": lambda x: x / (np.float32(1.0) + np.abs(x)),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "exponential": np.exp,
}

_OF_FRAMEWORK: dict[tuple[str, str], Function] = {
    ("leaky_relu", "keras"): _leaky(0.2),
    ("gelu", "flax"): _gelu_by_tanh,
}
