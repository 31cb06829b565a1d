"""What the readers give: layers and raw tensors in order, plain and frozen, before they are written down."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from lecun_cli.initializers.fans import Shape

Scalar = bool | int | float | str


@dataclass(frozen=True)
class Map:
    """A mapping inside a layer: an initializer with arguments, the layer that a wrapper runs twice."""

    pairs: tuple[tuple[str, Value], ...]


Value = Scalar | tuple[int, ...] | Map
Fields = tuple[tuple[str, Value], ...]


@dataclass(frozen=True)
class Tensor:
    """A tensor that the source has and the spec must give.

    Attributes:
        name: Its name in the source.
        shape: Its stored shape.
        dtype: A key of `DTYPES`.
    """

    name: str
    shape: Shape
    dtype: str


@dataclass(frozen=True)
class DerivedLayer:
    """A layer of the spec to be, or a raw tensor of it (kind `tensor`).

    Attributes:
        layer_type: A key of `LAYER_TYPES`.
        name: Its name below the group that it stands in, with the framework's separators.
        fields: Its keys and values, in the order in which they are written, without `type` and `name`.
        comment: What a reader should know about it, on the line above.
        dtype: The dtype of its parameters, if one holds for all of them and the source says it.
        stored: The tensors of the source that it stands for, if the source names tensors.
    """

    layer_type: str
    name: str
    fields: Fields
    comment: str | None = None
    dtype: str | None = None
    stored: tuple[Tensor, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Group:
    """Items under one name; `fields` are its other keys (`model`)."""

    name: str
    items: tuple[DerivedItem, ...]
    fields: Fields = ()


@dataclass(frozen=True)
class Repeat:
    """Items that are written once and stand `count` times.

    Attributes:
        count: How often: a number, or the param that holds it.
        index: The name of the index.
        name: A name for each round, a template with the index in it, or None where the items' own
            names hold the index.
        items: One round; names are templates.
        fields: Its other keys (`model`).
    """

    count: int | str
    index: str
    name: str | None
    items: tuple[DerivedItem, ...]
    fields: Fields = ()


DerivedItem = DerivedLayer | Group | Repeat


@dataclass(frozen=True)
class DescribedModel:
    """All that a reader found in a source.

    Attributes:
        framework: Whose names and storage orders it has.
        items: Layers, raw tensors and groups, in order, names and texts not yet escaped.
        tensors: The tensors that the spec must give, or None where the source names layers only.
        warnings: What could not be carried over, for stderr and for a comment.
        remarks: What else the spec's head should say.
    """

    framework: str
    items: tuple[DerivedItem, ...]
    tensors: tuple[Tensor, ...] | None = None
    warnings: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def layers_of(items: Sequence[DerivedItem]) -> Iterator[DerivedLayer]:
    """Every layer and raw tensor, in order."""
    for item in items:
        if isinstance(item, DerivedLayer):
            yield item
        else:
            yield from layers_of(item.items)
