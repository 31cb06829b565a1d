"""Recurrent layers: for each gate, one kernel for the input and one for the hidden state."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ONES, ZEROS, AnyLayerType, Layer, LayerType, Model, Parameter
from lecun_cli.layers.fields import DTypeName, InitializerField, LayerName, Size
from lecun_cli.layers.operation import vector_operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class Recurrent(Model):
    """Fields and parameters of all recurrent layers.

    Each gate is a separate parameter, `(hidden, in)` for the input and `(hidden, hidden)` for the hidden
    state, since frameworks pack the gates in different orders, or not at all. The fan-in of each kernel is
    the number of its own inputs.
    """

    gates: ClassVar[tuple[str, ...]] = ("",)

    type: str
    input_size: Size = Field(description="width of the input", examples=[64])
    hidden_size: Size = Field(description="width of the hidden state", examples=[128])
    num_layers: Size = Field(
        default=1, description="number of stacked layers; only PyTorch supports more than one", examples=[2]
    )
    bias: bool = Field(default=True, description="if true, the layer has biases", examples=[False])
    kernel_initializer: InitializerField = LECUN_NORMAL
    recurrent_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def gated(self, param_name: str) -> tuple[str, ...]:
        """Return the names of a parameter for each gate, in Keras's order."""
        return tuple(f"{param_name}_{gate}" if gate else param_name for gate in self.gates)

    def under(self, k: int) -> str:
        """Return the prefix of the parameter names of layer `k` of a stack, empty for the first."""
        return f"l{k}/" if k else ""

    def bias_of(self, gate: str) -> Initializer:
        """Return the initializer of the bias of a gate."""
        del gate
        return self.bias_initializer

    def cells(self, ways: tuple[str, ...] = ("",)) -> tuple[Parameter, ...]:
        """Return the parameters of all layers of a stack, once for each direction.

        Args:
            ways: The prefix of the parameter names of each direction.
        """
        parameters: list[Parameter] = []
        for k in range(self.num_layers):
            width = self.hidden_size * len(ways) if k else self.input_size
            for way in ways:
                under = self.under(k) + way
                parameters += [replace(p, param_name=under + p.param_name) for p in self._cell(width)]
        return tuple(parameters)

    def _cell(self, width: int) -> list[Parameter]:
        hidden = self.hidden_size
        parameters = [
            Parameter(param_name, (hidden, width), self.kernel_initializer, Fans(width, hidden))
            for param_name in self.gated("kernel")
        ]
        parameters += [
            Parameter(param_name, (hidden, hidden), self.recurrent_initializer, Fans(hidden, hidden))
            for param_name in self.gated("recurrent_kernel")
        ]
        if self.bias:
            param_names = zip(self.gates, self.gated("bias"), strict=True)
            parameters += [
                Parameter(param_name, (hidden,), self.bias_of(gate)) for gate, param_name in param_names
            ]
            # The second bias of PyTorch, and of a GRU that resets after the product.
            parameters += [
                Parameter(param_name, (hidden,), ZEROS) for param_name in self.gated("recurrent_bias")
            ]
        return parameters


class SimpleRNNCell(Recurrent):
    """A recurrent layer without gates, inside `bidirectional`."""

    type: Literal["simple_rnn"]


class GRUCell(Recurrent):
    """A gated recurrent unit inside `bidirectional`: update, reset and candidate."""

    gates = ("update", "reset", "candidate")

    type: Literal["gru"]
    reset_after: bool = Field(
        default=True,
        description="if true, the reset gate applies after the matrix product, as in PyTorch and Flax",
        examples=[True],
    )


class LSTMCell(Recurrent):
    """Long short-term memory inside `bidirectional`: input, forget, cell and output."""

    gates = ("input", "forget", "cell", "output")

    type: Literal["lstm"]
    unit_forget_bias: bool = Field(
        default=False, description="if true, the bias of the forget gate is one", examples=[True]
    )

    def bias_of(self, gate: str) -> Initializer:
        """Return ones for the forget gate if `unit_forget_bias` is true."""
        return ONES if gate == "forget" and self.unit_forget_bias else self.bias_initializer


