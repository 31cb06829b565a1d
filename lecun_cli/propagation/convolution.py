"""Convolutions without padding: channels last, the window laid over the image as Keras and PyTorch lay it."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.convolution import Conv, window_of
from lecun_cli.layers.depthwise_convolution import DepthwiseConv, SeparableConv
from lecun_cli.layers.transposed_convolution import ConvTranspose
from lecun_cli.propagation.activations import Array
from lecun_cli.propagation.layer_weights import Weights
from lecun_cli.propagation.operation import AS_IT_IS, Operation, add_bias, blocks, box

_MOST_WINDOWS = 2**23
"""Elements of windows that are laid out as a matrix at once."""


def convolve(x: Array, weights: Weights, param_name: str, groups: int) -> Array:
    """A convolution of stride 1 without padding, as products of matrices.

    Args:
        x: `(samples, *image, channels)`.
        weights: The layer's.
        param_name: Its kernel, canonical: `(out, channels / groups, *window)`.
        groups: Groups of channels that are convolved apart.

    Returns:
        `(samples, *smaller image, out)`.
    """
    out, inward, *window = weights.shape(param_name)
    axes = tuple(range(1, 1 + len(window)))
    windows = np.lib.stride_tricks.sliding_window_view(
        x, window, axes
    )  # (samples, *image, channels, *window)
    positions = windows.shape[1 : 1 + len(window)]
    y = np.empty((len(x), *positions, out), np.float32)
    size = inward * math.prod(window)
    for group in range(groups):
        channels: tuple[Any, ...] = (..., slice(group * inward, (group + 1) * inward))
        group_windows = windows[channels + (slice(None),) * len(window)]
        start = group * (out // groups)
        for first, stop in blocks(out // groups, size):
            matrix = weights.rows(param_name, start + first, start + stop).reshape(stop - first, size).T
            for here in _chunks(len(x), positions, size):
                laid = group_windows[here].reshape(-1, size)
                product = (laid @ matrix).reshape(*group_windows[here].shape[: 1 + len(window)], stop - first)
                y[(*here, ..., slice(start + first, start + stop))] = product
    return y


def _chunks(samples: int, positions: Shape, size: int) -> list[tuple[slice, slice]]:
    """Ranges of samples and of the image's first axis whose windows are few enough to be laid out."""
    n_windows = math.prod(positions) * size
    chunks = []
    for a, b in blocks(samples, n_windows, _MOST_WINDOWS):
        row = n_windows // positions[0] * (b - a)
        chunks += [(slice(a, b), slice(c, d)) for c, d in blocks(positions[0], row, _MOST_WINDOWS)]
    return chunks


def convolve_depthwise(x: Array, weights: Weights, param_name: str) -> Array:
    """A convolution of every channel by itself, of stride 1 and without padding.

    Args:
        x: `(samples, *image, channels)`.
        weights: The layer's.
        param_name: Its kernel, canonical: `(channels, multiplier, 1, *window)`.

    Returns:
        `(samples, *smaller image, channels * multiplier)`.
    """
    channels, multiplier, _, *window = weights.shape(param_name)
    kernel = weights.read(param_name)[:, :, 0]
    positions = tuple(n - k + 1 for n, k in zip(x.shape[1:-1], window, strict=True))
    y = np.zeros((len(x), *positions, channels, multiplier), np.float32)
    for taps in itertools.product(*map(range, window)):
        seen = tuple(slice(t, t + n) for t, n in zip(taps, positions, strict=True))
        for m in range(multiplier):
            tap: tuple[Any, ...] = (slice(None), m, *taps)
            y[..., m] += x[(slice(None), *seen)] * kernel[tap]
    return y.reshape(len(x), *positions, channels * multiplier)


def convolve_transposed(x: Array, weights: Weights, param_name: str, stride: Shape) -> Array:
    """The gradient of a convolution without padding: every input adds the whole window to the output.

    Args:
        x: `(samples, *image, channels)`.
        weights: The layer's.
        param_name: Its kernel, canonical: `(groups, out / groups, channels / groups, *window)`.
        stride: Steps between the windows of neighbours.

    Returns:
        `(samples, *larger image, out)`, `(n - 1) * stride + window` along each axis.
    """
    groups, outward, inward, *window = weights.shape(param_name)
    image = x.shape[1:-1]
    larger = tuple((n - 1) * s + k for n, s, k in zip(image, stride, window, strict=True))
    y = np.zeros((len(x), *larger, groups * outward), np.float32)
    every = tuple((0, k) for k in window)
    for group in range(groups):
        group_input = np.ascontiguousarray(x[..., group * inward : (group + 1) * inward])
        for first, stop in blocks(outward, inward * math.prod(window)):
            kernel = weights.read(param_name, box((group, group + 1), (first, stop), (0, inward), *every))[0]
            channels = slice(group * outward + first, group * outward + stop)
            for taps in itertools.product(*map(range, window)):
                seen = tuple(
                    slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(taps, image, stride, strict=True)
                )
                tap: tuple[Any, ...] = (slice(None), slice(None), *taps)
                y[(slice(None), *seen, channels)] += group_input @ kernel[tap].T
    return y


