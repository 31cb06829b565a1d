"""The forward pass of every layer kind: one row each. A new kind is a row of `FORWARD` and its functions.

Products run in NumPy's BLAS in float32. Unlike the weights, what comes out is no contract: its last bits
depend on the machine.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.layers import AnyLayer, RawTensor
from lecun_cli.layers.dense import Dense, Experts
from lecun_cli.layers.embedding import Embedding
from lecun_cli.propagation import convolution, normalization, sequence
from lecun_cli.propagation.activations import Array
from lecun_cli.propagation.layer_weights import Weights
from lecun_cli.propagation.operation import Operation, blocks, box, linear, vector_operation


def _dense(layer: Dense, weights: Weights, x: Array, framework: str) -> Array:
    del layer, framework
    return linear(x, weights, "kernel", "bias")


def _experts(layer: Experts, weights: Weights, x: Array, framework: str) -> Array:
    """The samples are dealt out to the experts in turn."""
    del framework
    y = np.zeros((len(x), layer.out_features), np.float32)
    for expert in range(min(layer.num_experts, len(x))):
        samples = x[expert :: layer.num_experts]
        for first, stop in blocks(layer.out_features, layer.in_features):
            rows = weights.read("kernel", box((expert, expert + 1), (first, stop), (0, layer.in_features)))
            y[expert :: layer.num_experts, first:stop] = samples @ rows[0].T
        if "bias" in weights:
            y[expert :: layer.num_experts] += weights.rows("bias", expert, expert + 1)
    return y


def _embedding(layer: Embedding, weights: Weights, x: Array, framework: str) -> Array:
    """`x` holds token numbers, `(samples,)`; only the vectors that are asked for are made."""
    del framework
    y = np.empty((len(x), layer.embedding_dim), np.float32)
    for row, token in zip(y, x.tolist(), strict=True):
        row[...] = weights.rows("embeddings", int(token), int(token) + 1)[0]
    return y


def _matrix(layer: RawTensor, weights: Weights, x: Array, framework: str) -> Array:
    """A raw tensor of two axes that says which of them one output sums over."""
    del framework
    if _in_axis(layer) == 1:
        return linear(x, weights, "")
    height, width = layer.shape
    y = np.zeros((len(x), width), np.float32)
    for first, stop in blocks(height, width):
        y += x[:, first:stop] @ weights.rows("", first, stop)
    return y


def _in_axis(layer: RawTensor) -> int:
    return (layer.in_axes or (1,))[0] % 2


FORWARD: dict[str, Operation] = {
    "dense": vector_operation(lambda layer: layer.in_features, lambda layer: layer.out_features, _dense),
    "experts": vector_operation(lambda layer: layer.in_features, lambda layer: layer.out_features, _experts),
    "conv1d": convolution.CONV,
    "conv2d": convolution.CONV,
    "conv3d": convolution.CONV,
    "conv1d_transpose": convolution.TRANSPOSED,
    "conv2d_transpose": convolution.TRANSPOSED,
    "conv3d_transpose": convolution.TRANSPOSED,
    "depthwise_conv1d": convolution.DEPTHWISE,
    "depthwise_conv2d": convolution.DEPTHWISE,
    "separable_conv1d": convolution.SEPARABLE,
    "separable_conv2d": convolution.SEPARABLE,
    # Token numbers are no signal that a layer gives, so an embedding always begins anew.
    "embedding": Operation(
        enter=lambda *_: None,
        fresh=lambda *_: (),
        output=lambda layer, _: (layer.embedding_dim,),
        apply=_embedding,
    ),
    "simple_rnn": sequence.RECURRENT,
    "gru": sequence.RECURRENT,
    "lstm": sequence.RECURRENT,
    "bidirectional": sequence.BIDIRECTIONAL,
    "multi_head_attention": sequence.ATTENTION,
    "grouped_query_attention": sequence.ATTENTION,
    "layer_normalization": normalization.LAYER,
    "rms_normalization": normalization.RMS,
    "batch_normalization": normalization.BATCH,
    "group_normalization": normalization.GROUP,
    "p_re_lu": normalization.P_RE_LU,
    "tensor": vector_operation(
        lambda layer: layer.shape[_in_axis(layer)], lambda layer: layer.shape[1 - _in_axis(layer)], _matrix
    ),
}


def operation_of(layer_type: str, layer: AnyLayer) -> Operation | None:
    """The forward pass of a layer, or None for a raw tensor that is no matrix with a known input axis."""
    if isinstance(layer, RawTensor):
        is_matrix = layer.in_axes is not None and len(layer.in_axes) == 1 and len(layer.shape) == 2
        return FORWARD[layer_type] if is_matrix and not layer.batch_axes else None
    return FORWARD[layer_type]


def activation_of(layer: Any) -> str | None:  # noqa: ANN401 - any layer
    """The activation that a spec gives a layer, or None."""
    activation: str | None = getattr(layer, "activation", None)
    return activation
