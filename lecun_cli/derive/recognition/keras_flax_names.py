"""Recognize layers by the tensor names and shapes of Keras and Flax: `hidden/kernel (in, out)`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor
from lecun_cli.derive.layer_fields import (
    GATES,
    GROUPS_UNKNOWN,
    STRIDE_UNKNOWN,
    bidirectional_fields,
    compact_features,
    compact_sizes,
    with_bias,
)
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.rules import Recognizer
from lecun_cli.derive.recognition.tensor_index import TensorIndex, last_name_of
from lecun_cli.initializers.fans import Shape

_TRANSPOSED = re.compile(r"transpose|deconv|up_?conv", re.IGNORECASE)
_DEPTHWISE = re.compile(r"depthwise|(^|[_/])dw([_/]|conv|\Z)", re.IGNORECASE)
_EXPERTS = re.compile(r"expert", re.IGNORECASE)
_INWARD = re.compile(r"(^|_)(query|key|value|q|k|v)(_proj|_dense)?\Z", re.IGNORECASE)
_OUTWARD = re.compile(r"(^|_)(out|output|attention_output|o)(_proj|_dense)?\Z", re.IGNORECASE)


@dataclass(frozen=True)
class Leaves:
    """Names that a framework gives to the tensors of its layers.

    Attributes:
        output: Output projection of an attention.
        scale: Scale of a normalization.
        shift: Shift of a normalization.
        embeddings: Table of an embedding.
        slope: Slope of a PReLU.
        mean: Moving mean of a batch normalization.
        collection: Collection of the moving mean, or None if the framework has no collections.
    """

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


def nested(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    """Return an attention or recurrent layer, whose tensors are nested, or an empty tuple."""
    query = index.shape(prefix, "query/kernel")
    if query is not None and len(query) == 3:
        return _attention(index, prefix, query)
    for layer_type in GATES:
        for way, both in ((f"forward_{layer_type}/", True), ("forward_rnn/", True), ("", False)):
            fields = _recurrent(index, prefix, layer_type, way)
            if fields is not None and both:
                return (DerivedLayer("bidirectional", prefix, bidirectional_fields(layer_type, fields)),)
            if fields is not None:
                return (DerivedLayer(layer_type, prefix, fields),)
    return ()


def direct(index: TensorIndex, prefix: str) -> tuple[DerivedLayer, ...]:
    """Return a layer whose tensors are directly below its name, or an empty tuple."""
    leaves = LEAVES[index.framework.name]
    scale, shift = index.shape(prefix, leaves.scale), index.shape(prefix, leaves.shift)
    mean = index.shape(prefix, leaves.mean, leaves.collection)
    kernel, bias = index.shape(prefix, "kernel"), index.shape(prefix, "bias")
    if mean is not None:
        fields: Fields = (("features", mean[0] if mean else 1), *_affine(scale, shift))
        return (DerivedLayer("batch_normalization", prefix, fields),)
    if kernel is not None:
        return _kernel(index, prefix, kernel, bias)
    if index.shape(prefix, "depthwise_kernel") is not None:
        return _separable(index, prefix, bias)
    rms = index.shape(prefix, "scale")
    if rms is not None and shift is None:
        return (DerivedLayer("rms_normalization", prefix, (("features", compact_sizes(rms)),)),)
    normalized = scale or shift
    if normalized:
        fields = (("features", compact_features(normalized)), *_affine(scale, shift))
        return (DerivedLayer("layer_normalization", prefix, fields),)
    embeddings = index.shape(prefix, leaves.embeddings)
    if embeddings is not None and len(embeddings) == 2:
        fields = (("num_embeddings", embeddings[0]), ("embedding_dim", embeddings[1]))
        return (DerivedLayer("embedding", prefix, fields),)
    slope = index.shape(prefix, leaves.slope)
    if slope is not None:
        return (DerivedLayer("p_re_lu", prefix, (("shape", slope),)),)
    return ()


def _affine(scale: Shape | None, shift: Shape | None) -> Fields:
    scaled: Fields = () if scale is not None else (("scale", False),)
    return scaled if shift is not None else (*scaled, ("center", False))


def _kernel(index: TensorIndex, prefix: str, kernel: Shape, bias: Shape | None) -> tuple[DerivedLayer, ...]:
    last_name = last_name_of(prefix)
    if len(kernel) == 2:
        fields: Fields = (("in_features", kernel[0]), ("out_features", kernel[1]))
        return (DerivedLayer("dense", prefix, with_bias(fields, bias)),)
    if len(kernel) == 3:
        if bias == kernel[::2] or (bias is None and _EXPERTS.search(prefix)):
            n, in_features, out_features = kernel
            fields = (("num_experts", n), ("in_features", in_features), ("out_features", out_features))
            return (DerivedLayer("experts", prefix, with_bias(fields, bias, default=False)),)
        if bias == kernel[1:] or (bias is None and _INWARD.search(last_name)):
            return _projection(
                index, prefix, (0,), "attention heads, recognized by the shape: axis 0 is the input"
            )
        if _OUTWARD.search(last_name):
            comment = "output of an attention, recognized by the name: axes 0 and 1 are the input"
            return _projection(index, prefix, (0, 1), comment)
    if 3 <= len(kernel) <= 5:
        return (_convolution(index.framework.name, prefix, kernel, bias),)
    return ()


def _projection(
    index: TensorIndex, prefix: str, inputs: tuple[int, ...], comment: str
) -> tuple[DerivedLayer, ...]:
    layers = []
    for leaf, fields in (("kernel", (("in_axes", inputs),)), ("bias", (("initializer", "zeros"),))):
        tensor = index.tensor(prefix, leaf)
        if tensor is not None:
            layers.append(_raw(tensor, index.framework.name, fields, comment))
    return tuple(layers)


def _raw(tensor: Tensor, framework: str, fields: Fields, comment: str) -> DerivedLayer:
    return raw_tensor(tensor, framework, fields=fields, comment=comment)


def _convolution(framework: str, prefix: str, kernel: Shape, bias: Shape | None) -> DerivedLayer:
    *taps, first, second = kernel
    rank, size = len(taps), compact_sizes(tuple(taps))
    out = bias[0] if bias else None
    last_name = last_name_of(prefix)
    named = _TRANSPOSED.search(last_name)
    if (
        framework == "keras"
        and rank < 3
        and not named
        and (
            _DEPTHWISE.search(last_name)
            or (second == 1 and first > 1 and out in {None, first})
            or (out is not None and out == first * second != second)
        )
    ):
        fields: Fields = (("in_channels", first), ("kernel_size", size))
        if second > 1:
            fields = (*fields, ("depth_multiplier", second))
        return DerivedLayer(f"depthwise_conv{rank}d", prefix, with_bias(fields, bias))
    outputs_first = framework == "keras"  # (*window, out, in); Flax has (*window, in, out)
    if (outputs_first and out is not None and out == first != second) or named:
        channels = (second, first) if outputs_first else (first, second)
        fields = (("in_channels", channels[0]), ("out_channels", channels[1]), ("kernel_size", size))
        return DerivedLayer(f"conv{rank}d_transpose", prefix, with_bias(fields, bias), STRIDE_UNKNOWN)
    fields = (("in_channels", first), ("out_channels", second), ("kernel_size", size))
    unsure = GROUPS_UNKNOWN if first == 1 and second > 1 else None
    return DerivedLayer(f"conv{rank}d", prefix, with_bias(fields, bias), unsure)


def _separable(index: TensorIndex, prefix: str, bias: Shape | None) -> tuple[DerivedLayer, ...]:
    depthwise, pointwise = index.shape(prefix, "depthwise_kernel"), index.shape(prefix, "pointwise_kernel")
    if depthwise is None or pointwise is None or len(depthwise) not in {3, 4}:
        return ()
    *taps, channels, multiplier = depthwise
    fields: Fields = (
        ("in_channels", channels),
        ("out_channels", pointwise[-1]),
        ("kernel_size", compact_sizes(tuple(taps))),
        *((("depth_multiplier", multiplier),) if multiplier > 1 else ()),
    )
    return (DerivedLayer(f"separable_conv{len(taps)}d", prefix, with_bias(fields, bias)),)


def _attention(index: TensorIndex, prefix: str, query: Shape) -> tuple[DerivedLayer, ...]:
    key, value = index.shape(prefix, "key/kernel"), index.shape(prefix, "value/kernel")
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
    fields = with_bias(fields, index.shape(prefix, "query/bias"))
    layer_type = "multi_head_attention" if key[1] == heads else "grouped_query_attention"
    return (DerivedLayer(layer_type, prefix, fields),)


def _recurrent(index: TensorIndex, prefix: str, layer_type: str, way: str) -> Fields | None:
    if index.framework.name == "keras":
        kernel = index.shape(prefix, f"{way}{layer_type}_cell/kernel")
        hidden = index.shape(prefix, f"{way}{layer_type}_cell/recurrent_kernel")
        bias = index.shape(prefix, f"{way}{layer_type}_cell/bias")
        if kernel is None or hidden is None or len(kernel) != 2:
            return None
        fields: Fields = (("input_size", kernel[0]), ("hidden_size", kernel[1] // GATES[layer_type]))
        fields = with_bias(fields, bias)
        if layer_type == "gru" and bias is not None and len(bias) == 1:
            fields = (*fields, ("reset_after", False))
        return fields
    first = {"lstm": "ii", "gru": "ir", "simple_rnn": "i"}[layer_type]
    kernel = index.shape(prefix, f"{way}cell/{first}/kernel")
    if kernel is None or len(kernel) != 2:
        return None
    return (("input_size", kernel[0]), ("hidden_size", kernel[1]))


KERAS = Recognizer(
    nested=nested,
    direct=direct,
    leaf_names=frozenset({"kernel", "gamma", "beta", "embeddings", "moving_mean", "recurrent_kernel"}),
)
FLAX = Recognizer(nested=nested, direct=direct, leaf_names=frozenset({"kernel", "embedding", "scale"}))
