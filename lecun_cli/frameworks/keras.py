"""Keras 3: `hidden/kernel`, channels last, `(in, out)`. Names are the paths of Keras's own variables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lecun_cli.frameworks.base import FanRule, Framework, Slot, Slots, UnsupportedError, slot
from lecun_cli.frameworks.channels_last import BIAS, attention, conv, einsum
from lecun_cli.initializers.fans import Fans, Shape

if TYPE_CHECKING:
    from lecun_cli.layers.recurrent import Bidirectional, Recurrent
    from lecun_cli.layers.transposed_convolution import ConvTranspose


def compute_fans(shape: Shape) -> Fans:
    """Return the fans of `keras.initializers.compute_fans` (keras/src/initializers/random_initializers.py).

    Args:
        shape: A stored shape; from three axes on, all but the last two are the receptive field.
    """
    if not shape:
        return Fans(1, 1)
    if len(shape) == 1:
        return Fans(shape[0], shape[0])
    taps = math.prod(shape[:-2])
    return Fans(shape[-2] * taps, shape[-1] * taps)


_GAMMA_BETA = (slot("gamma", "gamma"), slot("beta", "beta"))


def _conv_transpose(layer: ConvTranspose) -> Slots:
    """Return `(*window, out, in)`: the kernel of the convolution whose gradient it is."""
    if layer.groups > 1:
        raise UnsupportedError("Keras has no transposed convolution in groups")
    window = tuple(range(3, 3 + layer.rank))
    merge = (*(1 for _ in window), 2, 1)
    return (Slot("kernel", ("kernel",), (*window, 0, 1, 2), merge=merge), BIAS)


def _depthwise(name: str, param_name: str, rank: int) -> Slot:
    """Return `(*window, in, multiplier)`, from `(in, multiplier, 1, *window)`."""
    window = tuple(range(3, 3 + rank))
    return Slot(name, (param_name,), (*window, 2, 0, 1), merge=(*(1 for _ in window[1:]), 2, 1, 1))


def _separable(rank: int) -> Slots:
    window = tuple(range(2, 2 + rank))
    return (
        _depthwise("depthwise_kernel", "depthwise_kernel", rank),
        slot("pointwise_kernel", "pointwise_kernel", (*window, 1, 0)),
        BIAS,
    )


def _recurrent(layer: Recurrent) -> Slots:
    """Return `lstm_cell/kernel (in, 4 units)`: the gates side by side, GRU's as update, reset, candidate."""
    from lecun_cli.layers.recurrent import GRUCell

    if layer.num_layers > 1:
        raise UnsupportedError("a Keras recurrent layer is one layer; write one for each of num_layers")
    kernel = Slot("kernel", layer.gated("kernel"), (1, 0), concat_axis=1)
    recurrent = Slot("recurrent_kernel", layer.gated("recurrent_kernel"), (1, 0), concat_axis=1)
    bias = Slot("bias", layer.gated("bias"))
    if isinstance(layer, GRUCell) and layer.reset_after:
        bias = Slot("bias", layer.gated("bias") + layer.gated("recurrent_bias"), fold=2)
    return tuple(cell_slot.prefixed(f"{layer.type}_cell/") for cell_slot in (kernel, recurrent, bias))


def _bidirectional(layer: Bidirectional) -> Slots:
    return tuple(
        cell_slot.prefixed(f"{way}_{layer.layer.type}/", f"{way}/")
        for way in ("forward", "backward")
        for cell_slot in _recurrent(layer.layer)
    )


KERAS = Framework(
    name="keras",
    separator="/",
    header="keras",
    # 3.15 is the first release whose EinsumDense names its axes (pull request 22789).
    fan_rules=(
        FanRule("keras", compute_fans),
        FanRule("keras-3.14", compute_fans, uses_fan_axes=False),
    ),
    epsilon={
        "layer_normalization": 1e-3,
        "rms_normalization": 1e-6,
        "batch_normalization": 1e-3,
        "group_normalization": 1e-3,
    },
    recognizer="lecun_cli.derive.recognition.keras_flax_names:KERAS",
    leaky_relu_slope=0.2,
    synonyms=("tf", "tensorflow", "tf.keras", "keras3"),
    table={
        "dense": (slot("kernel", "kernel", (1, 0)), BIAS),
        "einsum_dense": einsum,
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
