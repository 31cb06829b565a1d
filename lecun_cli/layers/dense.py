"""Dense layers, alone and stacked as experts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, LayerType, Parameter
from lecun_cli.layers.fields import Activation, InitializerField, Size
from lecun_cli.layers.operation import vector_operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class Dense(Layer):
    """A fully connected layer: `kernel (out, in)`, `bias (out,)`."""

    type: Literal["dense"]
    in_features: Size = Field(description="width of the input", examples=[100, "4 * d"])
    out_features: Size = Field(description="width of the output", examples=[64, "4 * d"])
    bias: bool = Field(default=True, description="if true, the layer has a bias", examples=[False])
    activation: Activation | None = Field(
        default=None,
        description="the activation function; it affects propagate, not the weights",
        examples=["selu"],
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (out_features, in_features)` and `bias (out_features,)`."""
        fans = Fans(self.in_features, self.out_features)
        kernel = Parameter("kernel", (self.out_features, self.in_features), self.kernel_initializer, fans)
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", (self.out_features,), self.bias_initializer))


class Experts(Layer):
    """Stacked dense layers of one shape: `kernel (num_experts, out, in)`, each with the fans of one."""

    type: Literal["experts"]
    num_experts: Size = Field(description="number of dense layers in the stack", examples=[8])
    in_features: Size = Field(description="width of the input of each dense layer", examples=[100, "4 * d"])
    out_features: Size = Field(description="width of the output of each dense layer", examples=[64, "4 * d"])
    bias: bool = Field(default=False, description="if true, each dense layer has a bias", examples=[False])
    activation: Activation | None = Field(
        default=None,
        description="the activation function; it affects propagate, not the weights",
        examples=["selu"],
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (num_experts, out_features, in_features)` and `bias (num_experts, out_features)`."""
        fans = Fans(self.in_features, self.out_features)
        shape = (self.num_experts, self.out_features, self.in_features)
        kernel = Parameter("kernel", shape, self.kernel_initializer, fans)
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", shape[:2], self.bias_initializer))


def _dense(layer: Dense, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    from lecun_cli.layers.forward_math import linear

    del layer, conventions
    return linear(x, weights, "kernel", "bias")


def _experts(layer: Experts, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    """Give each expert its share of the samples, in turn."""
    import numpy as np

    from lecun_cli.layers.forward_math import blocks

    del conventions
    y = np.zeros((len(x), layer.out_features), np.float32)
    for expert in range(min(layer.num_experts, len(x))):
        samples = x[expert :: layer.num_experts]
        for first, stop in blocks(layer.out_features, layer.in_features):
            rows = weights.read("kernel", (expert, expert + 1), (first, stop), (0, layer.in_features))
            y[expert :: layer.num_experts, first:stop] = samples @ rows[0].T
        if "bias" in weights:
            y[expert :: layer.num_experts] += weights.rows("bias", expert, expert + 1)
    return y


LAYER_TYPES = (
    LayerType(
        Dense,
        vector_operation(lambda layer: layer.in_features, lambda layer: layer.out_features, _dense),
        synonyms=("linear", "fc", "fully_connected"),
    ),
    LayerType(
        Experts,
        vector_operation(
            lambda layer: layer.in_features,
            lambda layer: layer.out_features,
            _experts,
            note="the samples are dealt out to the experts in turn",
        ),
        is_keras_class=False,
        synonyms=("moe",),
    ),
)
