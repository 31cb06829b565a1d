"""What every layer kind is: validated fields, and the canonical parameters that follow from them."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from lecun_cli.initializers.family import Initializer, make
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.fields import DTypeName, LayerName

LECUN_NORMAL = make("lecun_normal")
ZEROS = make("zeros")
ONES = make("ones")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a layer, before any framework names or transposes it.

    Attributes:
        param_name: Its name within the layer, in Keras's terms: `kernel`, `bias`, `embeddings`, `gamma`.
        shape: Canonical shape, whose C order counts the stream: `(out, in)` for dense,
            `(out, in / groups, *kernel)` for convolutions, `(num, dim)` for embeddings.
        initializer: The initializer of its role.
        fans: Its exact fans, or None where a fan has no meaning (a bias, a scale).
        dtype: The dtype that it always has (a counter's int64), or None for the spec's.
    """

    param_name: str
    shape: Shape
    initializer: Initializer
    fans: Fans | None = None
    dtype: str | None = None


class Model(BaseModel):
    """Base of everything that a spec is validated with: frozen, and no unknown keys."""

    # A kind that no spec here names is never built: that is most of them, and half of the time to start.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class Layer(Model):
    """A layer of a spec. A kind is a subclass with its fields and its `parameters`."""

    type: str
    name: LayerName = Field(description="the layer's name")
    dtype: DTypeName | None = Field(
        default=None, description="dtype of its parameters; the spec's if not given"
    )
    stream: LayerName | None = Field(
        default=None,
        description="the identity to draw from in place of the layer's own path, to share weights on purpose",
    )

    @abstractmethod
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters of the layer, canonical, in Keras's order."""
