"""Types that readers return and writers consume: layers, groups, repeats and stored tensors, all frozen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lecun_cli.initializers.fans import Shape

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Map:
    """A mapping inside a layer, such as an initializer with arguments or the layer of a wrapper."""

    pairs: tuple[tuple[str, Value], ...]


Value = Scalar | tuple[int, ...] | Map
Fields = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor of the source, which the spec must reproduce.

    Attributes:
        name: Name in the source.
        shape: Stored shape, outermost axis first.
        dtype: A key of `DTYPES`.
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class DerivedLayer:
    """A layer of the derived spec, or a raw tensor (layer type `tensor`).

    Attributes:
        layer_type: A key of `LAYER_TYPES`.
        name: Name below the enclosing group, with the separators of the framework.
        fields: Keys and values in the order in which they are written, without `type` and `name`.
        comment: Comment for the line above the layer, or None.
        dtype: The dtype of its parameters, or None if they differ or the source does not state it.
        stored: The tensors of the source that the layer describes, if the source names tensors.
    """

    layer_type: str
    name: str
    fields: Fields
    comment: str | None = None
    dtype: str | None = None
    stored: tuple[Tensor, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Group:
    """Items under a common name; `fields` are its other keys (`model`)."""

    name: str
    items: tuple[DerivedItem, ...]
    fields: Fields = ()


@dataclass(frozen=True)
class Repeat:
    """Items that are written once and expanded `count` times.

    Attributes:
        count: Number of iterations, or the name of the param that holds it.
        index: Name of the index.
        name: Template for the name of an iteration, which contains the index; None if the names of the
            items contain the index.
        items: Items of one iteration; their names are templates.
        fields: Other keys (`model`).
    """

    count: int | str
    index: str
    name: str | None
    items: tuple[DerivedItem, ...]
    fields: Fields = ()


DerivedItem = DerivedLayer | Group | Repeat


@dataclass(frozen=True)
class DescribedModel:
    """Everything that a reader extracts from a source.

    Attributes:
        framework: The framework whose names and storage orders the source uses; a key of `FRAMEWORKS`.
        items: Layers, raw tensors and groups in order; their names are not escaped yet.
        tensors: The tensors that the spec must reproduce, or None if the source names only layers.
        warnings: Losses and assumptions, for stderr and the head of the spec.
        remarks: Other comments for the head of the spec.
    """

    framework: str
    items: tuple[DerivedItem, ...]
    tensors: tuple[Tensor, ...] | None = None
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def layers_of(items: Sequence[DerivedItem]) -> Iterator[DerivedLayer]:
    """Yield every layer and raw tensor, in order."""
    for item in items:
        if isinstance(item, DerivedLayer):
            yield item
        else:
            yield from layers_of(item.items)
