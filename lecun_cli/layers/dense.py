"""Dense layers, alone and stacked as experts."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, Parameter
from lecun_cli.layers.fields import Activation, InitializerField, Size


class Dense(Layer):
    """A fully connected layer: `kernel (out, in)`, `bias (out,)`."""

    type: Literal["dense"]
    in_features: Size = Field(description="width of the input")
    out_features: Size = Field(description="width of the output")
    bias: bool = Field(default=True, description="whether there is a bias")
    activation: Activation | None = Field(
        default=None, description="recorded for propagate; no effect on weights"
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """`kernel (out_features, in_features)` and `bias (out_features,)`."""
        fans = Fans(self.in_features, self.out_features)
        kernel = Parameter("kernel", (self.out_features, self.in_features), self.kernel_initializer, fans)
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", (self.out_features,), self.bias_initializer))


class Experts(Layer):
    """Stacked dense layers of one shape: `kernel (num_experts, out, in)`, each with the fans of one."""

    type: Literal["experts"]
    num_experts: Size = Field(description="how many dense layers are stacked")
    in_features: Size = Field(description="width of the input of each")
    out_features: Size = Field(description="width of the output of each")
    bias: bool = Field(default=False, description="whether each has a bias")
    activation: Activation | None = Field(
        default=None, description="recorded for propagate; no effect on weights"
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """`kernel (num_experts, out_features, in_features)` and `bias (num_experts, out_features)`."""
        fans = Fans(self.in_features, self.out_features)
        shape = (self.num_experts, self.out_features, self.in_features)
        kernel = Parameter("kernel", shape, self.kernel_initializer, fans)
        if not self.bias:
            return (kernel,)
        return (kernel, Parameter("bias", shape[:2], self.bias_initializer))


LAYER_TYPES = (Dense, Experts)
