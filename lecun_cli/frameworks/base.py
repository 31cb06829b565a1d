"""What a framework is to us: a table of names and storage orders, and a rule for fans."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from lecun_cli.initializers.fans import Fans, Shape

if TYPE_CHECKING:
    from lecun_cli.layers import AnyLayer


class UnsupportedError(Exception):
    """A layer that a framework cannot hold; the plan tells the user, with its place."""


@dataclass(frozen=True)
class FanAxes:
    """The axes of a stored kernel that a framework's layer itself takes for inputs and outputs."""

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Slot:
    """One stored tensor of a layer.

    Attributes:
        name: Its name within the layer (`weight`, `query/kernel`).
        param_names: The canonical parameters that it packs, in order; most slots hold one.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter; None where the order is the same.
        flip: Stored axes that run backwards, such as the window of a transposed convolution in Flax.
        merge: How many of the permuted axes make each axis of the file; None where each makes its own.
        concat_axis: The stored axis along which several parameters are packed. Along the first they simply
            follow each other in the file.
        fold: The first axis of the file, where parameters that follow each other are stored as a matrix.
        fan_axes: What the framework's layer takes for inputs and outputs, where that is not the shape's rule.
        collection: The collection of a variable, where a framework names one (`batch_stats`).
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
        """The stored shape of one parameter, before axes are merged."""
        return canonical if self.axes is None else tuple(canonical[axis] for axis in self.axes)

    def merged(self, shape: Shape) -> Shape:
        """A part's shape with its axes merged as they are in the file."""
        if self.merge is None:
            return shape
        merged_shape, at = [], 0
        for count in self.merge:
            merged_shape.append(math.prod(shape[at : at + count]))
            at += count
        return tuple(merged_shape)

    def tensor_shape(self, parts: tuple[Shape, ...]) -> Shape:
        """The shape of the tensor in the file, from the part shapes of its parameters."""
        merged = [self.merged(shape) for shape in parts]
        shape = list(merged[0])
        shape[self.concat_axis : self.concat_axis + 1] = (
            [sum(m[self.concat_axis] for m in merged)] if shape else []
        )
        if self.fold is not None:
            shape[:1] = [self.fold, shape[0] // self.fold]
        return tuple(shape)

    def prefixed(self, prefix: str, param_names: str = "") -> Slot:
        """The same slot under a name and under the roles of a sub-layer."""
        return replace(
            self,
            name=prefix + self.name,
            param_names=tuple(param_names + param_name for param_name in self.param_names),
        )


def slot(name: str, param_name: str, axes: tuple[int, ...] | None = None) -> Slot:
    """A slot of one parameter."""
    return Slot(name, (param_name,), axes)


Slots = tuple[Slot, ...]
SlotTable = Mapping[str, "Slots | Callable[[AnyLayer], Slots]"]


@dataclass(frozen=True)
class Framework:
    """A framework's names and storage orders.

    Attributes:
        name: As a spec and `--framework` name it.
        separator: What stands between the parts of a tensor's name.
        table: The slots of every layer kind, or what makes them from a layer; a canonical parameter in no
            slot is not stored.
        header: The value of `format` in the metadata of a safetensors file.
        collection: The collection that variables are in unless their slot says another.
    """

    name: str
    separator: str
    table: SlotTable
    header: str
    collection: str | None = None

    def slots(self, layer_type: str, layer: AnyLayer) -> Slots:
        """The slots of a layer.

        Raises:
            UnsupportedError: The framework cannot hold such a layer.
        """
        row = self.table[layer_type]
        return row(layer) if callable(row) else row

    def tensor_name(self, path: tuple[str, ...], leaf: str, collection: str | None = None) -> str:
        """The name of a stored tensor."""
        first = self.collection and (collection or self.collection)
        return self.separator.join((*((first,) if first else ()), *path, leaf))


@dataclass(frozen=True)
class FanRule:
    """How a framework computes fans, right or wrong.

    Attributes:
        name: As a spec and `--fan-rule` name it.
        framework: Whose stored shapes it looks at.
        of_shape: The fans of a stored shape.
        of_axes: Whether the layers that name their axes (`Slot.fan_axes`) are heard.
    """

    name: str
    framework: Framework
    of_shape: Callable[[Shape], Fans]
    of_axes: bool = True

    def fans(self, slot: Slot | None, shape: Shape) -> Fans:
        """The fans of a stored tensor.

        Args:
            slot: Its slot; None for a raw tensor.
            shape: Its shape in the file.

        Raises:
            FanError: The rule gives none.
        """
        if slot is None or slot.fan_axes is None or not self.of_axes:
            return self.of_shape(shape)
        axes = slot.fan_axes
        return Fans(math.prod(shape[i] for i in axes.inputs), math.prod(shape[i] for i in axes.outputs))
