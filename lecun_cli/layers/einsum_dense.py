"""Dense layers whose product is an Einstein summation, as Keras's EinsumDense and Flax's Einsum."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from lecun_cli.errors import describe
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.base import LECUN_NORMAL, ZEROS, Layer, LayerType, Parameter
from lecun_cli.layers.fields import Activation, InitializerField, Sizes, field_error
from lecun_cli.layers.operation import vector_operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights

_PATTERN = r"(\.\.\.)?([A-Za-z]+),([A-Za-z]+)->(\.\.\.)?([A-Za-z]+)"


class Equation(NamedTuple):
    """An equation `input,kernel->output`, one letter for each axis.

    Attributes:
        input: Axes of the input; an ellipsis before them is left out.
        kernel: Axes of the kernel, in the order in which Keras and Flax store them.
        output: Axes of the output; an ellipsis before them is left out.
    """

    input: str
    kernel: str
    output: str

    @property
    def summed(self) -> str:
        """Axes that one output sums over, in the order of the input."""
        return "".join(axis for axis in self.input if axis in self.kernel and axis not in self.output)

    @property
    def kept(self) -> str:
        """Axes of the kernel that the output keeps, in the order of the output."""
        return "".join(axis for axis in self.output if axis in self.kernel)

    @property
    def shared(self) -> str:
        """Those of `kept` that the input has too: each position has a kernel of its own, as in experts."""
        return "".join(axis for axis in self.kept if axis in self.input)

    @property
    def stored_axes(self) -> tuple[int, ...]:
        """The canonical axis of each axis of the kernel as Keras and Flax store it."""
        return tuple((self.kept + self.summed).index(axis) for axis in self.kernel)


def parse_equation(text: str) -> Equation:
    """Parse an equation such as `abc,cde->abde` or `...x,xy->...y`.

    Raises:
        PydanticCustomError: The text is not an equation of two operands whose kernel axes have known sizes.
    """
    match = re.fullmatch(_PATTERN, text.replace(" ", ""))
    if match is None or match[1] != match[4]:
        raise field_error(
            f'equation: expected "input,kernel->output", got {describe(text)}',
            'for example "abc,cd->abd" or "...c,cd->...d"',
        )
    equation = Equation(match[2], match[3], match[5])
    for operand in equation:
        for axis in operand:
            if operand.count(axis) > 1:
                raise field_error(f'equation: expected each axis once in "{operand}", got "{axis}" twice')
    for axis in dict.fromkeys("".join(equation)):
        if sum(axis in operand for operand in equation) == 1:
            raise field_error(f'equation: expected each axis in two of the three terms, got "{axis}" in one')
    return equation


def _equation(value: object) -> str:
    if not isinstance(value, str):
        raise field_error(
            f"equation: expected a string, got {describe(value)}", 'write it in quotes: "ab,bc->ac"'
        )
    parse_equation(value)
    return value


def _bias_axes(value: object) -> str:
    if not isinstance(value, str):
        raise field_error(f"bias_axes: expected letters of the output, got {describe(value)}")
    return value


class EinsumDense(Layer):
    """A product of any axes: `kernel (*out_features, *in_features)`, and a bias over `bias_axes`."""

    type: Literal["einsum_dense"]
    equation: Annotated[
        str, BeforeValidator(_equation), WithJsonSchema({"type": "string", "pattern": f"^{_PATTERN}$"})
    ] = Field(
        description="the summation, input,kernel->output, one letter for each axis",
        examples=["abc,cde->abde", "...x,xy->...y"],
    )
    in_features: Sizes = Field(
        description="sizes of the axes that are summed over, in the order of the input",
        examples=[512, ["heads", 64]],
    )
    out_features: Sizes = Field(
        description="sizes of the axes that the output takes from the kernel, in the order of the output",
        examples=[512, ["heads", 64]],
    )
    bias_axes: Annotated[
        str, BeforeValidator(_bias_axes), WithJsonSchema({"type": "string", "pattern": "^[A-Za-z]*$"})
    ] = Field(
        default="", description="axes of the bias; without them, the layer has no bias", examples=["de"]
    )
    activation: Activation | None = Field(
        default=None,
        description="the activation function; it affects propagate, not the weights",
        examples=["selu"],
    )
    kernel_initializer: InitializerField = LECUN_NORMAL
    bias_initializer: InitializerField = ZEROS

    @model_validator(mode="after")
    def _check(self) -> Self:
        for field, axes in (("in_features", self.terms.summed), ("out_features", self.terms.kept)):
            sizes: Shape = getattr(self, field)
            if len(sizes) != len(axes):
                raise field_error(
                    f'{field}: expected one size for each axis of "{axes}", got {len(sizes)}', field=field
                )
        for axis in self.bias_axes:
            if axis not in self.terms.kept or self.bias_axes.count(axis) > 1:
                raise field_error(
                    f'bias_axes: expected different axes of "{self.terms.kept}", got "{self.bias_axes}"',
                    field="bias_axes",
                )
        return self

    @property
    def terms(self) -> Equation:
        """The equation, parsed."""
        return parse_equation(self.equation)

    @property
    def sizes(self) -> dict[str, int]:
        """The size of each axis of the kernel."""
        terms = self.terms
        return dict(zip(terms.kept + terms.summed, self.out_features + self.in_features, strict=True))

    @property
    def bias_shape(self) -> Shape:
        """Shape of the bias as in Keras: the output from the first of `bias_axes`, other axes of size 1."""
        sizes, output = self.sizes, self.terms.output
        first = min(map(output.index, self.bias_axes))
        return tuple(sizes[axis] if axis in self.bias_axes else 1 for axis in output[first:])

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `kernel (*out_features, *in_features)` and `bias (*bias_shape)`."""
        sizes, terms = self.sizes, self.terms
        own = (size for axis, size in sizes.items() if axis in terms.kept and axis not in terms.shared)
        fans = Fans(math.prod(self.in_features), math.prod(own))
        kernel = Parameter("kernel", self.out_features + self.in_features, self.kernel_initializer, fans)
        if not self.bias_axes:
            return (kernel,)
        return (kernel, Parameter("bias", self.bias_shape, self.bias_initializer))


