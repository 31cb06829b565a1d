"""Recognize layers by the tensor names and shapes of PyTorch: `hidden.weight (out, in)`."""

from __future__ import annotations

import re

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor
from lecun_cli.derive.layer_fields import (
    GATES,
    GROUPS_UNKNOWN,
    STRIDE_UNKNOWN,
    bidirectional_fields,
    compact_sizes,
    with_bias,
)
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.rules import Recognizer
from lecun_cli.derive.recognition.tensor_index import EMBEDDING, TensorIndex, last_name_of
from lecun_cli.initializers.fans import Shape

_TRANSPOSED = re.compile(r"transpose|deconv|up_?conv|convt", re.IGNORECASE)
_EXPERTS = re.compile(r"experts?\b", re.IGNORECASE)
_UPWARD = re.compile(r"gate|up|w1|w3|wi\b", re.IGNORECASE)
_DOWNWARD = re.compile(r"down|w2|wo\b|output", re.IGNORECASE)


def nested(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    """Return an attention or recurrent layer, or an empty tuple."""
    if index.shape(prefix, "in_proj_weight") or index.shape(prefix, "q_proj_weight"):
        return _attention(index, prefix)
    if index.shape(prefix, "weight_ih_l0"):
        return _recurrent(index, prefix)
    return ()


def direct(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    """Return a layer whose tensors are directly below its name, or an empty tuple."""
    weight, bias = index.shape(prefix, "weight"), index.shape(prefix, "bias")
    mean = index.shape(prefix, "running_mean")
    if mean is not None:
        affine: Fields = () if weight else (("scale", False), ("center", False))
        return (DerivedLayer("batch_normalization", prefix, (("features", mean[0] if mean else 1), *affine)),)
    if weight is None:
        return ()
    if len(weight) == 1:
        return (_one_axis(prefix, weight, bias),)
    if len(weight) == 2:
        return _matrix(index, prefix, weight, bias)
    if len(weight) == 3 and (_EXPERTS.search(prefix) or bias == weight[:2]):
        n, out_features, in_features = weight
        fields = (("num_experts", n), ("in_features", in_features), ("out_features", out_features))
        return (DerivedLayer("experts", prefix, with_bias(fields, bias, default=False)),)
    if 3 <= len(weight) <= 5:
        return (_convolution(prefix, weight, bias),)
    return ()


def expert_tensor(index: TensorIndex, tensor: Tensor) -> DerivedLayer | None:
    """Return a raw tensor for stacked experts that are not a layer (`experts.gate_up_proj (n, in, out)`).

    Models disagree about the order of the axes, so the input axis is the one that is as wide as the model.
    If both are, the axis is taken from the other experts.
    """
    inputs = _expert_inputs(index, tensor)
    comment = f"experts: axis {inputs} is the input, by the name and the width {index.width} of the model"
    if inputs is None and len(tensor.shape) == 3 and _EXPERTS.search(tensor.name):
        inputs = index.unanimous(_expert_inputs)
        comment = f"experts: axis {inputs} is the input, as in the other experts"
    if inputs is None:
        return None
    fields: Fields = (("in_axes", (inputs,)), ("batch_axes", (0,)))
    return raw_tensor(tensor, "torch", fields=fields, comment=comment)


def _expert_inputs(index: TensorIndex, tensor: Tensor) -> int | None:
    """Return the input axis if only one axis is as wide as the model and the name says which one it is."""
    last_name = last_name_of(tensor.name)
    if len(tensor.shape) != 3 or not _EXPERTS.search(tensor.name):
        return None
    axes = [axis for axis in (1, 2) if tensor.shape[axis] == index.width]
    if len(axes) != 1:
        return None
    if _DOWNWARD.search(last_name):
        return 3 - axes[0]
    return axes[0] if _UPWARD.search(last_name) else None


def inputs_first(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    """Return raw tensors for a dense layer that is stored as `(in, out)` (`Conv1D` of transformers)."""
    weight, bias = index.tensor(prefix, "weight"), index.tensor(prefix, "bias")
    if weight is None:
        return ()
    comment = "stored as (in, out), the transpose of torch's Linear"
    layers = [raw_tensor(weight, "torch", fields=(("in_axes", (0,)),), comment=comment)]
    if bias is not None:
        layers.append(raw_tensor(bias, "torch", fields=(("initializer", "zeros"),), comment=comment))
    return tuple(layers)


def _one_axis(prefix: str, weight: Shape, bias: Shape | None) -> DerivedLayer:
    if bias is not None:
        return DerivedLayer("layer_normalization", prefix, (("features", weight[0]),))
    if "prelu" in last_name_of(prefix).lower():
        return DerivedLayer("p_re_lu", prefix, (("shape", weight),))
    return DerivedLayer("rms_normalization", prefix, (("features", weight[0]),))


def _matrix(index: TensorIndex, prefix: str, weight: Shape, bias: Shape | None) -> tuple[DerivedLayer, ...]:
    if bias is None and EMBEDDING.search(prefix):
        fields: Fields = (("num_embeddings", weight[0]), ("embedding_dim", weight[1]))
        return (DerivedLayer("embedding", prefix, fields),)
    if bias == weight:
        return (DerivedLayer("layer_normalization", prefix, (("features", weight),)),)
    is_inputs_first = last_name_of(prefix) in index.stored_inputs_first
    if bias is not None and weight[0] != weight[1]:
        is_inputs_first = bias == weight[1:]
    if is_inputs_first:
        return inputs_first(index, prefix)
    fields = (("in_features", weight[1]), ("out_features", weight[0]))
    return (DerivedLayer("dense", prefix, with_bias(fields, bias)),)


def _convolution(prefix: str, weight: Shape, bias: Shape | None) -> DerivedLayer:
    rank = len(weight) - 2
    first, second, *taps = weight
    out = bias[0] if bias else None
    proven = out is not None and first != out and out % second == 0
    if proven or (_TRANSPOSED.search(prefix) and out in {None, second}):
        groups = (out or second) // second
        fields: Fields = (
            ("in_channels", first),
            ("out_channels", second * groups),
            ("kernel_size", compact_sizes(tuple(taps))),
            *((("groups", groups),) if groups > 1 else ()),
        )
        return DerivedLayer(f"conv{rank}d_transpose", prefix, with_bias(fields, bias), STRIDE_UNKNOWN)
    # One input channel per group and several outputs: a depthwise convolution, or the first one of a
    # model for grayscale images.
    fields = (("in_channels", second), ("out_channels", first), ("kernel_size", compact_sizes(tuple(taps))))
    unsure = GROUPS_UNKNOWN if second == 1 and first > 1 else None
    return DerivedLayer(f"conv{rank}d", prefix, with_bias(fields, bias), unsure)


def _attention(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    out = index.shape(prefix, "out_proj.weight")
    if out is None or len(out) != 2:
        return ()
    fields: Fields = (("embed_dim", out[0]), ("num_heads", 1))
    for leaf, field in (("k_proj_weight", "kdim"), ("v_proj_weight", "vdim")):
        shape = index.shape(prefix, leaf)
        if shape is not None:
            fields = (*fields, (field, shape[-1]))
    comment = "num_heads unknown: assumed to be 1; the weights do not depend on it"
    fields = with_bias(fields, index.shape(prefix, "in_proj_bias"))
    return (DerivedLayer("multi_head_attention", prefix, fields, comment),)


def _recurrent(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    inward, hidden = index.shape(prefix, "weight_ih_l0"), index.shape(prefix, "weight_hh_l0")
    if inward is None or hidden is None or len(inward) != 2 or len(hidden) != 2:
        return ()
    layer_type = next((t for t, n in GATES.items() if n == hidden[0] // hidden[1]), None)
    if layer_type is None:
        return ()
    n = 1
    while index.shape(prefix, f"weight_ih_l{n}") is not None:
        n += 1
    fields: Fields = (("input_size", inward[1]), ("hidden_size", hidden[1]))
    if n > 1:
        fields = (*fields, ("num_layers", n))
    fields = with_bias(fields, index.shape(prefix, "bias_ih_l0"))
    if index.shape(prefix, "weight_ih_l0_reverse") is not None:
        return (DerivedLayer("bidirectional", prefix, bidirectional_fields(layer_type, fields)),)
    return (DerivedLayer(layer_type, prefix, fields),)


RECOGNIZER = Recognizer(
    nested=nested,
    direct=direct,
    stray=expert_tensor,
    leaf_names=frozenset({"weight", "running_mean", "in_proj_weight", "weight_ih_l0"}),
)
