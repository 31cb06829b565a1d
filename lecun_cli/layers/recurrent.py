"""Recurrent layers: one kernel a gate for the input and one for the hidden state."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ONES, ZEROS, Layer, Model, Parameter
from lecun_cli.layers.fields import DTypeName, InitializerField, LayerName, Size


class Recurrent(Model):
    """What all recurrent layers share.

    Every gate is a parameter of its own, `(hidden, in)` for the input, `(hidden, hidden)` for the hidden
    state, since frameworks pack the gates in different orders, or not at all. Each kernel's fan-in is
    its own inputs.
    """

    gates: ClassVar[tuple[str, ...]] = ("",)

    type: str
    input_size: Size = Field(description="width of the input")
    hidden_size: Size = Field(description="width of the hidden state")
    num_layers: Size = Field(
        default=1, description="layers on top of each other; more than one in PyTorch only"
    )
    bias: bool = Field(default=True, description="whether there are biases")
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
        default=True, description="whether the reset gate comes after the product, as in PyTorch and Flax"
    )


class LSTMCell(Recurrent):
    """Input, forget, cell and output."""

    gates = ("input", "forget", "cell", "output")

    type: Literal["lstm"]
    unit_forget_bias: bool = Field(default=False, description="whether the forget gate's bias is one")

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
    name: LayerName = Field(description="the layer's name")
    dtype: DTypeName | None = Field(
        default=None, description="dtype of its parameters; the spec's if not given"
    )
    layer: Cell = Field(description="the layer that runs both ways: a simple_rnn, gru or lstm without a name")

    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the layer, under `forward/` and `backward/`."""
        return self.layer.cells(("forward/", "backward/"))


LAYER_TYPES = (SimpleRNN, GRU, LSTM, Bidirectional)
