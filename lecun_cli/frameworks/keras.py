"""Keras 3: `hidden/kernel`, channels last, `(in, out)`. Paths are those of Keras's own variables."""

from __future__ import annotations

import math

from lecun_cli.frameworks.base import FanRule, Framework, Slot, Slots, UnsupportedError, slot
from lecun_cli.frameworks.channels_last import BIAS, attention, conv
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.layers import AnyLayer
from lecun_cli.layers.recurrent import Bidirectional, GRUCell, Recurrent
from lecun_cli.layers.transposed_convolution import ConvTranspose


def compute_fans(shape: Shape) -> Fans:
    """What `keras.initializers.compute_fans` gives (keras/src/initializers/random_initializers.py).

    Args:
        shape: A stored shape; from three axes on, all but the last two are the receptive field.
    """
    match shape:
        case ():
            return Fans(1, 1)
        case (n,):
            return Fans(n, n)
        case (*window, fan_in, fan_out):
            taps = math.prod(window)
            return Fans(fan_in * taps, fan_out * taps)
    raise FanError(f"keras has no fans for {shape}")


_GAMMA_BETA = (slot("gamma", "gamma"), slot("beta", "beta"))


def _conv_transpose(layer: AnyLayer) -> Slots:
    """`(*window, out, in)`: the kernel of the convolution whose gradient it is."""
    if isinstance(layer, ConvTranspose) and layer.groups > 1:
        raise UnsupportedError("Keras has no transposed convolution in groups")
    window = tuple(range(3, 3 + layer.rank)) if isinstance(layer, ConvTranspose) else ()
    merge = (*(1 for _ in window), 2, 1)
    return (Slot("kernel", ("kernel",), (*window, 0, 1, 2), merge=merge), BIAS)


def _depthwise(name: str, param_name: str, rank: int) -> Slot:
    """`(*window, in, multiplier)` from `(in, multiplier, 1, *window)`."""
    window = tuple(range(3, 3 + rank))
    return Slot(name, (param_name,), (*window, 2, 0, 1), merge=(*(1 for _ in window[1:]), 2, 1, 1))


def _separable(rank: int) -> Slots:
    window = tuple(range(2, 2 + rank))
    return (
        _depthwise("depthwise_kernel", "depthwise_kernel", rank),
        slot("pointwise_kernel", "pointwise_kernel", (*window, 1, 0)),
        BIAS,
    )


def _recurrent(layer: AnyLayer) -> Slots:
    assert isinstance(layer, Recurrent)  # noqa: S101 - the table's own promise
    return _cell(layer)


def _cell(layer: Recurrent) -> Slots:
    """`name/lstm_cell/kernel (in, 4 units)`: the gates side by side, GRU's as update, reset, candidate."""
    if layer.num_layers > 1:
        raise UnsupportedError("a Keras recurrent layer is one layer; write one for each of num_layers")
    kernel = Slot("kernel", layer.gated("kernel"), (1, 0), concat_axis=1)
    recurrent = Slot("recurrent_kernel", layer.gated("recurrent_kernel"), (1, 0), concat_axis=1)
    bias = Slot("bias", layer.gated("bias"))
    if isinstance(layer, GRUCell) and layer.reset_after:
        bias = Slot("bias", layer.gated("bias") + layer.gated("recurrent_bias"), fold=2)
    return tuple(cell_slot.prefixed(f"{layer.type}_cell/") for cell_slot in (kernel, recurrent, bias))


def _bidirectional(layer: AnyLayer) -> Slots:
    assert isinstance(layer, Bidirectional)  # noqa: S101
    return tuple(
        cell_slot.prefixed(f"{way}_{layer.layer.type}/", f"{way}/")
        for way in ("forward", "backward")
        for cell_slot in _cell(layer.layer)
    )


KERAS = Framework(
    name="keras",
    separator="/",
    header="keras",
    table={
        "dense": (slot("kernel", "kernel", (1, 0)), BIAS),
        "experts": (slot("kernel", "kernel", (0, 2, 1)), BIAS),
        "conv1d": conv(1),
        "conv2d": conv(2),
        "conv3d": conv(3),
        "conv1d_transpose": _conv_transpose,
        "conv2d_transpose": _conv_transpose,
        "conv3d_transpose": _conv_transpose,
        "depthwise_conv1d": (_depthwise("kernel", "kernel", 1), BIAS),
        "depthwise_conv2d": (_depthwise("kernel", "kernel", 2), BIAS),
        "separable_conv1d": _separable(1),
        "separable_conv2d": _separable(2),
        "embedding": (slot("embeddings", "embeddings"),),
        "simple_rnn": _recurrent,
        "gru": _recurrent,
        "lstm": _recurrent,
        "bidirectional": _bidirectional,
        "multi_head_attention": attention("attention_output"),
        "grouped_query_attention": attention("attention_output"),
        "layer_normalization": _GAMMA_BETA,
        "rms_normalization": (slot("scale", "scale"),),
        "batch_normalization": (
            *_GAMMA_BETA,
            slot("moving_mean", "moving_mean"),
            slot("moving_variance", "moving_variance"),
        ),
        "group_normalization": _GAMMA_BETA,
        "p_re_lu": (slot("alpha", "alpha"),),
    },
)

# 3.15 is the first release whose EinsumDense names its axes (pull request 22789).
RULES = (
    FanRule("keras", KERAS, compute_fans),
    FanRule("keras-3.14", KERAS, compute_fans, of_axes=False),
)
