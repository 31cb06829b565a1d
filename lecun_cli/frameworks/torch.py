"""PyTorch: `hidden.weight`, channels first, `(out, in)`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lecun_cli.frameworks.base import FanRule, Framework, Slot, Slots, UnsupportedError, slot
from lecun_cli.initializers.fans import FanError, Fans, Shape

if TYPE_CHECKING:
    from lecun_cli.layers.activation import PReLU
    from lecun_cli.layers.attention import MultiHeadAttention
    from lecun_cli.layers.einsum_dense import EinsumDense
    from lecun_cli.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
    from lecun_cli.layers.recurrent import Bidirectional, Recurrent


def calculate_fans(shape: Shape) -> Fans:
    """Return the fans of `torch.nn.init._calculate_fan_in_and_fan_out` (torch/nn/init.py).

    Args:
        shape: A stored shape of two axes or more; those after the second are the receptive field.

    Raises:
        FanError: The shape has fewer than two axes, for which torch raises ValueError.
    """
    if len(shape) < 2:
        raise FanError(f"torch has no fans for a shape of fewer than two axes, {list(shape)}")
    taps = math.prod(shape[2:])
    return Fans(shape[1] * taps, shape[0] * taps)


_BIAS = slot("bias", "bias")
_WEIGHT_BIAS = (slot("weight", "kernel"), _BIAS)
_AFFINE = (slot("weight", "gamma"), slot("bias", "beta"))


def _conv_transpose(rank: int) -> Slots:
    """Return `(in, out / groups, *window)`, from `(groups, out / groups, in / groups, *window)`."""
    window = tuple(range(3, 3 + rank))
    return (Slot("weight", ("kernel",), (0, 2, 1, *window), merge=(2, 1, *(1 for _ in window))), _BIAS)


def _einsum(layer: EinsumDense) -> Slots:
    """Return `weight (out, in)` and `bias (out,)` of a Linear with merged axes; PyTorch has no such layer."""
    if layer.terms.shared:
        raise UnsupportedError("PyTorch has no layer with a kernel for each position; use experts")
    if layer.bias_axes and set(layer.bias_axes) != set(layer.terms.kept):
        raise UnsupportedError(
            "PyTorch's Linear has a bias for each output; give bias_axes all axes of the outputs"
        )
    weight = Slot("weight", ("kernel",), merge=(len(layer.out_features), len(layer.in_features)))
    if not layer.bias_axes:
        return (weight,)
    return (weight, Slot("bias", ("bias",), merge=(len(layer.bias_shape),)))


def _depthwise(rank: int, name: str = "weight", param_name: str = "kernel") -> Slot:
    """Return `(in * multiplier, 1, *window)`: a convolution with one group per channel."""
    return Slot(name, (param_name,), merge=(2, 1, *(1 for _ in range(rank))))


def _separable(rank: int) -> Slots:
    """Return a depthwise and a pointwise convolution under the layer's name; PyTorch has no such layer."""
    return (
        _depthwise(rank, "depthwise.weight", "depthwise_kernel"),
        slot("pointwise.weight", "pointwise_kernel"),
        slot("pointwise.bias", "bias"),
    )


def _recurrent(layer: Recurrent) -> Slots:
    return _stack(layer, (("", ""),))


def _bidirectional(layer: Bidirectional) -> Slots:
    return _stack(layer.layer, (("forward/", ""), ("backward/", "_reverse")))


def _stack(cell: Recurrent, ways: tuple[tuple[str, str], ...]) -> Slots:
    """Return `weight_ih_l0 (gates * hidden, in)` and the like, for all layers of a stack.

    The gates follow each other, those of a GRU as reset, update, candidate.

    Args:
        cell: The layer.
        ways: (prefix of its parameters, suffix of its slots) for each direction.
    """
    from lecun_cli.layers.recurrent import GRUCell

    if isinstance(cell, GRUCell) and not cell.reset_after:
        raise UnsupportedError("PyTorch's GRU resets after the product")
    order = ("reset", "update", "candidate") if isinstance(cell, GRUCell) else cell.gates
    slots = []
    for k in range(cell.num_layers):
        for way, suffix in ways:
            prefix = cell.under(k) + way
            for name, param_name in (
                ("weight_ih", "kernel"),
                ("weight_hh", "recurrent_kernel"),
                ("bias_ih", "bias"),
                ("bias_hh", "recurrent_bias"),
            ):
                param_names = tuple(prefix + param_name + (f"_{gate}" if gate else "") for gate in order)
                slots.append(Slot(f"{name}_l{k}{suffix}", param_names))
    return tuple(slots)


