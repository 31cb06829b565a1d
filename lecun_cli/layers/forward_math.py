"""Array helpers that the forward passes of several layer types share; imported only inside them.

Products run in NumPy's BLAS in float32. Unlike the weights, the results are not part of the stream's
contract: their last bits depend on the machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, LayerWeights

MAX_WEIGHTS = 2**23
"""Maximum number of elements of a kernel in memory at once: 32 MiB of float32."""


def blocks(count: int, size: int, most: int = MAX_WEIGHTS) -> Iterator[tuple[int, int]]:
    """Yield ranges of rows that together hold at most `most` elements, but at least one row each.

    Args:
        count: Number of rows.
        size: Elements of a row.
        most: Maximum number of elements of a block.
    """
    step = max(1, most // max(1, size))
    for first in range(0, count, step):
        yield first, min(first + step, count)


def linear(x: Array, weights: LayerWeights, kernel: str, bias: str | None = None) -> Array:
    """Return `x W^T + b`, reading the kernel in blocks of rows.

    Args:
        x: `(samples, in)`.
        weights: The parameters of the layer.
        kernel: Name of the kernel, canonical: outputs first, and its last axes together are `in`.
        bias: Name of the bias; it may be missing from the weights.

    Returns:
        `(samples, out)`, the axes of the outputs merged.
    """
    shape = weights.shape(kernel)
    width = x.shape[1]
    out = np.empty((len(x), math.prod(shape) // width), np.float32)
    inner = math.prod(shape[1:]) // width
    for first, stop in blocks(shape[0], inner * width):
        rows = weights.rows(kernel, first, stop).reshape(-1, width)
        out[:, first * inner : stop * inner] = x @ rows.T
    if bias is not None:
        add_bias(out, weights, bias)
    return out


def add_bias(y: Array, weights: LayerWeights, param_name: str = "bias") -> None:
    """Add a bias to the last axis in place, if the layer has one."""
    if param_name in weights:
        y += weights.read(param_name).reshape(-1)


def sigmoid(x: Array) -> Array:
    """Return the logistic function, computed by tanh so that it does not overflow."""
    y: Array = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * x)
    return y
