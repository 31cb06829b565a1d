"""Transposed convolutions over one, two and three axes."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import Parameter
from lecun_cli.layers.convolution import Conv, check_window
from lecun_cli.layers.fields import Sizes


class ConvTranspose(Conv):
    """A transposed convolution: `kernel (groups, out / groups, in / groups, *kernel_size)`, `bias (out,)`.

    In C order that is `(out, in / groups, *kernel_size)`, as for a convolution. With a stride, an output
    is fed by only one in so many taps of the window, on average.
    """

    stride: Sizes = Field(default=(1,), description="step of the window: one size, or one for every axis")

    @model_validator(mode="after")
    def _check_stride(self) -> Self:
        check_window("stride", self.stride, self.type, self.rank)
        return self

    def parameters(self) -> tuple[Parameter, ...]:
        """`kernel (groups, out / groups, in / groups, *window)` and `bias (out_channels,)`."""
        taps = math.prod(self.window)
        steps = math.prod(self.stride * self.rank if len(self.stride) == 1 else self.stride)
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


LAYER_TYPES = (Conv1DTranspose, Conv2DTranspose, Conv3DTranspose)