def _multi_head_attention(layer: MultiHeadAttention) -> Slots:
    """Return the slots of `torch.nn.MultiheadAttention`, which packs query, key and value of equal widths."""
    if layer.num_heads * layer.size_of_head != layer.embed_dim:
        raise UnsupportedError("PyTorch's MultiheadAttention has heads of embed_dim / num_heads")
    three = ("query", "key", "value")
    if layer.width_of_key == layer.width_of_value == layer.embed_dim:
        weights: Slots = (Slot("in_proj_weight", tuple(f"{name}/kernel" for name in three), merge=(2, 1)),)
    else:
        weights = tuple(Slot(f"{name[0]}_proj_weight", (f"{name}/kernel",), merge=(2, 1)) for name in three)
    return (
        *weights,
        Slot("in_proj_bias", tuple(f"{name}/bias" for name in three), merge=(2,)),
        Slot("out_proj.weight", ("output/kernel",), merge=(1, 2)),
        slot("out_proj.bias", "output/bias"),
    )


def _grouped_query_attention() -> Slots:
    """Return four projections with the names of decoders on the Hub; PyTorch has no such layer."""
    slots: list[Slot] = []
    for name in ("query", "key", "value"):
        slots.append(Slot(f"{name[0]}_proj.weight", (f"{name}/kernel",), merge=(2, 1)))
        slots.append(Slot(f"{name[0]}_proj.bias", (f"{name}/bias",), merge=(2,)))
    slots.append(Slot("o_proj.weight", ("output/kernel",), merge=(1, 2)))
    slots.append(slot("o_proj.bias", "output/bias"))
    return tuple(slots)


def _layer_normalization(layer: LayerNormalization) -> Slots:
    if layer.center and not layer.scale:
        raise UnsupportedError("PyTorch's LayerNorm has no shift without a scale")
    return _AFFINE


def _affine(name: str, *more: Slot) -> Callable[[BatchNormalization | GroupNormalization], Slots]:
    """Return a row with scale and shift, which PyTorch has both or not at all.

    Args:
        name: The class in PyTorch, for the message.
        more: Further slots.
    """

    def slots(layer: BatchNormalization | GroupNormalization) -> Slots:
        if layer.center != layer.scale:
            raise UnsupportedError(f"PyTorch's {name} has both scale and shift, or neither")
        return (*_AFFINE, *more)

    return slots


def _p_re_lu(layer: PReLU) -> Slots:
    """Return `weight (channels,)`, or `(1,)`: in PyTorch the channels are always axis 1 of the signal."""
    if sum(n > 1 for n in layer.shape) > 1:
        raise UnsupportedError("PyTorch's PReLU has one slope for each channel, or one for all")
    return (Slot("weight", ("alpha",), merge=(len(layer.shape),)),)


TORCH = Framework(
    name="torch",
    separator=".",
    header="pt",
    fan_rules=(FanRule("torch", calculate_fans),),
    epsilon={
        "layer_normalization": 1e-5,
        "rms_normalization": 2.0**-23,  # torch.finfo(torch.float32).eps
        "batch_normalization": 1e-5,
        "group_normalization": 1e-5,
    },
    recognizer="lecun_cli.derive.recognition.torch_names:RECOGNIZER",
    channels_first=True,
    synonyms=("pytorch", "pt", "lightning", "transformers", "huggingface"),
    table={
        "dense": _WEIGHT_BIAS,
        "einsum_dense": _einsum,
        "experts": _WEIGHT_BIAS,
        "conv1d": _WEIGHT_BIAS,
        "conv2d": _WEIGHT_BIAS,
        "conv3d": _WEIGHT_BIAS,
        "conv1d_transpose": _conv_transpose(1),
        "conv2d_transpose": _conv_transpose(2),
        "conv3d_transpose": _conv_transpose(3),
        "depthwise_conv1d": (_depthwise(1), _BIAS),
        "depthwise_conv2d": (_depthwise(2), _BIAS),
        "separable_conv1d": _separable(1),
        "separable_conv2d": _separable(2),
        "embedding": (slot("weight", "embeddings"),),
        "simple_rnn": _recurrent,
        "gru": _recurrent,
        "lstm": _recurrent,
        "bidirectional": _bidirectional,
        "multi_head_attention": _multi_head_attention,
        "grouped_query_attention": _grouped_query_attention(),
        "layer_normalization": _layer_normalization,
        "rms_normalization": (slot("weight", "scale"),),
        "batch_normalization": _affine(
            "BatchNorm",
            slot("running_mean", "moving_mean"),
            slot("running_var", "moving_variance"),
            slot("num_batches_tracked", "num_batches_tracked"),
        ),
        "group_normalization": _affine("GroupNorm"),
        "p_re_lu": _p_re_lu,
    },
)
