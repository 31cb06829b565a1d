"""Keras layers without a row in `CLASSES`: EinsumDense, and layers that become raw tensors."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pydantic_core import PydanticCustomError

from lecun_cli.derive.described_model import DerivedLayer, Fields
from lecun_cli.derive.layer_fields import compact_features
from lecun_cli.derive.readers.keras_layers import KerasLayer, LayerSpec
from lecun_cli.display.text import quote
from lecun_cli.layers.einsum_dense import parse_equation

_EQUATION = re.compile(r"(\.\.\.)?([A-Za-z]*)(\.\.\.)?,([A-Za-z]+)->(\.\.\.)?([A-Za-z]*)(\.\.\.)?\Z")


@dataclass(frozen=True)
class EinsumTerms:
    """The equation of an EinsumDense layer with the sizes of its axes.

    Attributes:
        equation: The equation without spaces.
        inputs: Letters of the input.
        kernel: Letters of the kernel.
        outputs: Letters of the output.
        sizes: Size of each letter, if known.
        bias_axes: Letters of the bias, empty if the layer has no bias.
    """

    equation: str
    inputs: str
    kernel: str
    outputs: str
    sizes: dict[str, int]
    bias_axes: str


def einsum_terms(layer: KerasLayer) -> EinsumTerms:
    """Return the equation of an EinsumDense layer with the sizes of its axes.

    Raises:
        DeriveError: The equation is not valid, or the sizes of its kernel are unknown.
    """
    text = layer.config.get("equation")
    equation = text.replace(" ", "") if isinstance(text, str) else ""
    match = _EQUATION.match(equation)
    if match is None:
        raise layer.error(f"invalid equation: {quote(text)}")
    ahead, inputs, _, kernel, _, outputs, _ = match.groups()
    sizes = {c: s for c, s in zip(reversed(inputs), reversed(layer.shape()), strict=False) if s}
    if not ahead:
        sizes = {c: s for c, s in zip(inputs, layer.shape(), strict=False) if s}
    output_shape = layer.config.get("output_shape")
    shape = [output_shape] if isinstance(output_shape, int) else output_shape
    # The output shape in the config lacks the batch axis, so both are read from the end.
    for letter, size in zip(
        reversed(outputs), reversed(shape if isinstance(shape, list) else []), strict=False
    ):
        if isinstance(size, int) and size > 0:
            sizes.setdefault(letter, size)
    if not set(kernel) <= sizes.keys():
        raise layer.error(
            f"its equation {quote(equation)} and its shapes do not determine the kernel's shape"
        )
    bias_axes = layer.config.get("bias_axes") or ""
    if not isinstance(bias_axes, str) or not set(bias_axes) <= sizes.keys() & set(outputs):
        raise layer.error(f"bias_axes: expected letters of the output, got {quote(bias_axes)}")
    return EinsumTerms(equation, inputs, kernel, outputs, sizes, bias_axes)


def einsum_dense(terms: EinsumTerms) -> LayerSpec | None:
    """Return the layer of an equation, or None if `einsum_dense` does not support the equation."""
    try:
        equation = parse_equation(terms.equation)
    except PydanticCustomError:
        return None
    if not equation.summed or not equation.kept or not set(terms.bias_axes) <= set(equation.kept):
        return None
    fields: Fields = (
        ("equation", terms.equation),
        ("in_features", compact_features(tuple(terms.sizes[c] for c in equation.summed))),
        ("out_features", compact_features(tuple(terms.sizes[c] for c in equation.kept))),
        *((("bias_axes", terms.bias_axes),) if terms.bias_axes else ()),
    )
    return LayerSpec("einsum_dense", fields)


def einsum_tensors(layer: KerasLayer, terms: EinsumTerms) -> list[DerivedLayer]:
    """Return the kernel and the bias of an EinsumDense layer as raw tensors.

    The inputs are the axes of the kernel that the output lacks.
    """
    in_axes = tuple(i for i, c in enumerate(terms.kernel) if c not in terms.outputs)
    batch_axes = tuple(i for i, c in enumerate(terms.kernel) if c in terms.inputs and c in terms.outputs)
    comment = f"EinsumDense {terms.equation}"
    fields: Fields = (
        ("shape", tuple(terms.sizes[c] for c in terms.kernel)),
        ("in_axes", in_axes),
        *((("batch_axes", batch_axes),) if batch_axes else ()),
    )
    layers = [DerivedLayer("tensor", f"{layer.name}/kernel", fields, comment)]
    if terms.bias_axes:
        first = min(map(terms.outputs.index, terms.bias_axes))
        axes = [c for c in terms.outputs[first:] if c in terms.sizes]
        shape = tuple(terms.sizes[c] if c in terms.bias_axes else 1 for c in axes)
        fields = (("shape", shape), ("initializer", "zeros"))
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
