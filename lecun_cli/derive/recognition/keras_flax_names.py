"""Keras's and Flax's names and shapes -> layers: `hidden/kernel (in, out)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lecun_cli.derive.described_model import Entry, Fields, Map, Tensor
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.tensor_index import Names, word_of
from lecun_cli.derive.recognition.torch_names import window, with_bias
from lecun_cli.initializers.fans import Shape

_TRANSPOSED = re.compile(r"transpose|deconv|up_?conv", re.IGNORECASE)
_DEPTHWISE = re.compile(r"depthwise|(^|[_/])dw([_/]|conv|\Z)", re.IGNORECASE)
_EXPERTS = re.compile(r"expert", re.IGNORECASE)
_INWARD = re.compile(r"(^|_)(query|key|value|q|k|v)(_proj|_dense)?\Z", re.IGNORECASE)
_OUTWARD = re.compile(r"(^|_)(out|output|attention_output|o)(_proj|_dense)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Leaves:
    """What a framework calls the tensors of its layers."""

    output: str
    scale: str
    shift: str
    embeddings: str
    slope: str
    mean: str
    collection: str | None


LEAVES = {
    "keras": Leaves("attention_output", "gamma", "beta", "embeddings", "alpha", "moving_mean", None),
    "flax": Leaves("out", "scale", "bias", "embedding", "negative_slope", "mean", "batch_stats"),
}


def wide(names: Names, prefix: str) -> tuple[Entry, ...]:
    """A layer of several parts: attention, or a recurrent layer."""
    query = names.shape(prefix, "query/kernel")
    if query is not None and len(query) == 3:
        return _attention(names, prefix, query)
    for kind in ("lstm", "gru", "simple_rnn"):
        for way, both in ((f"forward_{kind}/", True), ("forward_rnn/", True), ("", False)):
            fields = _recurrent(names, prefix, kind, way)
            if fields is not None and both:
                return (Entry("bidirectional", prefix, (("layer", Map((("type", kind), *fields))),)),)
            if fields is not None:
                return (Entry(kind, prefix, fields),)
    return ()


def narrow(names: Names, prefix: str) -> tuple[Entry, ...]:
    """A layer whose tensors stand right under its name."""
    leaves = LEAVES[names.framework.name]
    scale, shift = names.shape(prefix, leaves.scale), names.shape(prefix, leaves.shift)
    mean = names.shape(prefix, leaves.mean, leaves.collection)
    kernel, bias = names.shape(prefix, "kernel"), names.shape(prefix, "bias")
    if mean is not None:
        fields: Fields = (("features", mean[0] if mean else 1), *_affine(scale, shift))
        return (Entry("batch_normalization", prefix, fields),)
    if kernel is not None:
        return _kernel(names, prefix, kernel, bias)
    if names.shape(prefix, "depthwise_kernel") is not None:
        return _separable(names, prefix, bias)
    rms = names.shape(prefix, "scale")
    if rms is not None and shift is None:
        return (Entry("rms_normalization", prefix, (("features", window(rms)),)),)
    normalised = scale or shift
    if normalised:
        features = normalised[0] if len(normalised) == 1 else normalised
        fields = (("features", features), *_affine(scale, shift))
        return (Entry("layer_normalization", prefix, fields),)
    embeddings = names.shape(prefix, leaves.embeddings)
    if embeddings is not None and len(embeddings) == 2:
        fields = (("num_embeddings", embeddings[0]), ("embedding_dim", embeddings[1]))
        return (Entry("embedding", prefix, fields),)
    slope = names.shape(prefix, leaves.slope)
    if slope is not None:
        return (Entry("p_re_lu", prefix, (("shape", slope),)),)
    return ()


def _affine(scale: Shape | None, shift: Shape | None) -> Fields:
    scaled: Fields = () if scale is not None else (("scale", False),)
    return scaled if shift is not None else (*scaled, ("center", False))


def _kernel(names: Names, prefix: str, kernel: Shape, bias: Shape | None) -> tuple[Entry, ...]:
    word = word_of(prefix)
    if len(kernel) == 2:
        fields: Fields = (("in_features", kernel[0]), ("out_features", kernel[1]))
        return (Entry("dense", prefix, with_bias(fields, bias)),)
    if len(kernel) == 3:
        if bias == kernel[::2] or (bias is None and _EXPERTS.search(prefix)):
            n, in_features, out_features = kernel
            fields = (("num_experts", n), ("in_features", in_features), ("out_features", out_features))
            return (Entry("experts", prefix, with_bias(fields, bias, default=False)),)
        if bias == kernel[1:] or (bias is None and _INWARD.search(word)):
            return _projection(
                names, prefix, (0,), "heads of an attention by their shape: axis 0 is the input"
            )
        if _OUTWARD.search(word):
            said = "the output of an attention by its name: axes 0 and 1 are the input"
            return _projection(names, prefix, (0, 1), said)
    if 3 <= len(kernel) <= 5:
        return (_convolution(names.framework.name, prefix, kernel, bias),)
    return ()


def _projection(names: Names, prefix: str, inputs: tuple[int, ...], said: str) -> tuple[Entry, ...]:
    found = []
    for leaf, fields in (("kernel", (("in_axes", inputs),)), ("bias", (("initializer", "zeros"),))):
        tensor = names.tensor(prefix, leaf)
        if tensor is not None:
            found.append(_raw(tensor, names.framework.name, fields, said))
    return tuple(found)


def _raw(tensor: Tensor, framework: str, fields: Fields, said: str) -> Entry:
    return raw_tensor(tensor, framework, fields=fields, comment=said)


def _convolution(framework: str, prefix: str, kernel: Shape, bias: Shape | None) -> Entry:
    *taps, first, second = kernel
    rank, size = len(taps), window(tuple(taps))
    out = bias[0] if bias else None
    word = word_of(prefix)
    named = _TRANSPOSED.search(word)
    if (
        framework == "keras"
        and rank < 3
        and not named
        and (
            _DEPTHWISE.search(word)
            or (second == 1 and first > 1 and out in {None, first})
            or (out is not None and out == first * second != second)
        )
    ):
        fields: Fields = (("in_channels", first), ("kernel_size", size))
        if second > 1:
            fields = (*fields, ("depth_multiplier", second))
        return Entry(f"depthwise_conv{rank}d", prefix, with_bias(fields, bias))
    turned = framework == "keras"  # (*window, out, in); Flax has (*window, in, out)
    if (turned and out is not None and out == first != second) or named:
        channels = (second, first) if turned else (first, second)
        fields = (("in_channels", channels[0]), ("out_channels", channels[1]), ("kernel_size", size))
        said = "stride unknown: 1 stands for it, and the fan-in is divided by it"
        return Entry(f"conv{rank}d_transpose", prefix, with_bias(fields, bias), said)
    fields = (("in_channels", first), ("out_channels", second), ("kernel_size", size))
    unsure = "groups unknown: in_channels are those of one group" if first == 1 and second > 1 else None
    return Entry(f"conv{rank}d", prefix, with_bias(fields, bias), unsure)


def _separable(names: Names, prefix: str, bias: Shape | None) -> tuple[Entry, ...]:
    depthwise, pointwise = names.shape(prefix, "depthwise_kernel"), names.shape(prefix, "pointwise_kernel")
    if depthwise is None or pointwise is None or len(depthwise) not in {3, 4}:
        return ()
    *taps, channels, multiplier = depthwise
    fields: Fields = (
        ("in_channels", channels),
        ("out_channels", pointwise[-1]),
        ("kernel_size", window(tuple(taps))),
        *((("depth_multiplier", multiplier),) if multiplier > 1 else ()),
    )
    return (Entry(f"separable_conv{len(taps)}d", prefix, with_bias(fields, bias)),)


def _attention(names: Names, prefix: str, query: Shape) -> tuple[Entry, ...]:
    key, value = names.shape(prefix, "key/kernel"), names.shape(prefix, "value/kernel")
    if key is None or value is None or len(key) != 3 or len(value) != 3:
        return ()
    embed, heads, head = query
    fields: Fields = (("embed_dim", embed), ("num_heads", heads))
    if key[1] != heads:
        fields = (*fields, ("num_kv_heads", key[1]))
    if heads * head != embed:
        fields = (*fields, ("head_dim", head))
    if key[1] == heads:
        fields += tuple((field, n) for field, n in (("kdim", key[0]), ("vdim", value[0])) if n != embed)
    fields = with_bias(fields, names.shape(prefix, "query/bias"))
    kind = "multi_head_attention" if key[1] == heads else "grouped_query_attention"
    return (Entry(kind, prefix, fields),)


_GATES = {"lstm": 4, "gru": 3, "simple_rnn": 1}


def _recurrent(names: Names, prefix: str, kind: str, way: str) -> Fields | None:
    if names.framework.name == "keras":
        kernel = names.shape(prefix, f"{way}{kind}_cell/kernel")
        hidden = names.shape(prefix, f"{way}{kind}_cell/recurrent_kernel")
        bias = names.shape(prefix, f"{way}{kind}_cell/bias")
        if kernel is None or hidden is None or len(kernel) != 2:
            return None
        fields: Fields = (("input_size", kernel[0]), ("hidden_size", kernel[1] // _GATES[kind]))
        fields = with_bias(fields, bias)
        if kind == "gru" and bias is not None and len(bias) == 1:
            fields = (*fields, ("reset_after", False))
        return fields
    first = {"lstm": "ii", "gru": "ir", "simple_rnn": "i"}[kind]
    kernel = names.shape(prefix, f"{way}cell/{first}/kernel")
    if kernel is None or len(kernel) != 2:
        return None
    return (("input_size", kernel[0]), ("hidden_size", kernel[1]))
