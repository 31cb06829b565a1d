"""Attention: projections to heads and back. The fan-in of each is the width of its input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, LayerType, Parameter
from lecun_cli.layers.fields import InitializerField, Size, field_error
from lecun_cli.layers.operation import vector_operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class _Attention(Layer):
    embed_dim: Size = Field(description="width of the query and of the output", examples=[512, "d"])
    num_heads: Size = Field(description="number of heads of the query", examples=[12, "heads"])
    head_dim: Size | None = Field(
        default=None,
        description="width of a head; by default, embed_dim / num_heads",
        examples=[64, "d // heads"],
    )
    bias: bool = Field(default=True, description="if true, the projections have biases", examples=[False])
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.head_dim is None and self.embed_dim % self.num_heads:
            raise field_error(
                f"num_heads: expected a divisor of embed_dim = {self.embed_dim}, got {self.num_heads}",
                "change one of them, or give head_dim",
                field="num_heads",
            )
        return self

    @property
    def size_of_head(self) -> int:
        """Width of a head."""
        return self.head_dim or self.embed_dim // self.num_heads

    def _projections(self, heads: dict[str, int], widths: dict[str, int]) -> tuple[Parameter, ...]:
        """Return the kernels and biases of query, key, value and output.

        Args:
            heads: Number of heads by name: `query/kernel (heads, head, in)`, and the same for key and value.
            widths: Width of the input by name.

        Returns:
            These, and `output/kernel (out, heads, head)`.
        """
        head = self.size_of_head
        parameters: list[Parameter] = []
        for name, count in heads.items():
            fans = Fans(widths[name], count * head)
            parameters.append(
                Parameter(f"{name}/kernel", (count, head, widths[name]), self.kernel_initializer, fans)
            )
            if self.bias:
                parameters.append(Parameter(f"{name}/bias", (count, head), self.bias_initializer))
        inner = self.num_heads * head
        shape = (self.embed_dim, self.num_heads, head)
        parameters.append(
            Parameter("output/kernel", shape, self.kernel_initializer, Fans(inner, self.embed_dim))
        )
        if self.bias:
            parameters.append(Parameter("output/bias", (self.embed_dim,), self.bias_initializer))
        return tuple(parameters)


class MultiHeadAttention(_Attention):
    """Multi-head attention (Vaswani et al., arXiv:1706.03762)."""

    type: Literal["multi_head_attention"]
    kdim: Size | None = Field(
        default=None, description="width of the key; by default, embed_dim", examples=[256]
    )
    vdim: Size | None = Field(
        default=None, description="width of the value; by default, embed_dim", examples=[256]
    )

    @property
    def width_of_key(self) -> int:
        """Width of the input of the key."""
        return self.kdim or self.embed_dim

    @property
    def width_of_value(self) -> int:
        """Width of the input of the value."""
        return self.vdim or self.embed_dim

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel and bias of query, key, value and output."""
        widths = {"query": self.embed_dim, "key": self.width_of_key, "value": self.width_of_value}
        return self._projections(dict.fromkeys(widths, self.num_heads), widths)


class GroupedQueryAttention(_Attention):
    """Attention in which groups of query heads share keys and values (Ainslie et al., arXiv:2305.13245)."""

    type: Literal["grouped_query_attention"]
    num_kv_heads: Size = Field(
        description="number of heads of key and value, a divisor of num_heads", examples=[8, "kv_heads"]
    )

    @model_validator(mode="after")
    def _check_groups(self) -> Self:
        if self.num_heads % self.num_kv_heads:
            raise field_error(
                f"num_kv_heads: expected a divisor of num_heads = {self.num_heads}, got {self.num_kv_heads}",
                field="num_kv_heads",
            )
        return self

    def parameters(self) -> tuple[Parameter, ...]:
        """Return kernel and bias of query, key, value and output."""
        heads = {"query": self.num_heads, "key": self.num_kv_heads, "value": self.num_kv_heads}
        return self._projections(heads, dict.fromkeys(heads, self.embed_dim))


def _attend(weights: LayerWeights, x: Array, num_heads: int, num_kv_heads: int) -> Array:
    """Let one position attend to itself with weight one, so that query and key have no effect."""
    from lecun_cli.layers.forward_math import linear

    values = linear(x, weights, "value/kernel", "value/bias")
    shared = values.reshape(len(x), num_kv_heads, -1).repeat(num_heads // num_kv_heads, axis=1)
    return linear(shared.reshape(len(x), -1), weights, "output/kernel", "output/bias")


def _multi_head(layer: MultiHeadAttention, weights: LayerWeights, x: Array, _: Conventions) -> Array:
    return _attend(weights, x, layer.num_heads, layer.num_heads)


def _grouped_query(layer: GroupedQueryAttention, weights: LayerWeights, x: Array, _: Conventions) -> Array:
    return _attend(weights, x, layer.num_heads, layer.num_kv_heads)


_KERAS_ATTRIBUTES = {
    "query": "query_dense",
    "key": "key_dense",
    "value": "value_dense",
    "attention_output": "output_dense",
}
_NOTE = "attention has one position, which attends to itself: query and key have no effect"

LAYER_TYPES = (
    LayerType(
        MultiHeadAttention,
        vector_operation(
            lambda layer: layer.width_of_value, lambda layer: layer.embed_dim, _multi_head, note=_NOTE
        ),
        keras_attributes=_KERAS_ATTRIBUTES,
    ),
    LayerType(
        GroupedQueryAttention,
        vector_operation(
            lambda layer: layer.embed_dim, lambda layer: layer.embed_dim, _grouped_query, note=_NOTE
        ),
        keras_attributes={part: f"_{attribute}" for part, attribute in _KERAS_ATTRIBUTES.items()},
    ),
)
