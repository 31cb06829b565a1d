"""Convolutions over one, two and three axes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, Parameter
from lecun_cli.layers.fields import Activation, InitializerField, Size, Sizes, field_error


def window_of(size: tuple[int, ...], rank: int) -> tuple[int, ...]:
    """One size for every axis, where one was given for all."""
    return size * rank if len(size) == 1 else size


def check_window(field: str, size: tuple[int, ...], layer_type: str, rank: int) -> None:
    """Refuse a window of the wrong number of axes."""
    if len(size) not in {1, rank}:
        raise field_error(f"{field} of {layer_type} is one size or {rank}, found {len(size)}", field=field)


class Conv(Layer):
    """A convolution: `kernel (out, in / groups, *kernel_size)`, `bias (out,)`."""

    rank: ClassVar[int]

    in_channels: Size = Field(description="channels of the input")
    out_channels: Size = Field(description="channels of the output")
    kernel_size: Sizes = Field(description="extent of the window: one size, or one for every axis")
    groups: Size = Field(default=1, description="groups of channels that are convolved apart")
    bias: bool = Field(default=True, description="whether there is a bias")
    activation: Activation | None = Field(
        default=None, description="recorded for propagate; no effect on weights"
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_window("kernel_size", self.kernel_size, self.type, self.rank)
        for field in ("in_channels", "out_channels"):
            if getattr(self, field) % self.groups:
                raise field_error(
                    f"groups divides {field}, and {getattr(self, field)} is no multiple of {self.groups}",
                    field="groups",
                )
        return self

    @property
    def window(self) -> tuple[int, ...]:
        """Extent of the kernel along each axis."""
        return window_of(self.kernel_size, self.rank)

    def parameters(self) -> tuple[Parameter, ...]:
        """`kernel (out_channels, in_channels / groups, *window)` and `bias (out_channels,)`."""
        taps = math.prod(self.window)
        fans = Fans(self.in_channels // self.groups * taps, self.out_channels // self.groups * taps)
        shape = (self.out_channels, self.in_channels // self.groups, *self.window)
        return self.with_bias(Parameter("kernel", shape, self.kernel_initializer, fans))

    def with_bias(self, kernel: Parameter) -> tuple[Parameter, ...]:
        """A kernel, and the bias if there is one."""
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


LAYER_TYPES = (Conv1D, Conv2D, Conv3D)
