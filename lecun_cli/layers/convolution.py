"""Convolutions over one, two and three axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, AnyLayerType, Layer, LayerType, Parameter
from lecun_cli.layers.fields import Activation, InitializerField, Size, Sizes, field_error
from lecun_cli.layers.operation import AS_IS, Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


def window_of(size: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """Return the size for each axis, from one size for each or one for all."""
    return size * rank if len(size) == 1 else size


def check_window(field: str, size: tuple[int, ...], layer_type: str, rank: int) -> None:
    """Raise an error if a field has neither one size nor one for each axis."""
    if len(size) not in {1, rank}:
        expected = "one size" if rank == 1 else f"one size or {rank}"
        raise field_error(f"{field}: expected {expected} for {layer_type}, got {len(size)}", field=field)


class Conv(Layer):
    """A convolution: `kernel (out, in / groups, *kernel_size)`, `bias (out,)`."""

    rank: ClassVar[int]

    in_channels: Size = Field(description="number of channels of the input", examples=[3])
    out_channels: Size = Field(description="number of channels of the output", examples=[64])
    kernel_size: Sizes = Field(
        description="size of the window: one for all axes, or one for each axis", examples=[3, [3, 3]]
    )
    groups: Size = Field(
        default=1, description="number of groups of channels that are convolved separately", examples=[1, 8]
    )
    bias: bool = Field(default=True, description="if true, the layer has a bias", examples=[False])
    activation: Activation | None = Field(
        default=None,
        description="the activation function; it affects propagate, not the weights",
        examples=["selu"],
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_window("kernel_size", self.kernel_size, self.type, self.rank)
        for field in ("in_channels", "out_channels"):
            if getattr(self, field) % self.groups:
                raise field_error(
                    f"groups: expected a divisor of {field} = {getattr(self, field)}, got {self.groups}",
                    field="groups",
                )
        return self

    @property
    def window(self) -> tuple[int, ...]:
        """Size of the window along each axis."""
        return window_of(self.kernel_size, self.rank)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (out_channels, in_channels / groups, *window)` and `bias (out_channels,)`."""
        taps = math.prod(self.window)
        fans = Fans(self.in_channels // self.groups * taps, self.out_channels // self.groups * taps)
        shape = (self.out_channels, self.in_channels // self.groups, *self.window)
        return self.with_bias(Parameter("kernel", shape, self.kernel_initializer, fans))

    def with_bias(self, kernel: Parameter) -> tuple[Parameter, ...]:
        """Return a kernel, and the bias if the layer has one."""
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", (self.out_channels,), self.bias_initializer))


class Conv1D(Conv):
    """A convolution over one axis."""

    rank = 1
    type: Literal["conv1d"]


class Conv2D(Conv):
    """A convolution over two axes."""

    rank = 2
    type: Literal["conv2d"]


class Conv3D(Conv):
    """A convolution over three axes."""

    rank = 3
    type: Literal["conv3d"]


_MAX_WINDOW_ELEMENTS = 2**23
"""Maximum number of elements of windows that are laid out as a matrix at once."""


def convolve(x: Array, weights: LayerWeights, param_name: str, groups: int) -> Array:
    """Return a convolution with stride 1 and without padding, as products of matrices.

    Args:
        x: `(samples, *image, channels)`.
        weights: The parameters of the layer.
        param_name: Name of the kernel, canonical: `(out, channels / groups, *window)`.
        groups: Number of groups of channels that are convolved separately.

    Returns:
        `(samples, *smaller image, out)`.
    """
    import numpy as np

    from lecun_cli.layers.forward_math import blocks

    out, inward, *window = weights.shape(param_name)
    axes = tuple(range(1, 1 + len(window)))
    # (samples, *image, channels, *window)
    windows = np.lib.stride_tricks.sliding_window_view(x, window, axes)
    positions = windows.shape[1 : 1 + len(window)]
    y = np.empty((len(x), *positions, out), np.float32)
    size = inward * math.prod(window)
    for group in range(groups):
        channels: tuple[Any, ...] = (..., slice(group * inward, (group + 1) * inward))
        group_windows = windows[channels + (slice(None),) * len(window)]
        start = group * (out // groups)
        for first, stop in blocks(out // groups, size):
            matrix = weights.rows(param_name, start + first, start + stop).reshape(stop - first, size).T
            for chunk in _chunks(len(x), positions, size):
                laid_out = group_windows[chunk]
                product = laid_out.reshape(-1, size) @ matrix
                shape = (*laid_out.shape[: 1 + len(window)], stop - first)
                y[(*chunk, ..., slice(start + first, start + stop))] = product.reshape(shape)
    return y


def _chunks(samples: int, positions: Shape, size: int) -> list[tuple[slice, slice]]:
    """Return ranges of samples and of the first image axis whose windows fit into `_MAX_WINDOW_ELEMENTS`."""
    from lecun_cli.layers.forward_math import blocks

    n_elements = math.prod(positions) * size
    chunks = []
    for a, b in blocks(samples, n_elements, _MAX_WINDOW_ELEMENTS):
        row = n_elements // positions[0] * (b - a)
        chunks += [(slice(a, b), slice(c, d)) for c, d in blocks(positions[0], row, _MAX_WINDOW_ELEMENTS)]
    return chunks


def enter_image(rank: int, channels: int, window: Shape, shape: Shape) -> str | None:
    """Accept an image with the right number of axes and channels that is not smaller than the window."""
    fits = len(shape) == rank + 1 and shape[-1] == channels
    return AS_IS if fits and all(n >= k for n, k in zip(shape, window, strict=False)) else None


def smaller_image(image: Shape, window: Shape) -> Shape:
    """Return the output image of a convolution with stride 1 and without padding."""
    return tuple(n - k + 1 for n, k in zip(image, window, strict=True))


def larger_image(image: Shape, window: Shape) -> Shape:
    """Return the input image of a convolution with stride 1 and without padding, given its output image."""
    return tuple(n + k - 1 for n, k in zip(image, window, strict=True))


def _conv(layer: Conv, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    from lecun_cli.layers.forward_math import add_bias

    del conventions
    y = convolve(x, weights, "kernel", layer.groups)
    add_bias(y, weights)
    return y


_OPERATION = Operation[Conv](
    enter=lambda layer, shape, _: enter_image(layer.rank, layer.in_channels, layer.window, shape),
    fresh=lambda layer, image: (*image, layer.in_channels),
    output=lambda layer, shape: (*smaller_image(shape[:-1], layer.window), layer.out_channels),
    apply=_conv,
    before=lambda layer, image: larger_image(image, layer.window),
    rank=lambda layer: layer.rank,
)

LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(Conv1D, _OPERATION),
    LayerType(Conv2D, _OPERATION, synonyms=("conv", "convolution")),
    LayerType(Conv3D, _OPERATION),
)
