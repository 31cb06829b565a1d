"""Layers as written -> layers as they stand: groups, repeats and expressions worked out."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple, cast

from lecun_cli.errors import Diagnostic, Place, describe
from lecun_cli.layers import KINDS, AnyLayer, RawTensor
from lecun_cli.layers.expressions import Environment, ExpressionError, Template, evaluate
from lecun_cli.layers.fields import MAX_NAME, split_path
from lecun_cli.spec.document import Group, Repeat
from lecun_cli.spec.nodes import Mapping, Node, Scalar, Sequence, plain, walk
from lecun_cli.spec.validate import Faults, unknown_key, validate

MAX_LAYERS = 1_000_000


class Container(NamedTuple):
    """A group, or a round of a repeat that has a name; a tuple, for there may be a million.

    Attributes:
        path: Its whole path.
        model: What Keras builds of it: `functional` or `sequential`.
    """

    path: tuple[str, ...]
    model: str


class PlacedLayer(NamedTuple):
    """A layer with its whole path; a tuple, for there may be a million.

    Attributes:
        path: The names of its groups, and its own unless it is a raw tensor.
        name: Its own name.
        layer: The validated layer, all sizes plain integers. Rounds of a repeat that differ in its name
            alone share that of the first round, with the name of the first round.
        kind: Its `type`; `tensor` for raw tensors.
        place: Where its name stands in the text.
        within: The groups that hold it, outermost first.
    """

    path: tuple[str, ...]
    name: str
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
    expander.items(layers, env, ())
    expander.tensors(root.get("tensors"), env)
    return tuple(expander.found)


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


Within = tuple[Container, ...]


def _inside(within: Within, name: str, model: str) -> Within:
    """The groups around a layer, and one more."""
    above = within[-1].path if within else ()
    return (*within, Container(above + split_path(name), model))


@dataclass(frozen=True, slots=True)
class _Known:
    """A layer that is validated, and whose rounds differ in its name alone.

    Attributes:
        first: The layer of the first round.
        own: The path that its name makes, where that is the same in every round.
        template: What its name is made of.
    """

    first: PlacedLayer
    own: tuple[str, ...]
    template: Template


class _Expander:
    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.found: list[PlacedLayer] = []
        self.steps = 0
        self._indices: set[str] = set()
        self._words: dict[int, frozenset[str]] = {}
        self._known: dict[int, _Known] = {}

    def too_many(self, place: Place) -> None:
        """Note that there are more layers than a spec may have."""
        self.faults.add(Diagnostic(f"a spec has at most {MAX_LAYERS:,} layers, and this one has more", place))

    def _stops(self, place: Place) -> bool:
        """Whether to go no further: too many faults, or too many layers and rounds."""
        self.steps += 1
        if self.steps <= MAX_LAYERS and not self.faults.found:  # asked for every layer and round
            return False
        if self.steps == MAX_LAYERS + 1:
            self.too_many(place)
        return self.steps > MAX_LAYERS or self.faults.full

    def items(self, node: Node | None, env: Environment, within: Within) -> None:
        """Find the layers of a list."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if self._stops(item.place):
                return
            known = self._known.get(id(item))
            placed = self._again(known, env, within) if known is not None else None
            if placed is not None:
                self.found.append(placed)
            elif isinstance(item, Mapping) and "repeat" in item.entries:
                self._repeat(item, env, within)
            elif isinstance(item, Mapping) and ("layers" in item.entries or _type(item) == "group"):
                group = validate(Group, item, env, "a group", self.faults)
                if group is not None:
                    self.items(item.get("layers"), env, _inside(within, group.name, group.model))
            else:
                self._layer(item, env, within)

    def _repeat(self, node: Mapping, env: Environment, within: Within) -> None:
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
        template = None
        if repeat.name is not None and repeat.index not in _words_of(node.entries["repeat"]):
            template = Template.of(plain(node.entries["name"]))
        inner = dict(env)
        layers = node.get("layers")
        for i in range(repeat.repeat):
            if self._stops(node.place):
                return
            inner[repeat.index] = i
            name = repeat.name
            if name is not None and i:
                name = None if template is None else _filled(template, inner)
                if name is None:
                    again = validate(Repeat, node, inner, "a repeat", self.faults)
                    name = again.name if again is not None else None
            inside = _inside(within, name, repeat.model) if name else within
            self.items(layers, inner, inside)

    def _layer(self, node: Node, env: Environment, within: Within) -> None:
        if not isinstance(node, Mapping):
            self.faults.add(Diagnostic(f"a layer is a mapping, found {describe(plain(node))}", node.place))
            return
        type_node = node.get("type")
        if type_node is None and "<<" in node.entries:
            self.faults.add(unknown_key("<<", "a layer", [], node))
            return
        if type_node is None:
            self.faults.add(
                Diagnostic(
                    'a layer needs the key "type"',
                    (node.get("name") or node).place,
                    f"kinds are: {', '.join(KINDS)}; or give `layers:` for a group, `repeat:` for a repeat",
                )
            )
            return
        name = type_node.value if isinstance(type_node, Scalar) else None
        kind = KINDS.get(name) if isinstance(name, str) else None
        if kind is None:
            self.faults.add(_unknown_kind(plain(type_node), type_node.place))
            return
        layer = validate(kind, node, env, f"a {name} layer", self.faults)
        if layer is None:
            return
        above = within[-1].path if within else ()
        own = () if isinstance(layer, RawTensor) else split_path(layer.name)
        named = node.entries["name"]
        placed = PlacedLayer(above + own, layer.name, layer, cast("str", name), named.place, within)
        self.found.append(placed)
        if id(node) not in self._words:
            self._words[id(node)] = _words_in(node)
        if not self._words[id(node)] & self._indices:
            self._known[id(node)] = _Known(placed, own, Template.of(plain(named)))

    @staticmethod
    def _again(known: _Known, env: Environment, within: Within) -> PlacedLayer | None:
        """A known layer in another round; None where its name fails, which validation tells."""
        _, name, layer, kind, place, _ = known.first
        own = known.own
        if known.template.expressions:
            filled = _filled(known.template, env)
            if filled is None:
                return None
            name = filled
            own = split_path(name) if own else own
        above = within[-1].path if within else ()
        return PlacedLayer(above + own, name, layer, kind, place, within)

    def tensors(self, node: Node | None, env: Environment) -> None:
        """Find the raw tensors at the top of a spec."""
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
                place = item.entries["name"].place  # type: ignore[union-attr]
                self.found.append(PlacedLayer((), tensor.name, tensor, "tensor", place))


