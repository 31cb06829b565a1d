"""Raw tensors: a name and a shape, for tensors that no layer type describes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from lecun_cli.initializers.fans import Fans, from_axes
from lecun_cli.layers.base import LECUN_NORMAL, LayerType, Model, Parameter
from lecun_cli.layers.fields import Axes, DTypeName, InitializerField, Name, Size, Sizes, field_error
from lecun_cli.layers.operation import vector_operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class RawTensor(Model):
    """A tensor of any name and shape, stored as given in every framework.

    Its fans are given by `fan_in` and `fan_out`, or follow from `in_axes`, `out_axes` and `batch_axes`.
    """

    name: Name = Field(description="the tensor's name, used verbatim", examples=["hidden", "blocks.{i}"])
    shape: Sizes = Field(
        description="the shape, outermost axis first; [] is a scalar", examples=[[1000, 64], ["vocab", "d"]]
    )
    dtype: DTypeName | None = Field(
        default=None, description="the dtype; by default, the dtype of the spec", examples=["bfloat16"]
    )
    initializer: InitializerField = LECUN_NORMAL
    fan_in: Size | None = Field(
        default=None, description="number of inputs that feed one output", examples=[100, "d"]
    )
    fan_out: Size | None = Field(
        default=None, description="number of outputs that one input feeds", examples=[64]
    )
    in_axes: Axes | None = Field(default=None, description="axes that one output sums over", examples=[[1]])
    out_axes: Axes | None = Field(
        default=None,
        description="axes of the outputs; if given, all other axes are the window",
        examples=[[0]],
    )
    batch_axes: Axes | None = Field(
        default=None, description="axes of independent kernels, such as experts", examples=[[0]]
    )
    stream: Name | None = Field(
        default=None,
        description="the identity to draw from, instead of the name of the tensor",
        examples=["embed/embeddings"],
    )

    collection: Name | None = Field(
        default=None,
        description="the Flax collection of the variable; by default, params",
        examples=["batch_stats"],
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.fan_in is not None and self.in_axes is not None:
            raise field_error(
                "in_axes: expected either fan_in or in_axes, got both", "remove one of them", field="in_axes"
            )
        if self.in_axes is None and (self.out_axes or self.batch_axes):
            field = "out_axes" if self.out_axes else "batch_axes"
            raise field_error(f"{field} requires in_axes", "give in_axes too", field=field)
        seen: dict[int, str] = {}
        for field in ("in_axes", "out_axes", "batch_axes"):
            for axis in self._axes(field):
                if seen.get(axis) == field:
                    raise field_error(f"{field}: expected different axes, got {axis} twice", field=field)
                if axis in seen:
                    raise field_error(f"{field}: axis {axis} is also in {seen[axis]}", field=field)
                seen[axis] = field
        return self

    def _axes(self, field: str) -> tuple[int, ...]:
        axes: tuple[int, ...] | None = getattr(self, field)
        rank = len(self.shape)
        for axis in axes or ():
            if not -rank <= axis < rank:
                raise field_error(
                    f"{field}: axis {axis} is out of range for a shape of {rank} axes", field=field
                )
        return tuple(axis % rank for axis in axes or ())

    @property
    def fans(self) -> Fans | None:
        """The exact fans, or None if they are not given."""
        if self.in_axes is not None:
            out = None if self.out_axes is None else self._axes("out_axes")
            fans = from_axes(self.shape, self._axes("in_axes"), out, self._axes("batch_axes"))
            return Fans(fans.fan_in, self.fan_out or fans.fan_out)
        if self.fan_in is None:
            return None
        n_elements = 1
        for n in self.shape:
            n_elements *= n
        return Fans(self.fan_in, self.fan_out or max(1, n_elements // self.fan_in))

    def parameters(self) -> tuple[Parameter, ...]:
        """Return the tensor itself."""
        return (Parameter("", self.shape, self.initializer, self.fans),)


class TensorLayer(RawTensor):
    """A raw tensor in the list of layers, where it can be part of repeats and groups."""

    type: Literal["tensor"]


def _is_matrix(tensor: RawTensor) -> bool:
    """Return whether a tensor is a matrix with a known input axis."""
    return (
        tensor.in_axes is not None
        and len(tensor.in_axes) == 1
        and len(tensor.shape) == 2
        and not tensor.batch_axes
    )


def _in_axis(tensor: RawTensor) -> int:
    """Return the axis of a matrix that one output sums over: 0 or 1."""
    return (tensor.in_axes or (1,))[0] % 2


def _multiply(layer: RawTensor, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    """Multiply by a matrix, reading it in blocks of rows."""
    import numpy as np

    from lecun_cli.layers.forward_math import blocks, linear

    del conventions
    if _in_axis(layer) == 1:
        return linear(x, weights, "")
    height, width = layer.shape
    y = np.zeros((len(x), width), np.float32)
    for first, stop in blocks(height, width):
        y += x[:, first:stop] @ weights.rows("", first, stop)
    return y


LAYER_TYPES = (
    LayerType(
        TensorLayer,
        vector_operation(
            lambda layer: layer.shape[_in_axis(layer)],
            lambda layer: layer.shape[1 - _in_axis(layer)],
            _multiply,
            applies_to=_is_matrix,
        ),
        is_keras_class=False,
        synonyms=("parameter",),
    ),
)
