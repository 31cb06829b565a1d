"""Interface between a layer type and a forward pass: which signals it accepts, and what it returns.

Nothing here computes with arrays, so that importing the layers does not import NumPy. Shapes are those of
one sample with the channels last, `(*image, channels)`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from lecun_cli.initializers.fans import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[np.float32]]
    """float32, samples first, channels last."""

AS_IS = ""
"""The signal enters the layer unchanged."""
FLATTENED = "flattened"
"""The image is flattened to a vector, in the order of the framework."""
POOLED = "pooled"
"""The image is averaged over its positions."""


class LayerWeights(Protocol):
    """The parameters of one layer in their canonical layout, read on demand."""

    def __contains__(self, param_name: str) -> bool:
        """Return whether the framework stores this parameter."""

    def shape(self, param_name: str) -> Shape:
        """Return the canonical shape of a parameter."""

    def read(self, param_name: str, *ranges: tuple[int, int]) -> Array:
        """Return a parameter, or a box of it with one `(start, stop)` for each axis, as float32."""

    def rows(self, param_name: str, start: int, stop: int) -> Array:
        """Return the rows `start .. stop` of the first axis of a parameter, as float32."""


class Conventions(Protocol):
    """Facts about a framework that change the result of a forward pass (`frameworks.Framework`)."""

    @property
    def channels_first(self) -> bool:
        """If true, the framework orders an image `(channels, *image)`."""

    def epsilon_of(self, layer_type: str) -> float:
        """Return the default epsilon of a normalization layer."""


L = TypeVar("L")


@dataclass(frozen=True)
class Operation(Generic[L]):
    """The forward pass of one layer type.

    Attributes:
        enter: (layer, shape of the signal, conventions) -> how the signal enters the layer: `AS_IS`,
            `FLATTENED` or `POOLED`; None if the layer does not accept it.
        fresh: (layer, image) -> the shape of the layer's input at the start of a chain; `()` for token IDs.
        output: (layer, shape of the input) -> the shape of the output.
        apply: (layer, weights, x, conventions) -> the output before the activation. `x` is float32
            `(samples, *shape)` in C order; the result is a new array, also float32 and in C order.
        before: For layers that map an image to an image: (layer, output image) -> the smallest input image.
        rank: (layer) -> number of image axes of an input at the start of a chain.
        demands: (layer, channels, number of image axes, conventions) -> the only image with so many channels
            that the layer accepts; None if it accepts any image, or none.
        tokens: (layer) -> number of token IDs, for a layer whose input is token IDs and not a signal.
        applies_to: (layer) -> whether this layer can be part of a forward pass at all.
        note: How `propagate` simplifies the layer, as a note for the user; None if it does not.
    """

    enter: Callable[[L, Shape, Conventions], str | None]
    fresh: Callable[[L, Shape], Shape]
    output: Callable[[L, Shape], Shape]
    apply: Callable[[L, LayerWeights, Array, Conventions], Array]
    before: Callable[[L, Shape], Shape] | None = None
    rank: Callable[[L], int] = lambda _: 0
    demands: Callable[[L, int, int, Conventions], Shape | None] = lambda *_: None
    tokens: Callable[[L], int] | None = None
    applies_to: Callable[[L], bool] = lambda _: True
    note: str | None = None


def enter_as_vector(shape: Shape, width: int) -> str | None:
    """Return how a signal enters a layer that reads vectors, or None if it does not fit.

    Args:
        shape: Shape of the signal. An image is flattened if its size is `width`, and averaged over its
            positions if it has `width` channels.
        width: Number of features that the layer reads.
    """
    if shape == (width,):
        return AS_IS
    if len(shape) > 1 and math.prod(shape) == width:
        return FLATTENED
    if len(shape) > 1 and shape[-1] == width:
        return POOLED
    return None


def vector_operation(
    width: Callable[[L], int],
    out: Callable[[L], int],
    apply: Callable[[L, LayerWeights, Array, Conventions], Array],
    *,
    applies_to: Callable[[L], bool] = lambda _: True,
    note: str | None = None,
) -> Operation[L]:
    """Return the operation of a layer that maps a vector to a vector.

    Args:
        width: (layer) -> number of features that it reads.
        out: (layer) -> number of features that it returns.
        apply: As in `Operation`.
        applies_to: As in `Operation`.
        note: As in `Operation`.
    """
    return Operation(
        enter=lambda layer, shape, _: enter_as_vector(shape, width(layer)),
        fresh=lambda layer, _: (width(layer),),
        output=lambda layer, _: (out(layer),),
        apply=apply,
        demands=lambda layer, channels, rank, _: _flattens_to(width(layer), channels, rank),
        applies_to=applies_to,
        note=note,
    )


def _flattens_to(width: int, channels: int, rank: int) -> Shape | None:
    """Return the image with equal sides that flattens to `width` features, or None."""
    positions, remainder = divmod(width, channels)
    side = round(positions ** (1 / rank))
    return (side,) * rank if not remainder and side >= 1 and side**rank == positions else None
