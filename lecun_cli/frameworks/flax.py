"""Flax linen: `params/hidden/kernel`, channels last, `(in, out)`; running statistics are in `batch_stats`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lecun_cli.frameworks.base import FanAxes, FanRule, Framework, Slot, Slots, UnsupportedError, slot
from lecun_cli.frameworks.channels_last import BIAS, attention, conv
from lecun_cli.initializers.fans import FanError, Fans, Shape

if TYPE_CHECKING:
    from lecun_cli.layers.activation import PReLU
    from lecun_cli.layers.einsum_dense import EinsumDense
    from lecun_cli.layers.recurrent import Bidirectional, Recurrent
    from lecun_cli.layers.transposed_convolution import ConvTranspose


def compute_fans(shape: Shape) -> Fans:
    """Return the fans that `jax.nn.initializers` compute (jax/_src/nn/initializers.py, `_compute_fans`).

    Args:
        shape: A stored shape of two axes or more; all but the last two are the receptive field.

    Raises:
        FanError: The shape has fewer than two axes, for which JAX raises ValueError.
    """
    if len(shape) < 2:
        raise FanError(f"JAX has no fans for a shape of fewer than two axes, {list(shape)}")
    taps = math.prod(shape[:-2])
    return Fans(shape[-2] * taps, shape[-1] * taps)


_SCALE_BIAS = (slot("scale", "gamma"), slot("bias", "beta"))


def _conv_transpose(layer: ConvTranspose) -> Slots:
    """Return `(*window, in, out)` with the window reversed: `transpose_kernel=False`, Flax's default."""
    if layer.groups > 1:
        raise UnsupportedError("Flax has no transposed convolution in groups")
    window = tuple(range(3, 3 + layer.rank))
    merge = (*(1 for _ in window), 1, 2)
    flip = tuple(range(layer.rank))
    return (Slot("kernel", ("kernel",), (*window, 2, 0, 1), flip=flip, merge=merge), BIAS)


def _einsum(layer: EinsumDense) -> Slots:
    """Return `kernel` in the order of its axes in the equation, and a `bias` without axes of size 1."""
    terms = layer.terms
    if layer.bias_axes and set(layer.bias_axes) != set(terms.kept):
        raise UnsupportedError(
            f'the bias of Flax\'s Einsum has all axes of the kernel that the output keeps, "{terms.kept}"'
        )
    kernel = Slot("kernel", ("kernel",), terms.stored_axes)
    if not layer.bias_axes:
        return (kernel,)
    output = terms.output[min(map(terms.output.index, terms.kept)) :]
    starts = [k for k, axis in enumerate(output) if axis in terms.kept]
    merge = tuple(b - a for a, b in zip(starts, [*starts[1:], len(output)], strict=True))
    return (kernel, Slot("bias", ("bias",), merge=merge))


def _depthwise(rank: int, name: str = "kernel", param_name: str = "kernel") -> Slot:
    """Return `(*window, 1, in * multiplier)`: a convolution with one group per channel."""
    window = tuple(range(3, 3 + rank))
    return Slot(name, (param_name,), (*window, 2, 0, 1), merge=(*(1 for _ in window), 1, 2))


def _separable(rank: int) -> Slots:
    """Return a depthwise and a pointwise convolution under the layer's name; Flax has no such layer."""
    window = tuple(range(2, 2 + rank))
    return (
        _depthwise(rank, "depthwise/kernel", "depthwise_kernel"),
        slot("pointwise/kernel", "pointwise_kernel", (*window, 1, 0)),
        slot("pointwise/bias", "bias"),
    )


# (letter of the gate in Flax, gate, bias in the input's layer, bias in the hidden state's layer)
_GATES = {
    "lstm": (
        ("i", "input", False, True),
        ("f", "forget", False, True),
        ("g", "cell", False, True),
        ("o", "output", False, True),
    ),
    "gru": (("r", "reset", True, False), ("z", "update", True, False), ("n", "candidate", True, True)),
    "simple_rnn": (("", "", True, False),),
}


