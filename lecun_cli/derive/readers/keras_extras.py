"""Raw tensors, with their fans, of Keras layers that have no layer type of their own."""

from __future__ import annotations

import re

from lecun_cli.derive.described_model import DerivedLayer, Fields
from lecun_cli.derive.readers.keras_layers import KerasLayer
from lecun_cli.display.text import quote

_EQUATION = re.compile(r"(\.\.\.)?([A-Za-z]*)(\.\.\.)?,([A-Za-z]+)->(\.\.\.)?([A-Za-z]*)(\.\.\.)?\Z")


def einsum_dense(layer: KerasLayer) -> list[DerivedLayer]:
    """Return the tensors of an EinsumDense layer; the inputs are the letters missing from its output."""
    equation = layer.config.get("equation")
    match = _EQUATION.match(equation.replace(" ", "")) if isinstance(equation, str) else None
    if match is None:
        raise layer.error(f"invalid equation: {quote(equation)}")
    ahead, inputs, _, letters, _, outputs, _ = match.groups()
    sizes = {c: s for c, s in zip(reversed(inputs), reversed(layer.shape()), strict=False) if s}
    if not ahead:
        sizes = {c: s for c, s in zip(inputs, layer.shape(), strict=False) if s}
    output_shape = layer.config.get("output_shape")
    shape = (
        [output_shape]
        if isinstance(output_shape, int)
        else output_shape
        if isinstance(output_shape, list)
        else []
    )
    # The output shape in the config lacks the batch axis, so both are read from the end.
    for letter, size in zip(reversed(outputs), reversed(shape), strict=False):
        if isinstance(size, int) and size > 0:
            sizes.setdefault(letter, size)
    if not set(letters) <= sizes.keys():
        raise layer.error(
            f"its equation {quote(equation)} and its shapes do not determine the kernel's shape"
        )
    kernel = tuple(sizes[c] for c in letters)
    axes = tuple(i for i, c in enumerate(letters) if c not in outputs)
    batch = tuple(i for i, c in enumerate(letters) if c in inputs and c in outputs)
    comment = f"EinsumDense {equation}"
    fields: Fields = (
        ("shape", kernel),
        ("in_axes", axes),
        *((("batch_axes", batch),) if batch else ()),
    )
    layers = [DerivedLayer("tensor", f"{layer.name}/kernel", fields, comment)]
    bias_axes = layer.config.get("bias_axes")
    if bias_axes is not None:
        if not isinstance(bias_axes, str) or not set(bias_axes) <= sizes.keys():
            raise layer.error(f"bias_axes: expected letters of the equation, got {quote(bias_axes)}")
        first = min(outputs.index(c) for c in bias_axes if c in outputs)
        bias = tuple(sizes[c] if c in bias_axes else 1 for c in outputs[first:] if c in sizes)
        fields = (("shape", bias), ("initializer", "zeros"))
        layers.append(DerivedLayer("tensor", f"{layer.name}/bias", fields, comment))
    return layers


def raw_layer(layer: KerasLayer) -> list[DerivedLayer] | None:
    """Return the tensors of a layer that has other weights than kernels, or None for all other classes."""
    match layer.class_name:
        case "Attention":
            return [
                _scalar(layer, name)
                for name, is_used in (
                    ("scale", layer.flag("use_scale", False)),
                    ("concat_score_weight", layer.config.get("score_mode") == "concat"),
                )
                if is_used
            ]
        case "AdditiveAttention":
            if not layer.flag("use_scale", True):
                return []
            width = layer.axis(-1)
            fields: Fields = (("shape", (width,)), ("fan_in", width))
            return [DerivedLayer("tensor", f"{layer.name}/scale", fields, "AdditiveAttention")]
        case "Normalization":
            if layer.config.get("mean") is not None:
                return []
            axis = layer.config.get("axis", -1)
            axes = axis if isinstance(axis, list) else [] if axis is None else [axis]
            shape = tuple(layer.axis(a) for a in axes if isinstance(a, int))
            comment = "Normalization: statistics of the data, set by adapt()"
            rows = (
                ("mean", shape, "zeros", None),
                ("variance", shape, "ones", None),
                ("count", (), "zeros", "int32"),
            )
            return [
                DerivedLayer(
                    "tensor", f"{layer.name}/{n}", (("shape", s), ("initializer", i)), comment, dtype
                )
                for n, s, i, dtype in rows
            ]
        case "ReversibleEmbedding":
            vocabulary, width = layer.size("input_dim"), layer.size("output_dim")
            layers = [
                DerivedLayer(
                    "embedding", layer.name, (("num_embeddings", vocabulary), ("embedding_dim", width))
                )
            ]
            if not layer.flag("tie_weights", True):
                fields = (("shape", (width, vocabulary)), ("in_axes", (0,)))
                layers.append(DerivedLayer("tensor", f"{layer.name}/reverse_embeddings", fields))
            return layers
    return None


def _scalar(layer: KerasLayer, name: str) -> DerivedLayer:
    fields: Fields = (("shape", ()), ("initializer", "ones"))
    return DerivedLayer("tensor", f"{layer.name}/{name}", fields, layer.class_name)
