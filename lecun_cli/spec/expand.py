"""Layers as written -> layers as they stand: groups, repeats and expressions worked out."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

from pydantic_core import PydanticCustomError

from lecun_cli.errors import Diagnostic, Place
from lecun_cli.spec.document import Group, Repeat
from lecun_cli.spec.expressions import Environment, ExpressionError, evaluate
from lecun_cli.spec.fields import layer_name_of, name_of, split_path
from lecun_cli.spec.kinds import KINDS, AnyLayer, RawTensor
from lecun_cli.spec.nodes import Mapping, Node, Scalar, Sequence, describe, plain, walk
from lecun_cli.spec.validate import Faults, unknown_key, validate

L = TypeVar("L", bound=AnyLayer)

MAX_LAYERS = 1_000_000


@dataclass(frozen=True)
class Container:
    """A group, or a round of a repeat that has a name.

    Attributes:
        path: Its whole path.
        model: What Keras builds of it: `functional` or `sequential`.
    """

    path: tuple[str, ...]
    model: str


@dataclass(frozen=True)
class PlacedLayer:
    """A layer with its whole path.

    Attributes:
        path: The names of its groups, and its own unless it is a raw tensor.
        layer: The validated layer, all sizes plain integers.
        kind: Its `type`; `tensor` for raw tensors.
        place: Where its name stands in the text.
        within: The groups that hold it, outermost first.
    """

    path: tuple[str, ...]
    layer: AnyLayer
    kind: str
    place: Place | None
    within: tuple[Container, ...] = ()


def expand(root: Mapping, env: Environment, faults: Faults) -> tuple[PlacedLayer, ...]:
    """Every layer and raw tensor of a spec, in the order of the text; faults are noted."""
    expander = _Expander(faults)
    layers = root.get("layers")
    if _fewest(layers, env) > MAX_LAYERS:  # before the first is made: this is told at once
        expander.too_many(root.keys["layers"])
        return ()
    found = [*expander.items(layers, env, _Where()), *expander.tensors(root.get("tensors"), env)]
    return tuple(found)


def _fewest(node: Node | None, env: Environment) -> int:
    """Layers and rounds that a list makes at the least; a count that needs an index counts as zero."""
    if not isinstance(node, Sequence):
        return 0
    total = 0
    for item in node.items:
        if isinstance(item, Mapping) and "repeat" in item.entries:
            total += _rounds(item.entries["repeat"], env) * max(1, _fewest(item.get("layers"), env))
        elif isinstance(item, Mapping) and "layers" in item.entries:
            total += _fewest(item.get("layers"), env)
        else:
            total += 1
    return total


def _rounds(node: Node, env: Environment) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str):
        try:
            value = evaluate(value, env)
        except ExpressionError:
            return 0
    return max(0, value) if isinstance(value, int) else 0


@dataclass(frozen=True)
class _Where:
    """The groups around a layer, and the names that they give it."""

    path: tuple[str, ...] = ()
    within: tuple[Container, ...] = ()

    def inside(self, name: str, model: str) -> _Where:
        path = (*self.path, *split_path(name))
        return _Where(path, (*self.within, Container(path, model)))


class _Expander:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.steps = 0
        self._indices: set[str] = set()
        self._words: dict[int, frozenset[str]] = {}
        self._layers: dict[int, AnyLayer] = {}

    def too_many(self, place: Place) -> None:
        """Note that there are more layers than a spec may have."""
        self.faults.add(Diagnostic(f"a spec has at most {MAX_LAYERS:,} layers, and this one has more", place))

    def _stops(self, place: Place) -> bool:
        """Whether to go no further: too many faults, or too many layers and rounds."""
        self.steps += 1
        if self.steps == MAX_LAYERS + 1:
            self.too_many(place)
        return self.steps > MAX_LAYERS or self.faults.full

    def items(self, node: Node | None, env: Environment, where: _Where) -> Iterator[PlacedLayer]:
        """The layers of a list."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if self._stops(item.place):
                return
            if isinstance(item, Mapping) and "repeat" in item.entries:
                yield from self._repeat(item, env, where)
            elif isinstance(item, Mapping) and ("layers" in item.entries or _type(item) == "group"):
                group = validate(Group, item, env, "a group", self.faults)
                if group is not None:
                    inside = where.inside(group.name, group.model)
                    yield from self.items(item.get("layers"), env, inside)
            else:
                placed = self._layer(item, env, where)
                if placed is not None:
                    yield placed

    def _repeat(self, node: Mapping, env: Environment, where: _Where) -> Iterator[PlacedLayer]:
        # The name may hold the index, so a first look is taken with the index at zero.
        index = plain(node.entries["index"]) if "index" in node.entries else "i"
        probe = {**env, index: 0} if isinstance(index, str) else env
        repeat = validate(Repeat, node, probe, "a repeat", self.faults)
        if repeat is None:
            return
        if repeat.index in env:
            place = node.entries.get("index", node).place
            self.faults.add(
                Diagnostic(
                    f'the index "{repeat.index}" is already a name here',
                    place,
                    "give it another with `index:`",
                )
            )
            return
        self._indices.add(repeat.index)
        for i in range(repeat.repeat):
            if self._stops(node.place):
                return
            inner = {**env, repeat.index: i}
            name = repeat.name
            if name is not None and i:
                again = validate(Repeat, node, inner, "a repeat", self.faults)
                name = again.name if again is not None else None
            inside = where.inside(name, repeat.model) if name else where
            yield from self.items(node.get("layers"), inner, inside)

    def _layer(self, node: Node, env: Environment, where: _Where) -> PlacedLayer | None:
        if not isinstance(node, Mapping):
            self.faults.add(Diagnostic(f"a layer is a mapping, found {describe(plain(node))}", node.place))
            return None
        type_node = node.get("type")
        if type_node is None and "<<" in node.entries:
            self.faults.add(unknown_key("<<", "a layer", [], node))
            return None
        if type_node is None:
            self.faults.add(
                Diagnostic(
                    'a layer needs the key "type"',
                    (node.get("name") or node).place,
                    f"kinds are: {', '.join(KINDS)}; or give `layers:` for a group, `repeat:` for a repeat",
                )
            )
            return None
        name = type_node.value if isinstance(type_node, Scalar) else None
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            self.faults.add(_unknown_kind(plain(type_node), type_node.place))
            return None
        layer = self._validated(kind, node, env, f"a {name} layer")
        if layer is None:
            return None
        own = () if isinstance(layer, RawTensor) else split_path(layer.name)
        place = node.entries["name"].place
        return PlacedLayer((*where.path, *own), layer, cast("str", name), place, where.within)

    def _validated(self, kind: type[L], node: Mapping, env: Environment, what: str) -> L | None:
        """The layer of a node; where rounds of a repeat differ in its name alone, it is validated once."""
        key = id(node)
        if key not in self._words:
            self._words[key] = _words_in(node)
        if self._words[key] & self._indices:
            return validate(kind, node, env, what, self.faults)
        known = self._layers.get(key)
        if isinstance(known, kind):
            try:
                make = name_of if issubclass(kind, RawTensor) else layer_name_of
                name = make(plain(node.entries["name"]), env, "name")
            except PydanticCustomError:
                return validate(kind, node, env, what, self.faults)  # which tells it with its place
            return cast("L", known.model_copy(update={"name": name}))
        layer = validate(kind, node, env, what, self.faults)
        if layer is not None:
            self._layers[key] = layer
        return layer

    def tensors(self, node: Node | None, env: Environment) -> Iterator[PlacedLayer]:
        """The raw tensors at the top of a spec."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if isinstance(item, Mapping) and "repeat" in item.entries:
                self.faults.add(
                    Diagnostic(
                        "`tensors:` does not repeat",
                        item.keys["repeat"],
                        "under `layers:`, `type: tensor` makes a raw tensor that can",
                    )
                )
                continue
            tensor = validate(RawTensor, item, env, "a raw tensor", self.faults)
            if tensor is not None:
                yield PlacedLayer((), tensor, "tensor", item.entries["name"].place)  # type: ignore[union-attr]


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _words_in(node: Mapping) -> frozenset[str]:
    """The words in all texts of a layer but its name: what its fields could ask the rounds for."""
    found: set[str] = set()
    for key, value in node.entries.items():
        if key != "name":
            for inner in walk(value):
                if isinstance(inner, Scalar) and isinstance(inner.value, str):
                    found.update(_WORD.findall(inner.value))
    return frozenset(found)


def _type(node: Mapping) -> object:
    found = node.get("type")
    return plain(found) if found is not None else None


def _unknown_kind(value: object, place: Place) -> Diagnostic:
    known = [*KINDS, "group"]
    close = difflib.get_close_matches(str(value).lower(), known, n=1)
    squeezed = {name.replace("_", ""): name for name in known}
    nearest = _KIND_SYNONYMS.get(str(value).lower()) or squeezed.get(str(value).lower().replace("_", ""))
    if nearest is None and close:
        nearest = close[0]
    advice = f"did you mean {nearest}?" if nearest else f"kinds are: {', '.join(known)}"
    return Diagnostic(f"{describe(value)} is no layer kind", place, advice)


_KIND_SYNONYMS = {
    "linear": "dense",
    "fc": "dense",
    "fully_connected": "dense",
    "conv": "conv2d",
    "convolution": "conv2d",
    "layer_norm": "layer_normalization",
    "layernorm": "layer_normalization",
    "rms_norm": "rms_normalization",
    "rmsnorm": "rms_normalization",
    "batch_norm": "batch_normalization",
    "batchnorm": "batch_normalization",
    "batchnorm1d": "batch_normalization",
    "batchnorm2d": "batch_normalization",
    "group_norm": "group_normalization",
    "groupnorm": "group_normalization",
    "embed": "embedding",
    "moe": "experts",
    "parameter": "tensor",
}
