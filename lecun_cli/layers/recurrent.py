"""Recurrent layers: one kernel a gate for the input and one for the hidden state."""

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
    """What all recurrent layers share.

    Every gate is a parameter of its own, `(hidden, in)` for the input, `(hidden, hidden)` for the hidden
    state, since frameworks pack the gates in different orders, or not at all. Each kernel's fan-in is
    its own inputs.
    """

    gates: ClassVar[tuple[str, ...]] = ("",)

    type: str
    input_size: Size = Field(description="width of the input", examples=[64])
    hidden_size: Size = Field(description="width of the hidden state", examples=[128])
    num_layers: Size = Field(
        default=1, description="layers on top of each other; more than one in PyTorch only", examples=[2]
    )
    bias: bool = Field(default=True, description="whether there are biases", examples=[False])
    kernel_initializer: InitializerField = LECUN_NORMAL
    recurrent_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def gated(self, param_name: str) -> tuple[str, ...]:
        """The roles of one kind of parameter, gate by gate in Keras's order."""
        return tuple(f"{param_name}_{gate}" if gate else param_name for gate in self.gates)

    def under(self, k: int) -> str:
        """What the roles of layer `k` begin with; those of the first with nothing."""
        return f"l{k}/" if k else ""

    def bias_of(self, gate: str) -> Initializer:
        """The initializer of a gate's bias."""
        del gate
        return self.bias_initializer

    def cells(self, ways: tuple[str, ...] = ("",)) -> tuple[Parameter, ...]:
        """The parameters of every layer, once for each way through the sequence."""
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
    """No gates."""

    type: Literal["simple_rnn"]


class GRUCell(Recurrent):
    """Update, reset and candidate."""

    gates = ("update", "reset", "candidate")

    type: Literal["gru"]
    reset_after: bool = Field(
        default=True,
        description="whether the reset gate comes after the product, as in PyTorch and Flax",
        examples=[True],
    )


class LSTMCell(Recurrent):
    """Input, forget, cell and output."""

    gates = ("input", "forget", "cell", "output")

    type: Literal["lstm"]
    unit_forget_bias: bool = Field(
        default=False, description="whether the forget gate's bias is one", examples=[True]
    )

    def bias_of(self, gate: str) -> Initializer:
        """Ones for the forget gate, if asked for."""
        return ONES if gate == "forget" and self.unit_forget_bias else self.bias_initializer


class _Named(Layer):
    """A recurrent layer on its own."""

    def parameters(self) -> tuple[Parameter, ...]:
        """A kernel, a recurrent kernel and biases for every gate of every layer."""
        if not isinstance(self, Recurrent):
            raise AssertionError("a recurrent layer that is none")
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
    """A recurrent layer both ways through the sequence, each with its own parameters."""

    type: Literal["bidirectional"]
    name: LayerName = Field(description="the layer's name", examples=["hidden", "blocks.{i}"])
    dtype: DTypeName | None = Field(
        default=None, description="dtype of its parameters; the spec's if not given", examples=["bfloat16"]
    )
    layer: Cell = Field(
        description="the layer that runs both ways: a simple_rnn, gru or lstm without a name",
        examples=[{"type": "lstm", "input_size": 64, "hidden_size": 128}],
    )

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the layer, under `forward/` and `backward/`."""
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

LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(SimpleRNN, _RECURRENT),
    LayerType(GRU, _RECURRENT),
    LayerType(LSTM, _RECURRENT),
    LayerType(Bidirectional, _BIDIRECTIONAL),
)
