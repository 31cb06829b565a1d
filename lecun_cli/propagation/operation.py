"""What a layer kind is to a forward pass: the signals that it takes, and what it makes of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lecun_cli.initializers.fans import Shape
from lecun_cli.propagation.activations import Array
from lecun_cli.propagation.layer_weights import Weights
from lecun_cli.tensors.boxes import Box

AS_IT_IS = ""
FLATTENED = "flattened"
POOLED = "pooled"

MOST_WEIGHTS = 2**23
"""Elements of a kernel that are in memory at once: 32 MiB of float32."""

# A layer is given as Any, for every kind has a model of its own with other fields.
Enter = Callable[[Any, Shape, str], str | None]
Apply = Callable[[Any, Weights, Array, str], Array]


@dataclass(frozen=True)
class Operation:
    """The forward pass of one layer kind. Shapes are of one sample, channels last: `(*image, channels)`.

    Attributes:
        enter: (layer, shape of what comes, framework) -> how it enters: `AS_IT_IS`, `FLATTENED` or
            `POOLED`; None where the layer does not take it.
        fresh: (layer, image) -> the shape of an input of its own.
        output: (layer, shape that entered) -> the shape of its output.
        apply: (layer, weights, x, framework) -> its output, without the activation. `x` is float32
            `(samples, *shape)` in C order, and so is what it gives, which is an array of its own.
        before: For what keeps an image an image: (layer, image behind it) -> the smallest image before it.
        rank: Axes of the image that an input of its own has.
        demands: (layer, channels, axes of the image, framework) -> the only image of so many channels that
            the layer takes, or None where it takes any, or none at all.
    """

    enter: Enter
    fresh: Callable[[Any, Shape], Shape]
    output: Callable[[Any, Shape], Shape]
    apply: Apply
    before: Callable[[Any, Shape], Shape] | None = None
    rank: Callable[[Any], int] = lambda _: 0
    demands: Callable[[Any, int, int, str], Shape | None] = lambda *_: None


def enters_as_vector(shape: Shape, width: int) -> str | None:
    """How a signal enters a layer that reads vectors: an image is flattened, or averaged over its places."""
    if shape == (width,):
        return AS_IT_IS
    if len(shape) > 1 and math.prod(shape) == width:
        return FLATTENED
    if len(shape) > 1 and shape[-1] == width:
        return POOLED
    return None


def vector_operation(width: Callable[[Any], int], out: Callable[[Any], int], apply: Apply) -> Operation:
    """The operation of a layer that makes a vector of a vector.

    Args:
        width: Features that a layer reads.
        out: Features that it gives.
        apply: As in `Operation`.
    """
    return Operation(
        enter=lambda layer, shape, _: enters_as_vector(shape, width(layer)),
        fresh=lambda layer, _: (width(layer),),
        output=lambda layer, _: (out(layer),),
        apply=apply,
        demands=lambda layer, channels, rank, _: _flattens_to(width(layer), channels, rank),
    )


def _flattens_to(width: int, channels: int, rank: int) -> Shape | None:
    """The image, as large along every axis, that flattens to so many features."""
    positions, left = divmod(width, channels)
    side = round(positions ** (1 / rank))
    return (side,) * rank if not left and side >= 1 and side**rank == positions else None


def entered(x: Array, how: str, framework: str) -> Array:
    """A signal as it enters the next layer.

    Args:
        x: `(samples, *image, channels)`.
        how: `AS_IT_IS`, `FLATTENED` (in the framework's own order: PyTorch's has the channels first) or
            `POOLED` (the average over the image).
        framework: A key of `FRAMEWORKS`.
    """
    if how == FLATTENED:
        ordered = np.moveaxis(x, -1, 1) if framework == "torch" else x
        return np.ascontiguousarray(ordered).reshape(len(x), -1)
    if how == POOLED:
        mean: Array = x.mean(axis=tuple(range(1, x.ndim - 1)), dtype=np.float64).astype(np.float32)
        return mean
    return x


def blocks(count: int, size: int, most: int = MOST_WEIGHTS) -> Iterator[tuple[int, int]]:
    """Ranges of `count` rows of `size` elements each, with at most `most` elements where a row allows it."""
    step = max(1, most // max(1, size))
    for first in range(0, count, step):
        yield first, min(first + step, count)


def linear(x: Array, weights: Weights, kernel: str, bias: str | None = None) -> Array:
    """`x W^T + b`, the kernel read in blocks of rows.

    Args:
        x: `(samples, in)`.
        weights: The layer's.
        kernel: The role of the kernel, canonical: outputs first, and its last axes together are `in`.
        bias: The role of the bias, if it may have one.

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
    add_bias(out, weights, bias)
    return out


def add_bias(y: Array, weights: Weights, param_name: str | None) -> None:
    """Add a bias to the last axis in place, if there is one."""
    if param_name is not None and param_name in weights:
        y += weights.read(param_name).reshape(-1)


def box(*ranges: tuple[int, int]) -> Box:
    """A box from the range of each axis."""
    return Box(tuple(a for a, _ in ranges), tuple(b for _, b in ranges))
