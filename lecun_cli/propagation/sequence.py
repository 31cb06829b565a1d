"""Attention and recurrent layers at one position of a sequence: from a hidden state of zero."""

from __future__ import annotations

import numpy as np

from lecun_cli.layers.attention import GroupedQueryAttention, MultiHeadAttention
from lecun_cli.layers.recurrent import Bidirectional, GRUCell, LSTMCell, Recurrent
from lecun_cli.propagation.activations import ACTIVATIONS, Array
from lecun_cli.propagation.layer_weights import Weights
from lecun_cli.propagation.operation import linear, vector_operation

_sigmoid = ACTIVATIONS["sigmoid"]


def _attention(
    layer: MultiHeadAttention | GroupedQueryAttention, weights: Weights, x: Array, _: str
) -> Array:
    """One position attends to itself with weight one, so query and key have no effect."""
    values = linear(x, weights, "value/kernel", "value/bias")
    kv_heads = layer.num_kv_heads if isinstance(layer, GroupedQueryAttention) else layer.num_heads
    shared = values.reshape(len(x), kv_heads, -1).repeat(layer.num_heads // kv_heads, axis=1)
    return linear(shared.reshape(len(x), -1), weights, "output/kernel", "output/bias")


def _step(cell: Recurrent, weights: Weights, x: Array, under: str) -> Array:
    """The first step of one layer, one way."""

    def gate(name: str, *, recurrent_bias: bool = True) -> Array:
        of = f"_{name}" if name else ""
        y = linear(x, weights, f"{under}kernel{of}", f"{under}bias{of}")
        if recurrent_bias:
            y += _recurrent_bias(weights, f"{under}recurrent_bias{of}")
        return y

    if isinstance(cell, LSTMCell):
        cell_state = _sigmoid(gate("input")) * np.tanh(gate("cell"))
        return np.asarray(_sigmoid(gate("output")) * np.tanh(cell_state), np.float32)
    if isinstance(cell, GRUCell):
        # The reset gate stands before the recurrent product, of which the bias alone is left.
        recurrent = _sigmoid(gate("reset")) * _recurrent_bias(weights, f"{under}recurrent_bias_candidate")
        candidate = np.tanh(gate("candidate", recurrent_bias=False) + recurrent)
        return np.asarray((np.float32(1.0) - _sigmoid(gate("update"))) * candidate, np.float32)
    return np.asarray(np.tanh(gate("")), np.float32)


def _recurrent_bias(weights: Weights, param_name: str) -> Array:
    return weights.read(param_name) if param_name in weights else np.zeros((), np.float32)


def _layers(cell: Recurrent, weights: Weights, x: Array, ways: tuple[str, ...]) -> Array:
    """All layers on top of each other, each way beside the other."""
    for k in range(cell.num_layers):
        x = np.concatenate([_step(cell, weights, x, cell.under(k) + way) for way in ways], axis=1)
    return x


def _recurrent(layer: Recurrent, weights: Weights, x: Array, _: str) -> Array:
    return _layers(layer, weights, x, ("",))


def _bidirectional(layer: Bidirectional, weights: Weights, x: Array, _: str) -> Array:
    return _layers(layer.layer, weights, x, ("forward/", "backward/"))


def _width_of_value(layer: MultiHeadAttention | GroupedQueryAttention) -> int:
    return layer.width_of_value if isinstance(layer, MultiHeadAttention) else layer.embed_dim


ATTENTION = vector_operation(_width_of_value, lambda layer: layer.embed_dim, _attention)
RECURRENT = vector_operation(lambda layer: layer.input_size, lambda layer: layer.hidden_size, _recurrent)
BIDIRECTIONAL = vector_operation(
    lambda layer: layer.layer.input_size, lambda layer: 2 * layer.layer.hidden_size, _bidirectional
)