def _filled(template: Template, env: Environment) -> str | None:
    """A name that was sound in one round, in another; None where it is not.

    Rounds differ in integers, which are never empty and hold no character that a name may not: so only
    the length and the arithmetic can fail.
    """
    try:
        name = template.render(env)
    except ExpressionError:
        return None
    return name if len(name) <= MAX_NAME else None


_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _words_in(node: Mapping) -> frozenset[str]:
    """The words in all texts of a layer but its name: what its fields could ask the rounds for."""
    return frozenset().union(*(_words_of(value) for key, value in node.entries.items() if key != "name"))


def _words_of(node: Node) -> frozenset[str]:
    """The words in all texts of a node."""
    values = (inner.value for inner in walk(node) if isinstance(inner, Scalar))
    return frozenset(word for value in values if isinstance(value, str) for word in _WORD.findall(value))


def _type(node: Mapping) -> object:
    found = node.get("type")
    return plain(found) if found is not None else None


_WITHOUT_WEIGHTS = re.compile(
    r"dropout|flatten|pool|reshape|padding|upsampling|relu$|softmax|sigmoid|tanh|gelu"
)
"""What frameworks call layers that hold nothing."""


def _unknown_kind(value: object, place: Place) -> Diagnostic:
    known = [*KINDS, "group"]
    close = difflib.get_close_matches(str(value).lower(), known, n=1)
    squeezed = {name.replace("_", ""): name for name in known}
    nearest = _KIND_SYNONYMS.get(str(value).lower()) or squeezed.get(str(value).lower().replace("_", ""))
    if nearest is None and _WITHOUT_WEIGHTS.search(str(value).lower()):
        return Diagnostic(f"{describe(value)} is no layer kind", place, "leave it out: it has no weights")
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
