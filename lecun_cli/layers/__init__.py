"""The registry of layer types, by the `type` that a spec gives.

A new layer type is a file here with its fields, parameters and forward pass, and its module below. Each
framework stores it by one row of its table (`frameworks/keras.py`, `torch.py`, `flax.py`).
`tests/layers/test_registry.py` names what is missing.
"""

from __future__ import annotations

from lecun_cli.layers import (
    activation,
    attention,
    convolution,
    dense,
    depthwise_convolution,
    einsum_dense,
    embedding,
    normalization,
    recurrent,
    tensor,
    transposed_convolution,
)
from lecun_cli.layers.base import AnyLayerType, Layer, LayerType, Parameter
from lecun_cli.layers.tensor import RawTensor, TensorLayer

AnyLayer = Layer | RawTensor

_FAMILIES = (
    dense,
    einsum_dense,
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

LAYER_TYPES: dict[str, AnyLayerType] = {
    layer_type.name: layer_type for family in _FAMILIES for layer_type in family.LAYER_TYPES
}
"""In the order in which the schema and messages list them."""

__all__ = ["LAYER_TYPES", "AnyLayer", "Layer", "LayerType", "Parameter", "RawTensor", "TensorLayer"]
