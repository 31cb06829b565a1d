"""Base class of the layers of a spec, and the record that a layer type consists of."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field

from lecun_cli.initializers.family import Initializer, make
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.fields import DTypeName, LayerName
from lecun_cli.layers.operation import Operation

LECUN_NORMAL = make("lecun_normal")
ZEROS = make("zeros")
ONES = make("ones")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a layer, before a framework names or transposes it.

    Attributes:
        param_name: Name within the layer, in Keras's terms: `kernel`, `bias`, `embeddings`, `gamma`.
        shape: Canonical shape, which the stream fills in C order: `(out, in)` for dense,
            `(out, in / groups, *kernel)` for convolutions, `(num, dim)` for embeddings.
        initializer: The initializer of this parameter.
        fans: The exact fans, or None for a parameter without fans (a bias, a scale).
        dtype: A dtype that does not follow the spec (int64 of a counter), or None for the spec's.
    """

    param_name: str
    shape: Shape
    initializer: Initializer
    fans: Fans | None = None
    dtype: str | None = None


class Model(BaseModel):
    """Base of every model that validates a part of a spec: frozen, without unknown keys."""

    # Most specs use few of the layer types, and building all validators takes half of the start-up time.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Layer(Model):
    """A layer of a spec. A layer type is a subclass with its fields and its `parameters`."""

    type: str
    name: LayerName = Field(description="the layer's name", examples=["hidden", "blocks.{i}"])
    dtype: DTypeName | None = Field(
        default=None,
        description="dtype of the parameters; by default, the dtype of the spec",
        examples=["bfloat16"],
    )
    stream: LayerName | None = Field(
        default=None,
        description="the identity to draw from instead of the path of the layer, to share weights on purpose",
        examples=["embed/embeddings"],
    )

    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """Return the canonical parameters of the layer, in Keras's order."""


M = TypeVar("M", bound=Model)


@dataclass(frozen=True)
class LayerType(Generic[M]):
    """Everything that the package knows about a layer type; `frameworks` adds one row per framework.

    Attributes:
        model: The class of its layers: fields and parameters.
        operation: Its forward pass, or None if `propagate` does not support it.
        has_kernel: If true, its weights mix features, so `propagate --activation` applies after it.
        precedes_activation: If true, the activation of the layer before applies after this layer, as after a
            batch normalization.
        is_activation: If true, it is an activation itself and replaces that of the layer before.
        is_keras_class: If true, Keras has a class of this name in camel case, and Keras weight files can
            hold its layers.
        keras_attributes: For each inner layer in the path of a Keras variable (`query` in `query/kernel`),
            the attribute that refers to it, which is its name in a Keras weight file. Keras prefers public
            attributes to private ones.
        synonyms: Other names for it, in lower case, for "did you mean".
    """

    model: type[M]
    operation: Operation[M] | None = None
    has_kernel: bool = True
    precedes_activation: bool = False
    is_activation: bool = False
    is_keras_class: bool = True
    keras_attributes: Mapping[str, str] = field(default_factory=dict)
    synonyms: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The `type` of its layers in a spec."""
        (name,) = get_args(self.model.model_fields["type"].annotation)
        return str(name)


AnyLayerType = LayerType[Any]
