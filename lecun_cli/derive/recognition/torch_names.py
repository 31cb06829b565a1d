"""PyTorch's names and shapes -> layers: `hidden.weight (out, in)`."""

from __future__ import annotations

import re

from lecun_cli.derive.described_model import Entry, Fields, Map, Tensor, Value
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.tensor_index import EMBEDDING, Names, word_of
from lecun_cli.initializers.fans import Shape

_TRANSPOSED = re.compile(r"transpose|deconv|up_?conv|convt", re.IGNORECASE)
_EXPERTS = re.compile(r"experts?\b", re.IGNORECASE)
_UPWARD = re.compile(r"gate|up|w1|w3|wi\b", re.IGNORECASE)
_DOWNWARD = re.compile(r"down|w2|wo\b|output", re.IGNORECASE)
_GATES = {1: "simple_rnn", 3: "gru", 4: "lstm"}


def wide(names: Names, prefix: str) -> tuple[Entry, ...]:
    """A layer of several parts: attention, or a recurrent layer."""
    if names.shape(prefix, "in_proj_weight") or names.shape(prefix, "q_proj_weight"):
        return _attention(names, prefix)
    if names.shape(prefix, "weight_ih_l0"):
        return _recurrent(names, prefix)
    return ()


def narrow(names: Names, prefix: str) -> tuple[Entry, ...]:
    """A layer whose tensors stand right under its name."""
    weight, bias = names.shape(prefix, "weight"), names.shape(prefix, "bias")
    mean = names.shape(prefix, "running_mean")
    if mean is not None:
        affine: Fields = () if weight else (("scale", False), ("center", False))
        return (Entry("batch_normalization", prefix, (("features", mean[0] if mean else 1), *affine)),)
    if weight is None:
        return ()
    if len(weight) == 1:
        return (_one_axis(prefix, weight, bias),)
    if len(weight) == 2:
        return _matrix(names, prefix, weight, bias)
    if len(weight) == 3 and (_EXPERTS.search(prefix) or bias == weight[:2]):
        n, out_features, in_features = weight
        fields = (("num_experts", n), ("in_features", in_features), ("out_features", out_features))
        return (Entry("experts", prefix, with_bias(fields, bias, default=False)),)
    if 3 <= len(weight) <= 5:
        return (_convolution(prefix, weight, bias),)
    return ()


def expert_tensor(names: Names, tensor: Tensor) -> Entry | None:
    """Stacked experts without a layer of their own (`experts.gate_up_proj (n, in, out)`).

    Their order is no rule, so the width of the model tells which axis the inputs are; where both are as
    wide, the other experts tell.
    """
    inputs = _expert_inputs(names, tensor)
    said = f"experts: axis {inputs} is the input by the name, the model's width being {names.width}"
    if inputs is None and len(tensor.shape) == 3 and _EXPERTS.search(tensor.name):
        inputs = names.unanimous(_expert_inputs)
        said = f"experts: axis {inputs} is the input, as it is of the others"
    if inputs is None:
        return None
    fields: Fields = (("in_axes", (inputs,)), ("batch_axes", (0,)))
    return raw_tensor(tensor, "torch", fields=fields, comment=said)


def _expert_inputs(names: Names, tensor: Tensor) -> int | None:
    """The axis of the inputs, where one axis alone is as wide as the model and the name says what it is."""
    word = word_of(tensor.name)
    if len(tensor.shape) != 3 or not _EXPERTS.search(tensor.name):
        return None
    axes = [axis for axis in (1, 2) if tensor.shape[axis] == names.width]
    if len(axes) != 1:
        return None
    if _DOWNWARD.search(word):
        return 3 - axes[0]
    return axes[0] if _UPWARD.search(word) else None


def inputs_first(names: Names, prefix: str) -> tuple[Entry, ...]:
    """A dense layer that is stored `(in, out)`, the Hub's `Conv1D`: its tensors as they are."""
    weight, bias = names.tensor(prefix, "weight"), names.tensor(prefix, "bias")
    if weight is None:
        return ()
    said = "stored (in, out), the transpose of torch's Linear"
    found = [raw_tensor(weight, "torch", fields=(("in_axes", (0,)),), comment=said)]
    if bias is not None:
        found.append(raw_tensor(bias, "torch", fields=(("initializer", "zeros"),), comment=said))
    return tuple(found)