def _width(layer: EinsumDense) -> int:
    """Return the size of the input over the axes that the kernel has."""
    sizes = layer.sizes
    return math.prod(sizes[axis] for axis in layer.terms.input if axis in sizes)


def _einsum(layer: EinsumDense, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    """Apply the equation to one position: axes that the kernel does not have are of size 1."""
    import numpy as np

    from lecun_cli.layers.forward_math import blocks, linear

    del conventions
    sizes, terms = layer.sizes, layer.terms
    if terms.shared:
        axes = "".join(axis for axis in terms.input if axis in sizes)
        x = x.reshape(len(x), *(sizes[axis] for axis in axes))
        y = np.empty((len(x), *layer.out_features), np.float32)
        first_axis = axes.find(terms.kept[0])
        for start, stop in blocks(layer.out_features[0], math.prod(sizes.values()) // layer.out_features[0]):
            rows = weights.rows("kernel", start, stop)
            block = x if first_axis < 0 else x[(slice(None),) * (first_axis + 1) + (slice(start, stop),)]
            equation = f"...{axes},{terms.kept}{terms.summed}->...{terms.kept}"
            y[:, start:stop] = np.einsum(equation, block, rows, optimize=True)
    else:
        y = linear(x, weights, "kernel").reshape(len(x), *layer.out_features)
    if "bias" in weights:
        shape = tuple(
            size if axis in layer.bias_axes else 1
            for axis, size in zip(terms.kept, layer.out_features, strict=True)
        )
        y += weights.read("bias").reshape(shape)
    return y.reshape(len(x), -1)


LAYER_TYPES = (
    LayerType(
        EinsumDense,
        vector_operation(_width, lambda layer: math.prod(layer.out_features), _einsum),
        synonyms=("einsum",),
    ),
)
