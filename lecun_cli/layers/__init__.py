"""The layer kinds, by the `type` that a spec gives. A new kind is a class in a file of its family."""

from __future__ import annotations

from lecun_cli.layers import (
    activation,
    attention,
    convolution,
    dense,
    depthwise_convolution,
    embedding,
    normalization,
    recurrent,
    tensor,
    transposed_convolution,
)
from lecun_cli.layers.base import Layer, Parameter
from lecun_cli.layers.tensor import RawTensor, TensorLayer

AnyLayer = Layer | RawTensor


def _name(model: type[Layer] | type[TensorLayer]) -> str:
    (name,) = model.model_fields["type"].annotation.__args__  # type: ignore[union-attr]
    return str(name)


LAYER_TYPES: dict[str, type[Layer] | type[TensorLayer]] = {
    _name(model): model
    for family in (
        dense,
        convolution,
        transposed_convolution,
        depthwise_convolution,
        embedding,
        recurrent,
        attention,
        normalization,
        activation,
        tensor,
    )
    for model in family.LAYER_TYPES
}

__all__ = ["LAYER_TYPES", "AnyLayer", "Layer", "Parameter", "RawTensor", "TensorLayer"]