def _enter(rank: int, channels: int, window: Shape, shape: Shape) -> str | None:
    """An image of as many axes and channels, no smaller than the window."""
    fits = len(shape) == rank + 1 and shape[-1] == channels
    return AS_IT_IS if fits and all(n >= k for n, k in zip(shape, window, strict=False)) else None


def _valid(image: Shape, window: Shape) -> Shape:
    return tuple(n - k + 1 for n, k in zip(image, window, strict=True))


def _grown(image: Shape, window: Shape) -> Shape:
    return tuple(n + k - 1 for n, k in zip(image, window, strict=True))


def _conv(layer: Conv, weights: Weights, x: Array, framework: str) -> Array:
    del framework
    y = convolve(x, weights, "kernel", layer.groups)
    add_bias(y, weights, "bias")
    return y


def _depthwise(layer: DepthwiseConv, weights: Weights, x: Array, framework: str) -> Array:
    del layer, framework
    y = convolve_depthwise(x, weights, "kernel")
    add_bias(y, weights, "bias")
    return y


def _separable(layer: SeparableConv, weights: Weights, x: Array, framework: str) -> Array:
    del layer, framework
    y = convolve(convolve_depthwise(x, weights, "depthwise_kernel"), weights, "pointwise_kernel", 1)
    add_bias(y, weights, "bias")
    return y


def _transposed(layer: ConvTranspose, weights: Weights, x: Array, framework: str) -> Array:
    del framework
    y = convolve_transposed(x, weights, "kernel", window_of(layer.stride, layer.rank))
    add_bias(y, weights, "bias")
    return y


def _window(layer: Any) -> Shape:  # noqa: ANN401 - any convolution
    return window_of(layer.kernel_size, layer.rank)


def _transposed_output(layer: ConvTranspose, shape: Shape) -> Shape:
    steps = window_of(layer.stride, layer.rank)
    image = zip(shape[:-1], steps, layer.window, strict=True)
    return (*((n - 1) * s + k for n, s, k in image), layer.out_channels)


def _transposed_before(layer: ConvTranspose, image: Shape) -> Shape:
    steps = window_of(layer.stride, layer.rank)
    return tuple(max(1, -(-(n - k) // s) + 1) for n, s, k in zip(image, steps, layer.window, strict=True))


def _fresh(layer: Any, image: Shape) -> Shape:  # noqa: ANN401
    return (*image, layer.in_channels)


CONV = Operation(
    enter=lambda layer, shape, _: _enter(layer.rank, layer.in_channels, layer.window, shape),
    fresh=_fresh,
    output=lambda layer, shape: (*_valid(shape[:-1], layer.window), layer.out_channels),
    apply=_conv,
    before=lambda layer, image: _grown(image, layer.window),
    rank=lambda layer: layer.rank,
)
TRANSPOSED = Operation(
    enter=lambda layer, shape, _: _enter(layer.rank, layer.in_channels, (1,) * layer.rank, shape),
    fresh=_fresh,
    output=_transposed_output,
    apply=_transposed,
    before=_transposed_before,
    rank=lambda layer: layer.rank,
)
DEPTHWISE = Operation(
    enter=lambda layer, shape, _: _enter(layer.rank, layer.in_channels, _window(layer), shape),
    fresh=_fresh,
    output=lambda layer, shape: (
        *_valid(shape[:-1], _window(layer)),
        layer.in_channels * layer.depth_multiplier,
    ),
    apply=_depthwise,
    before=lambda layer, image: _grown(image, _window(layer)),
    rank=lambda layer: layer.rank,
)
SEPARABLE = Operation(
    enter=DEPTHWISE.enter,
    fresh=_fresh,
    output=lambda layer, shape: (*_valid(shape[:-1], _window(layer)), layer.out_channels),
    apply=_separable,
    before=DEPTHWISE.before,
    rank=lambda layer: layer.rank,
)