def _recurrent(layer: Recurrent) -> Slots:
    """Return `cell/ii/kernel (in, units)`: dense layers of each gate for the input and the hidden state."""
    from lecun_cli.layers.recurrent import GRUCell, LSTMCell

    if layer.num_layers > 1:
        raise UnsupportedError("a Flax recurrent layer is one layer; write one for each of num_layers")
    if isinstance(layer, GRUCell) and not layer.reset_after:
        raise UnsupportedError("Flax's GRUCell resets after the product")
    if not layer.bias:
        raise UnsupportedError("Flax's recurrent layers have biases")
    slots = []
    for letter, gate, input_bias, hidden_bias in _GATES[layer.type]:
        suffix = f"_{gate}" if gate else ""
        slots.append(slot(f"cell/i{letter}/kernel", f"kernel{suffix}", (1, 0)))
        slots.append(slot(f"cell/h{letter}/kernel", f"recurrent_kernel{suffix}", (1, 0)))
        if input_bias:
            slots.append(slot(f"cell/i{letter}/bias", f"bias{suffix}"))
        if hidden_bias:
            param_name = "bias" if isinstance(layer, LSTMCell) else "recurrent_bias"
            slots.append(slot(f"cell/h{letter}/bias", f"{param_name}{suffix}"))
    return tuple(slots)


def _bidirectional(layer: Bidirectional) -> Slots:
    return tuple(
        cell_slot.prefixed(f"{way}_rnn/", f"{way}/")
        for way in ("forward", "backward")
        for cell_slot in _recurrent(layer.layer)
    )


def _p_re_lu(layer: PReLU) -> Slots:
    """Return `negative_slope ()`."""
    if math.prod(layer.shape) > 1:
        raise UnsupportedError("Flax's PReLU has one slope for all: give shape: [1]")
    return (Slot("negative_slope", ("alpha",), merge=()),)


FLAX = Framework(
    name="flax",
    separator="/",
    header="flax",
    collection="params",
    fan_rules=(FanRule("flax", compute_fans),),
    epsilon={
        "layer_normalization": 1e-6,
        "rms_normalization": 1e-6,
        "batch_normalization": 1e-5,
        "group_normalization": 1e-6,
    },
    recognizer="lecun_cli.derive.recognition.keras_flax_names:FLAX",
    gelu_by_tanh=True,
    synonyms=("jax", "linen", "nnx"),
    table={
        "dense": (slot("kernel", "kernel", (1, 0)), BIAS),
        "einsum_dense": _einsum,
        "experts": (slot("kernel", "kernel", (0, 2, 1)), BIAS),
        "conv1d": conv(1),
        "conv2d": conv(2),
        "conv3d": conv(3),
        "conv1d_transpose": _conv_transpose,
        "conv2d_transpose": _conv_transpose,
        "conv3d_transpose": _conv_transpose,
        "depthwise_conv1d": (_depthwise(1), BIAS),
        "depthwise_conv2d": (_depthwise(2), BIAS),
        "separable_conv1d": _separable(1),
        "separable_conv2d": _separable(2),
        # default_embed_init has out_axis 0, which makes both fans the width.
        "embedding": (Slot("embedding", ("embeddings",), fan_axes=FanAxes((1,), (1,))),),
        "simple_rnn": _recurrent,
        "gru": _recurrent,
        "lstm": _recurrent,
        "bidirectional": _bidirectional,
        "multi_head_attention": attention("out"),
        "grouped_query_attention": attention("out"),
        "layer_normalization": _SCALE_BIAS,
        "rms_normalization": (slot("scale", "scale"),),
        "batch_normalization": (
            *_SCALE_BIAS,
            Slot("mean", ("moving_mean",), collection="batch_stats"),
            Slot("var", ("moving_variance",), collection="batch_stats"),
        ),
        "group_normalization": _SCALE_BIAS,
        "p_re_lu": _p_re_lu,
    },
)