def with_bias(fields: Fields, bias: object, *, default: bool = True) -> Fields:
    """Fields with `bias`, where it is not what the kind has anyway."""
    has = bias is not None and bias is not False
    return fields if has == default else (*fields, ("bias", has))


def window(shape: Shape) -> Value:
    """A kernel size: one number where all axes have the same."""
    return shape[0] if len(set(shape)) == 1 else shape


def _one_axis(prefix: str, weight: Shape, bias: Shape | None) -> Entry:
    if bias is not None:
        return Entry("layer_normalization", prefix, (("features", weight[0]),))
    if "prelu" in word_of(prefix).lower():
        return Entry("p_re_lu", prefix, (("shape", weight),))
    return Entry("rms_normalization", prefix, (("features", weight[0]),))


def _matrix(names: Names, prefix: str, weight: Shape, bias: Shape | None) -> tuple[Entry, ...]:
    if bias is None and EMBEDDING.search(prefix):
        fields: Fields = (("num_embeddings", weight[0]), ("embedding_dim", weight[1]))
        return (Entry("embedding", prefix, fields),)
    if bias == weight:
        return (Entry("layer_normalization", prefix, (("features", weight),)),)
    turned = word_of(prefix) in names.stored_inputs_first
    if bias is not None and weight[0] != weight[1]:
        turned = bias == weight[1:]
    if turned:
        return inputs_first(names, prefix)
    fields = (("in_features", weight[1]), ("out_features", weight[0]))
    return (Entry("dense", prefix, with_bias(fields, bias)),)


def _convolution(prefix: str, weight: Shape, bias: Shape | None) -> Entry:
    rank = len(weight) - 2
    first, second, *taps = weight
    out = bias[0] if bias else None
    proven = out is not None and first != out and out % second == 0
    if proven or (_TRANSPOSED.search(prefix) and out in {None, second}):
        groups = (out or second) // second
        fields: Fields = (
            ("in_channels", first),
            ("out_channels", second * groups),
            ("kernel_size", window(tuple(taps))),
            *((("groups", groups),) if groups > 1 else ()),
        )
        said = "stride unknown: 1 stands for it, and the fan-in is divided by it"
        return Entry(f"conv{rank}d_transpose", prefix, with_bias(fields, bias), said)
    # One input a group and more than one output is a depthwise convolution, or the first one of grey images.
    fields = (("in_channels", second), ("out_channels", first), ("kernel_size", window(tuple(taps))))
    unsure = "groups unknown: in_channels are those of one group" if second == 1 and first > 1 else None
    return Entry(f"conv{rank}d", prefix, with_bias(fields, bias), unsure)


def _attention(names: Names, prefix: str) -> tuple[Entry, ...]:
    out = names.shape(prefix, "out_proj.weight")
    if out is None or len(out) != 2:
        return ()
    fields: Fields = (("embed_dim", out[0]), ("num_heads", 1))
    for leaf, field in (("k_proj_weight", "kdim"), ("v_proj_weight", "vdim")):
        shape = names.shape(prefix, leaf)
        if shape is not None:
            fields = (*fields, (field, shape[-1]))
    said = "num_heads is in no file, and 1 stands for it: the weights are the same"
    fields = with_bias(fields, names.shape(prefix, "in_proj_bias"))
    return (Entry("multi_head_attention", prefix, fields, said),)


def _recurrent(names: Names, prefix: str) -> tuple[Entry, ...]:
    inward, hidden = names.shape(prefix, "weight_ih_l0"), names.shape(prefix, "weight_hh_l0")
    if inward is None or hidden is None or len(inward) != 2 or len(hidden) != 2:
        return ()
    kind = _GATES.get(hidden[0] // hidden[1])
    if kind is None:
        return ()
    n = 1
    while names.shape(prefix, f"weight_ih_l{n}") is not None:
        n += 1
    fields: Fields = (("input_size", inward[1]), ("hidden_size", hidden[1]))
    if n > 1:
        fields = (*fields, ("num_layers", n))
    fields = with_bias(fields, names.shape(prefix, "bias_ih_l0"))
    if names.shape(prefix, "weight_ih_l0_reverse") is not None:
        return (Entry("bidirectional", prefix, (("layer", Map((("type", kind), *fields))),)),)
    return (Entry(kind, prefix, fields),)
