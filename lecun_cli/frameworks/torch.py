"""PyTorch: `hidden.weight`, channels first, `(out, in)`."""

from __future__ import annotations

import math
from collections.abc import Callable

from lecun_cli.frameworks.base import FanRule, Framework, Slot, Slots, UnsupportedError, slot
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.layers import AnyLayer
from lecun_cli.layers.activation import PReLU
from lecun_cli.layers.attention import MultiHeadAttention
from lecun_cli.layers.normalization import BatchNormalization, GroupNormalization, LayerNormalization
from lecun_cli.layers.recurrent import Bidirectional, GRUCell, Recurrent


def calculate_fans(shape: Shape) -> Fans:
    """What `torch.nn.init._calculate_fan_in_and_fan_out` gives (torch/nn/init.py).

    Args:
        shape: A stored shape of two axes or more; those past the second are the receptive field.

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
    """`(in, out / groups, *window)` from `(groups, out / groups, in / groups, *window)`."""
    window = tuple(range(3, 3 + rank))
    return (Slot("weight", ("kernel",), (0, 2, 1, *window), merge=(2, 1, *(1 for _ in window))), _BIAS)


def _depthwise(rank: int, name: str = "weight", param_name: str = "kernel") -> Slot:
    """`(in * multiplier, 1, *window)`: a convolution in as many groups as channels."""
    return Slot(name, (param_name,), merge=(2, 1, *(1 for _ in range(rank))))


def _separable(rank: int) -> Slots:
    """PyTorch has no such layer: a depthwise and a pointwise convolution under its name."""
    return (
        _depthwise(rank, "depthwise.weight", "depthwise_kernel"),
        slot("pointwise.weight", "pointwise_kernel"),
        slot("pointwise.bias", "bias"),
    )


def _recurrent(layer: AnyLayer) -> Slots:
    """`weight_ih_l0 (gates * hidden, in)`: the gates one after another, GRU's as reset, update, candidate."""
    bidirectional = isinstance(layer, Bidirectional)
    cell = layer.layer if isinstance(layer, Bidirectional) else layer
    assert isinstance(cell, Recurrent)  # noqa: S101 - the table's own promise
    if isinstance(cell, GRUCell) and not cell.reset_after:
        raise UnsupportedError("PyTorch's GRU resets after the product")
    order = ("reset", "update", "candidate") if isinstance(cell, GRUCell) else cell.gates
    slots = []
    for k in range(cell.num_layers):
        for way, suffix in (("forward/", ""), ("backward/", "_reverse")) if bidirectional else (("", ""),):
            under = cell.under(k) + way
            for name, param_name in (
                ("weight_ih", "kernel"),
                ("weight_hh", "recurrent_kernel"),
                ("bias_ih", "bias"),
                ("bias_hh", "recurrent_bias"),
            ):
                param_names = tuple(under + param_name + (f"_{gate}" if gate else "") for gate in order)
                slots.append(Slot(f"{name}_l{k}{suffix}", param_names))
    return tuple(slots)


def _multi_head_attention(layer: AnyLayer) -> Slots:
    """`torch.nn.MultiheadAttention`: query, key and value packed, unless their widths differ."""
    assert isinstance(layer, MultiHeadAttention)  # noqa: S101
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
    """PyTorch has no such layer: the four projections in the names of the Hub's decoders."""
    slots: list[Slot] = []
    for name in ("query", "key", "value"):
        slots.append(Slot(f"{name[0]}_proj.weight", (f"{name}/kernel",), merge=(2, 1)))
        slots.append(Slot(f"{name[0]}_proj.bias", (f"{name}/bias",), merge=(2,)))
    slots.append(Slot("o_proj.weight", ("output/kernel",), merge=(1, 2)))
    slots.append(slot("o_proj.bias", "output/bias"))
    return tuple(slots)


def _layer_normalization(layer: AnyLayer) -> Slots:
    assert isinstance(layer, LayerNormalization)  # noqa: S101
    if layer.center and not layer.scale:
        raise UnsupportedError("PyTorch's LayerNorm has no shift without a scale")
    return _AFFINE


def _pair(name: str, *more: Slot) -> Callable[[AnyLayer], Slots]:
    """Scale and shift by one switch, `affine`."""

    def slots(layer: AnyLayer) -> Slots:
        assert isinstance(layer, BatchNormalization | GroupNormalization)  # noqa: S101
        if layer.center != layer.scale:
            raise UnsupportedError(f"PyTorch's {name} has both scale and shift, or neither")
        return (*_AFFINE, *more)

    return slots


def _p_re_lu(layer: AnyLayer) -> Slots:
    """`weight (channels,)`, or `(1,)`: PyTorch itself knows which axis the channels are."""
    assert isinstance(layer, PReLU)  # noqa: S101
    if sum(n > 1 for n in layer.shape) > 1:
        raise UnsupportedError("PyTorch's PReLU has one slope for each channel, or one for all")
    return (Slot("weight", ("alpha",), merge=(len(layer.shape),)),)


TORCH = Framework(
    name="torch",
    separator=".",
    header="pt",
    table={
        "dense": _WEIGHT_BIAS,
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
        "bidirectional": _recurrent,
        "multi_head_attention": _multi_head_attention,
        "grouped_query_attention": _grouped_query_attention(),
        "layer_normalization": _layer_normalization,
        "rms_normalization": (slot("weight", "scale"),),
        "batch_normalization": _pair(
            "BatchNorm",
            slot("running_mean", "moving_mean"),
            slot("running_var", "moving_variance"),
            slot("num_batches_tracked", "num_batches_tracked"),
        ),
        "group_normalization": _pair("GroupNorm"),
        "p_re_lu": _p_re_lu,
    },
)

RULES = (FanRule("torch", TORCH, calculate_fans),)
