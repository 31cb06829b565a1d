"""Interface of a framework: one record with its names, storage orders, fan rules and defaults."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lecun_cli.errors import LecunInitError
from lecun_cli.initializers.fans import Fans, Shape

if TYPE_CHECKING:
    from lecun_cli.layers import AnyLayer


class UnsupportedError(LecunInitError):
    """A framework cannot store or compute a layer; the plan reports it with its location in the spec."""


@dataclass(frozen=True)
class FanAxes:
    """The axes of a stored kernel that a framework's layer itself counts as inputs and outputs."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """One stored tensor of a layer.

    Attributes:
        name: Name within the layer (`weight`, `query/kernel`).
        param_names: The canonical parameters that it packs, in order; most slots hold one.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter; None if the order is the same.
        flip: Stored axes that are reversed, such as the window of a transposed convolution in Flax.
        merge: Number of permuted axes that form each axis of the file; None if each forms its own.
        concat_axis: The stored axis along which several parameters are packed. Along the first axis they
            simply follow each other in the file.
        fold: Size of an extra first axis, if parameters that follow each other are stored as a matrix.
        fan_axes: The axes that the framework's layer counts as inputs and outputs, if they differ from the
            fan rule for shapes.
        collection: The collection of a variable, for frameworks that name collections (`batch_stats`).
    """

    name: str
    param_names: tuple[str, ...]
    axes: tuple[int, ...] | None = None
    flip: tuple[int, ...] = ()
    merge: tuple[int, ...] | None = None
    concat_axis: int = 0
    fold: int | None = None
    fan_axes: FanAxes | None = None
    collection: str | None = None

    def part_shape(self, canonical: Shape) -> Shape:
        """Return the stored shape of one parameter, before axes are merged."""
        return canonical if self.axes is None else tuple(canonical[axis] for axis in self.axes)

    def merged(self, shape: Shape) -> Shape:
        """Return the shape of one parameter with its axes merged as in the file."""
        if self.merge is None:
            return shape
        merged_shape, at = [], 0
        for count in self.merge:
            merged_shape.append(math.prod(shape[at : at + count]))
            at += count
        return tuple(merged_shape)

    def tensor_shape(self, parts: tuple[Shape, ...]) -> Shape:
        """Return the shape of the tensor in the file, given the `part_shape` of each of its parameters."""
        merged = [self.merged(shape) for shape in parts]
        shape = list(merged[0])
        shape[self.concat_axis : self.concat_axis + 1] = (
            [sum(m[self.concat_axis] for m in merged)] if shape else []
        )
        if self.fold is not None:
            shape[:1] = [self.fold, shape[0] // self.fold]
        return tuple(shape)

    def prefixed(self, prefix: str, param_names: str = "") -> Slot:
        """Return the slot of an inner layer: prefix its name, and the names of its parameters."""
        return replace(
            self,
            name=prefix + self.name,
            param_names=tuple(param_names + param_name for param_name in self.param_names),
        )


def slot(name: str, param_name: str, axes: tuple[int, ...] | None = None) -> Slot:
    """Return a slot that holds one parameter."""
    return Slot(name, (param_name,), axes)


Slots = tuple[Slot, ...]
SlotTable = Mapping[str, "Slots | Callable[[Any], Slots]"]
"""By layer type: the slots, or a function of a layer of that type.

A mapping cannot express that the function takes the right class; `tests/layers/test_registry.py` checks it.
"""


@dataclass(frozen=True)
class FanRule:
    """How a framework computes fans, right or wrong.

    Attributes:
        name: The value of `fan_rule` and `--fan-rule`.
        of_shape: The fans of a stored shape.
        uses_fan_axes: If true, `Slot.fan_axes` takes precedence over the shape.
    """

    name: str
    of_shape: Callable[[Shape], Fans]
    uses_fan_axes: bool = True

    def fans(self, slot: Slot | None, shape: Shape) -> Fans:
        """Return the fans of a stored tensor.

        Args:
            slot: Its slot; None for a raw tensor.
            shape: Its shape in the file.

        Raises:
            FanError: The rule does not define the fans of this shape.
        """
        if slot is None or slot.fan_axes is None or not self.uses_fan_axes:
            return self.of_shape(shape)
        axes = slot.fan_axes
        return Fans(math.prod(shape[i] for i in axes.inputs), math.prod(shape[i] for i in axes.outputs))


@dataclass(frozen=True)
class Framework:
    """Everything that the package knows about a framework.

    Attributes:
        name: The value of `framework` and `--framework`.
        separator: The string between the parts of a tensor's name.
        table: The slots of every layer type; a canonical parameter without a slot is not stored.
        header: The value of `format` in the metadata of a safetensors file.
        fan_rules: Its fan rules, that of the current release first.
        epsilon: By layer type, the default epsilon of its normalization layers.
        recognizer: Reference to its recognizer in `derive`, as `module:attribute`, imported only when needed;
            None if `derive` does not support the framework.
        collection: The collection of variables whose slot does not name one.
        channels_first: If true, images are `(channels, *image)`, which matters when they are flattened,
            normalized as a whole or rectified.
        leaky_relu_slope: Default slope of `leaky_relu` for negative inputs.
        gelu_by_tanh: If true, `gelu` is by default the approximation by tanh.
        synonyms: Other names for it, in lower case, for "did you mean".
    """

    name: str
    separator: str
    table: SlotTable
    header: str
    fan_rules: tuple[FanRule, ...]
    epsilon: Mapping[str, float]
    recognizer: str | None = None
    collection: str | None = None
    channels_first: bool = False
    leaky_relu_slope: float = 0.01
    gelu_by_tanh: bool = False
    synonyms: tuple[str, ...] = ()

    def slots(self, layer_type: str, layer: AnyLayer) -> Slots:
        """Return the slots of a layer.

        Raises:
            UnsupportedError: The framework cannot store such a layer, or its table lacks the layer type.
        """
        row = self.table.get(layer_type)
        if row is None:
            raise UnsupportedError(f"{self.name} has no row for layer type {layer_type}")
        return row(layer) if callable(row) else row

    def epsilon_of(self, layer_type: str) -> float:
        """Return the default epsilon of a normalization layer, which a spec does not hold.

        Raises:
            UnsupportedError: The record of the framework lacks the layer type.
        """
        if layer_type not in self.epsilon:
            raise UnsupportedError(f"{self.name} has no epsilon for layer type {layer_type}")
        return self.epsilon[layer_type]

    def tensor_name(self, path: tuple[str, ...], leaf: str, collection: str | None = None) -> str:
        """Return the name of a stored tensor.

        Args:
            path: The path of its layer.
            leaf: Its name within the layer, `Slot.name`.
            collection: Its collection, `Slot.collection`.
        """
        first = self.collection and (collection or self.collection)
        return self.separator.join((*((first,) if first else ()), *path, leaf))
