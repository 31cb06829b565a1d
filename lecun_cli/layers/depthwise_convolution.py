"""Depthwise and separable convolutions over one and two axes."""

from __future__ import annotations

import math
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, Parameter
from lecun_cli.layers.convolution import check_window, window_of
from lecun_cli.layers.fields import Activation, InitializerField, Size, Sizes


class _Depthwise(Layer):
    rank: ClassVar[int]

    in_channels: Size = Field(description="channels of the input, each convolved by itself")
    kernel_size: Sizes = Field(description="extent of the window: one size, or one for every axis")
    depth_multiplier: Size = Field(default=1, description="outputs for each channel of the input")
    bias: bool = Field(default=True, description="whether there is a bias")
    activation: Activation | None = Field(
        default=None, description="recorded for propagate; no effect on weights"
    )
    depthwise_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_window("kernel_size", self.kernel_size, self.type, self.rank)
        return self

    def depthwise(self, param_name: str) -> Parameter:
        """`(in, multiplier, 1, *window)`: in C order `(out, in / groups, *window)` with a group a channel."""
        window = window_of(self.kernel_size, self.rank)
        taps = math.prod(window)
        shape = (self.in_channels, self.depth_multiplier, 1, *window)
        return Parameter(
            param_name, shape, self.depthwise_initializer, Fans(taps, self.depth_multiplier * taps)
        )


class DepthwiseConv(_Depthwise):
    """A convolution of every channel by itself: its fan-in is the window alone."""

    def parameters(self) -> tuple[Parameter, ...]:
        """`kernel (in, multiplier, 1, *window)` and `bias (in * multiplier,)`."""
        kernel = self.depthwise("kernel")
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", (self.in_channels * self.depth_multiplier,), self.bias_initializer))


class DepthwiseConv1D(DepthwiseConv):
    """A depthwise convolution over one axis."""

    rank = 1
    type: Literal["depthwise_conv1d"]


class DepthwiseConv2D(DepthwiseConv):
    """A depthwise convolution over two axes."""

    rank = 2
    type: Literal["depthwise_conv2d"]


class SeparableConv(_Depthwise):
    """A depthwise convolution, then one that mixes the channels: two kernels, each with its own fan-in."""

    out_channels: Size = Field(description="channels of the output")
    pointwise_initializer: InitializerField = LECUN_NORMAL

    def parameters(self) -> tuple[Parameter, ...]:
        """`depthwise_kernel`, `pointwise_kernel (out, in * multiplier, 1, ...)` and `bias (out,)`."""
        between = self.in_channels * self.depth_multiplier
        shape = (self.out_channels, between, *(1 for _ in range(self.rank)))
        pointwise = Parameter(
            "pointwise_kernel", shape, self.pointwise_initializer, Fans(between, self.out_channels)
        )
        kernels = (self.depthwise("depthwise_kernel"), pointwise)
        if not self.bias:
            return kernels
        return (*kernels, Parameter("bias", (self.out_channels,), self.bias_initializer))


class SeparableConv1D(SeparableConv):
    """A separable convolution over one axis."""

    rank = 1
    type: Literal["separable_conv1d"]


class SeparableConv2D(SeparableConv):
    """A separable convolution over two axes."""

    rank = 2
    type: Literal["separable_conv2d"]


LAYER_TYPES = (DepthwiseConv1D, DepthwiseConv2D, SeparableConv1D, SeparableConv2D)
