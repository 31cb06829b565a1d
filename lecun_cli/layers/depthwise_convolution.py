"""Depthwise and separable convolutions over one and two axes."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypeVar

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, AnyLayerType, Layer, LayerType, Parameter
from lecun_cli.layers.convolution import (
    check_window,
    convolve,
    enter_image,
    larger_image,
    smaller_image,
    window_of,
)
from lecun_cli.layers.fields import Activation, InitializerField, Size, Sizes
from lecun_cli.layers.operation import Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class _Depthwise(Layer):
    rank: ClassVar[int]

    in_channels: Size = Field(
        description="number of channels of the input, each convolved separately", examples=[3]
    )
    kernel_size: Sizes = Field(
        description="size of the window: one for all axes, or one for each axis", examples=[3, [3, 3]]
    )
    depth_multiplier: Size = Field(
        default=1, description="number of outputs for each channel of the input", examples=[1]
    )
    bias: bool = Field(default=True, description="if true, the layer has a bias", examples=[False])
    activation: Activation | None = Field(
        default=None,
        description="the activation function; it affects propagate, not the weights",
        examples=["selu"],
    )
    depthwise_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        check_window("kernel_size", self.kernel_size, self.type, self.rank)
        return self

    @property
    def window(self) -> tuple[int, ...]:
        """Size of the window along each axis."""
        return window_of(self.kernel_size, self.rank)

    def depthwise(self, param_name: str) -> Parameter:
        """Return a kernel `(in, multiplier, 1, *window)`.

        In C order that is `(out, in / groups, *window)` with one group per channel.

        Args:
            param_name: Its name.
        """
        taps = math.prod(self.window)
        shape = (self.in_channels, self.depth_multiplier, 1, *self.window)
        return Parameter(
            param_name, shape, self.depthwise_initializer, Fans(taps, self.depth_multiplier * taps)
        )


class DepthwiseConv(_Depthwise):
    """A convolution of each channel separately: the fan-in is the size of the window."""

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (in, multiplier, 1, *window)` and `bias (in * multiplier,)`."""
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
    """A depthwise convolution, then one that mixes channels: two kernels, each with its own fan-in."""

    out_channels: Size = Field(description="number of channels of the output", examples=[64])
    pointwise_initializer: InitializerField = LECUN_NORMAL

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `depthwise_kernel`, `pointwise_kernel (out, in * multiplier, 1, ...)` and `bias (out,)`."""
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


def _convolve_channels(x: Array, weights: LayerWeights, param_name: str) -> Array:
    """Return a convolution of every channel separately, with stride 1 and without padding.

    Args:
        x: `(samples, *image, channels)`.
        weights: The parameters of the layer.
        param_name: Name of the kernel, canonical: `(channels, multiplier, 1, *window)`.

    Returns:
        `(samples, *smaller image, channels * multiplier)`.
    """
    import numpy as np

    channels, multiplier, _, *window = weights.shape(param_name)
    kernel = weights.read(param_name)[:, :, 0]
    image = smaller_image(x.shape[1:-1], tuple(window))
    y = np.zeros((len(x), *image, channels, multiplier), np.float32)
    for taps in itertools.product(*map(range, window)):
        positions = tuple(slice(t, t + n) for t, n in zip(taps, image, strict=True))
        for m in range(multiplier):
            tap: tuple[Any, ...] = (slice(None), m, *taps)
            y[..., m] += x[(slice(None), *positions)] * kernel[tap]
    return y.reshape(len(x), *image, channels * multiplier)


def _depthwise(layer: DepthwiseConv, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    from lecun_cli.layers.forward_math import add_bias

    del layer, conventions
    y = _convolve_channels(x, weights, "kernel")
    add_bias(y, weights)
    return y


def _separable(layer: SeparableConv, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    from lecun_cli.layers.forward_math import add_bias

    del layer, conventions
    y = convolve(_convolve_channels(x, weights, "depthwise_kernel"), weights, "pointwise_kernel", 1)
    add_bias(y, weights)
    return y


D = TypeVar("D", bound=_Depthwise)


def _operation(
    out_channels: Callable[[D], int], apply: Callable[[D, LayerWeights, Array, Conventions], Array]
) -> Operation[D]:
    return Operation(
        enter=lambda layer, shape, _: enter_image(layer.rank, layer.in_channels, layer.window, shape),
        fresh=lambda layer, image: (*image, layer.in_channels),
        output=lambda layer, shape: (*smaller_image(shape[:-1], layer.window), out_channels(layer)),
        apply=apply,
        before=lambda layer, image: larger_image(image, layer.window),
        rank=lambda layer: layer.rank,
    )


_DEPTHWISE = _operation(lambda layer: layer.in_channels * layer.depth_multiplier, _depthwise)
_SEPARABLE = _operation(lambda layer: layer.out_channels, _separable)

LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(DepthwiseConv1D, _DEPTHWISE),
    LayerType(DepthwiseConv2D, _DEPTHWISE),
    LayerType(SeparableConv1D, _SEPARABLE),
    LayerType(SeparableConv2D, _SEPARABLE),
)