class _Named(Layer):
    """A recurrent layer with a name."""

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel, recurrent kernel and biases for each gate of each layer."""
        if not isinstance(self, Recurrent):
            raise AssertionError("only recurrent layers inherit from this class")
        return self.cells()


class SimpleRNN(SimpleRNNCell, _Named):
    """A recurrent layer without gates: `kernel (hidden, in)`, `recurrent_kernel (hidden, hidden)`."""

    type: Literal["simple_rnn"]


class GRU(GRUCell, _Named):
    """A gated recurrent unit (Cho et al., arXiv:1406.1078): update, reset and candidate."""

    type: Literal["gru"]


class LSTM(LSTMCell, _Named):
    """Long short-term memory: input, forget, cell and output."""

    type: Literal["lstm"]


Cell = Annotated[SimpleRNNCell | GRUCell | LSTMCell, Field(discriminator="type")]


class Bidirectional(Layer):
    """A recurrent layer in both directions of the sequence, each with its own parameters."""

    type: Literal["bidirectional"]
    name: LayerName = Field(description="the layer's name", examples=["hidden", "blocks.{i}"])
    dtype: DTypeName | None = Field(
        default=None,
        description="dtype of the parameters; by default, the dtype of the spec",
        examples=["bfloat16"],
    )
    layer: Cell = Field(
        description="the layer to apply in both directions: a simple_rnn, gru or lstm without a name",
        examples=[{"type": "lstm", "input_size": 64, "hidden_size": 128}],
    )

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the parameters of the layer, under `forward/` and `backward/`."""
        return self.layer.cells(("forward/", "backward/"))


def _first_step(cell: Recurrent, weights: LayerWeights, x: Array, prefix: str) -> Array:
    """Return the output of one layer after its first step, from a hidden state of zero.

    Args:
        cell: The layer.
        weights: Its parameters.
        x: `(samples, in)`.
        prefix: The prefix of the parameter names of this layer and direction.
    """
    import numpy as np

    from lecun_cli.layers.forward_math import linear, sigmoid

    def recurrent_bias(name: str) -> Array:
        # Of the recurrent product, a hidden state of zero leaves only the bias.
        param_name = f"{prefix}recurrent_bias{name}"
        return weights.read(param_name) if param_name in weights else np.zeros((), np.float32)

    def gate(name: str) -> Array:
        return linear(x, weights, f"{prefix}kernel{name}", f"{prefix}bias{name}")

    if isinstance(cell, LSTMCell):
        input_gate, candidate, output_gate = (
            gate(name) + recurrent_bias(name) for name in ("_input", "_cell", "_output")
        )
        return np.asarray(sigmoid(output_gate) * np.tanh(sigmoid(input_gate) * np.tanh(candidate)))
    if isinstance(cell, GRUCell):
        reset = sigmoid(gate("_reset") + recurrent_bias("_reset"))
        update = sigmoid(gate("_update") + recurrent_bias("_update"))
        candidate = np.tanh(gate("_candidate") + reset * recurrent_bias("_candidate"))
        return np.asarray((np.float32(1.0) - update) * candidate)
    return np.asarray(np.tanh(gate("") + recurrent_bias("")))


def _stack(cell: Recurrent, weights: LayerWeights, x: Array, ways: tuple[str, ...]) -> Array:
    """Apply all layers of a stack, concatenating the outputs of the directions after each."""
    import numpy as np

    for k in range(cell.num_layers):
        x = np.concatenate([_first_step(cell, weights, x, cell.under(k) + way) for way in ways], axis=1)
    return x


def _recurrent(layer: Recurrent, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    del conventions
    return _stack(layer, weights, x, ("",))


def _bidirectional(layer: Bidirectional, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    del conventions
    return _stack(layer.layer, weights, x, ("forward/", "backward/"))


_NOTE = "recurrent layers take one step from a hidden state of zero"
_RECURRENT = vector_operation(
    lambda layer: layer.input_size, lambda layer: layer.hidden_size, _recurrent, note=_NOTE
)
_BIDIRECTIONAL = vector_operation(
    lambda layer: layer.layer.input_size,
    lambda layer: 2 * layer.layer.hidden_size,
    _bidirectional,
    note=_NOTE,
)

_CELLS = ("simple_rnn", "gru", "lstm")
_KERAS_CELLS = {f"{cell}_cell": "cell" for cell in _CELLS}
_KERAS_DIRECTIONS = {f"{way}_{cell}": f"{way}_layer" for way in ("forward", "backward") for cell in _CELLS}

LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(SimpleRNN, _RECURRENT, keras_attributes=_KERAS_CELLS),
    LayerType(GRU, _RECURRENT, keras_attributes=_KERAS_CELLS),
    LayerType(LSTM, _RECURRENT, keras_attributes=_KERAS_CELLS),
    LayerType(Bidirectional, _BIDIRECTIONAL, keras_attributes=_KERAS_CELLS | _KERAS_DIRECTIONS),
)
