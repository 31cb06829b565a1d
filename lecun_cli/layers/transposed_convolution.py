"""Transposed convolutions over one, two and three axes."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.base import AnyLayerType, LayerType, Parameter
from lecun_cli.layers.convolution import Conv, check_window, enter_image, window_of
from lecun_cli.layers.fields import Sizes
from lecun_cli.layers.operation import Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class ConvTranspose(Conv):
    """A transposed convolution: `kernel (groups, out / groups, in / groups, *kernel_size)`, `bias (out,)`.

    In C order that is `(out, in / groups, *kernel_size)`, as for a convolution. With a stride s, on average
    only one in s taps of the window along each axis feeds an output.
    """

    stride: Sizes = Field(
        default=(1,),
        description="step of the window: one for all axes, or one for each axis",
        examples=[2, [2, 2]],
    )

    @model_validator(mode="after")
    def _check_stride(self) -> Self:
        check_window("stride", self.stride, self.type, self.rank)
        return self

    @property
    def steps(self) -> tuple[int, ...]:
        """Step of the window along each axis."""
        return window_of(self.stride, self.rank)

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (groups, out / groups, in / groups, *window)` and `bias (out_channels,)`."""
        taps = math.prod(self.window)
        steps = math.prod(self.steps)
        inward, outward = self.in_channels // self.groups, self.out_channels // self.groups
        fan_in = Fraction(inward * taps, steps)
        fans = Fans(int(fan_in) if fan_in.denominator == 1 else float(fan_in), outward * taps)
        shape = (self.groups, outward, inward, *self.window)
        return self.with_bias(Parameter("kernel", shape, self.kernel_initializer, fans))


class Conv1DTranspose(ConvTranspose):
    """A transposed convolution over one axis."""

    rank = 1
    type: Literal["conv1d_transpose"]


class Conv2DTranspose(ConvTranspose):
    """A transposed convolution over two axes."""

    rank = 2
    type: Literal["conv2d_transpose"]


class Conv3DTranspose(ConvTranspose):
    """A transposed convolution over three axes."""

    rank = 3
    type: Literal["conv3d_transpose"]


def _conv_transpose(layer: ConvTranspose, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    """Add, for every position of `x (samples, *image, channels)`, the whole window to the output.

    That is the gradient of a convolution without padding; the output image has
    `(n - 1) * stride + window` positions along each axis.
    """
    import numpy as np

    from lecun_cli.layers.forward_math import add_bias, blocks

    del conventions
    groups, outward, inward, *window = weights.shape("kernel")
    image = x.shape[1:-1]
    larger = tuple((n - 1) * s + k for n, s, k in zip(image, layer.steps, window, strict=True))
    y = np.zeros((len(x), *larger, groups * outward), np.float32)
    whole_window = tuple((0, k) for k in window)
    for group in range(groups):
        group_input = np.ascontiguousarray(x[..., group * inward : (group + 1) * inward])
        for first, stop in blocks(outward, inward * math.prod(window)):
            ranges = ((group, group + 1), (first, stop), (0, inward), *whole_window)
            kernel = weights.read("kernel", *ranges)[0]
            channels = slice(group * outward + first, group * outward + stop)
            for taps in itertools.product(*map(range, window)):
                positions = tuple(
                    slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(taps, image, layer.steps, strict=True)
                )
                tap: tuple[Any, ...] = (slice(None), slice(None), *taps)
                y[(slice(None), *positions, channels)] += group_input @ kernel[tap].T
    add_bias(y, weights)
    return y


def _output(layer: ConvTranspose, shape: Shape) -> Shape:
    image = zip(shape[:-1], layer.steps, layer.window, strict=True)
    return (*((n - 1) * s + k for n, s, k in image), layer.out_channels)


def _before(layer: ConvTranspose, image: Shape) -> Shape:
    axes = zip(image, layer.steps, layer.window, strict=True)
    return tuple(max(1, -(-(n - k) // s) + 1) for n, s, k in axes)


_OPERATION = Operation[ConvTranspose](
    enter=lambda layer, shape, _: enter_image(layer.rank, layer.in_channels, (1,) * layer.rank, shape),
    fresh=lambda layer, image: (*image, layer.in_channels),
    output=_output,
    apply=_conv_transpose,
    before=_before,
    rank=lambda layer: layer.rank,
)

LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(Conv1DTranspose, _OPERATION),
    LayerType(Conv2DTranspose, _OPERATION),
    LayerType(Conv3DTranspose, _OPERATION),
)
