"""Layers as written -> layers as they stand: groups, repeats and expressions worked out."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple, cast

from lecun_cli.errors import Diagnostic, Span, describe
from lecun_cli.layers import LAYER_TYPES, AnyLayer, RawTensor
from lecun_cli.layers.expressions import Environment, ExpressionError, Template, evaluate
from lecun_cli.layers.fields import MAX_NAME, split_path
from lecun_cli.spec.document import Group, Repeat
from lecun_cli.spec.nodes import Mapping, Node, Scalar, Sequence, plain, walk
from lecun_cli.spec.validate import Diagnostics, unknown_key, validate

MAX_LAYERS = 1_000_000


class Container(NamedTuple):
    """A group, or a round of a repeat that has a name; a tuple, for there may be a million.

    Attributes:
        path: Its whole path.
        model: What Keras builds of it: `functional` or `sequential`.
    """

    path: tuple[str, ...]
    model: str


class ExpandedLayer(NamedTuple):
    """A layer with its whole path; a tuple, for there may be a million.

    Attributes:
        path: The names of its groups, and its own unless it is a raw tensor.
        name: Its own name.
        layer: The validated layer, all sizes plain integers. Rounds of a repeat that differ in its name
            alone share that of the first round, with the name of the first round.
        layer_type: Its `type`; `tensor` for raw tensors.
        span: Where its name stands in the text.
        parents: The groups that hold it, outermost first.
    """

    path: tuple[str, ...]
    name: str
    layer: AnyLayer
    layer_type: str
    span: Span | None
    parents: tuple[Container, ...] = ()


def expand(root: Mapping, env: Environment, diagnostics: Diagnostics) -> tuple[ExpandedLayer, ...]:
    """Every layer and raw tensor of a spec, in the order of the text; faults are noted."""
    expander = _Expander(diagnostics)
    layers = root.get("layers")
    if _fewest(layers, env) > MAX_LAYERS:  # before the first is made: this is told at once
        expander.too_many(root.keys["layers"])
        return ()
    expander.items(layers, env, ())
    expander.tensors(root.get("tensors"), env)
    return tuple(expander.layers)


def _fewest(node: Node | None, env: Environment) -> int:
    """Layers and rounds that a list makes at the least; a count that needs an index counts as zero."""
    if not isinstance(node, Sequence):
        return 0
    total = 0
    for item in node.items:
        if isinstance(item, Mapping) and "repeat" in item.entries:
            total += _iterations(item.entries["repeat"], env) * max(1, _fewest(item.get("layers"), env))
        elif isinstance(item, Mapping) and "layers" in item.entries:
            total += _fewest(item.get("layers"), env)
        else:
            total += 1
    return total


def _iterations(node: Node, env: Environment) -> int:
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, str):
        try:
            value = evaluate(value, env)
        except ExpressionError:
            return 0
    return max(0, value) if isinstance(value, int) else 0


Parents = tuple[Container, ...]


def _inside(parents: Parents, name: str, model: str) -> Parents:
    """The groups around a layer, and one more."""
    above = parents[-1].path if parents else ()
    return (*parents, Container(above + split_path(name), model))


@dataclass(frozen=True, slots=True)
class _Validated:
    """A layer that is validated, and whose rounds differ in its name alone.

    Attributes:
        first: The layer of the first round.
        own_path: The path that its name makes, where that is the same in every round.
        template: What its name is made of.
    """

    first: ExpandedLayer
    own_path: tuple[str, ...]
    template: Template


class _Expander:
    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.layers: list[ExpandedLayer] = []
        self.steps = 0
        self._indices: set[str] = set()
        self._names: dict[int, frozenset[str]] = {}
        self._validated: dict[int, _Validated] = {}

    def too_many(self, span: Span) -> None:
        """Note that there are more layers than a spec may have."""
        self.diagnostics.add(
            Diagnostic(f"a spec has at most {MAX_LAYERS:,} layers, and this one has more", span)
        )

    def _stops(self, span: Span) -> bool:
        """Whether to go no further: too many faults, or too many layers and rounds."""
        self.steps += 1
        if self.steps <= MAX_LAYERS and not self.diagnostics.collected:  # asked for every layer and round
            return False
        if self.steps == MAX_LAYERS + 1:
            self.too_many(span)
        return self.steps > MAX_LAYERS or self.diagnostics.full

    def items(self, node: Node | None, env: Environment, parents: Parents) -> None:
        """Find the layers of a list."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if self._stops(item.span):
                return
            validated = self._validated.get(id(item))
            expanded = self._again(validated, env, parents) if validated is not None else None
            if expanded is not None:
                self.layers.append(expanded)
            elif isinstance(item, Mapping) and "repeat" in item.entries:
                self._repeat(item, env, parents)
            elif isinstance(item, Mapping) and ("layers" in item.entries or _type(item) == "group"):
                group = validate(Group, item, env, "a group", self.diagnostics)
                if group is not None:
                    self.items(item.get("layers"), env, _inside(parents, group.name, group.model))
            else:
                self._layer(item, env, parents)

    def _repeat(self, node: Mapping, env: Environment, parents: Parents) -> None:
        # The name may hold the index, so a first look is taken with the index at zero.
        index = plain(node.entries["index"]) if "index" in node.entries else "i"
        probe = {**env, index: 0} if isinstance(index, str) else env
        repeat = validate(Repeat, node, probe, "a repeat", self.diagnostics)
        if repeat is None:
            return
        if repeat.index in env:
            span = node.entries.get("index", node).span
            self.diagnostics.add(
                Diagnostic(
                    f'the index "{repeat.index}" is already a name here',
                    span,
                    "give it another with `index:`",
                )
            )
            return
        self._indices.add(repeat.index)
        template = None
        if repeat.name is not None and repeat.index not in _names_in_node(node.entries["repeat"]):
            template = Template.of(plain(node.entries["name"]))
        inner = dict(env)
        layers = node.get("layers")
        for i in range(repeat.repeat):
            if self._stops(node.span):
                return
            inner[repeat.index] = i
            name = repeat.name
            if name is not None and i:
                name = None if template is None else _filled(template, inner)
                if name is None:
                    again = validate(Repeat, node, inner, "a repeat", self.diagnostics)
                    name = again.name if again is not None else None
            inside = _inside(parents, name, repeat.model) if name else parents
            self.items(layers, inner, inside)

    def _layer(self, node: Node, env: Environment, parents: Parents) -> None:
        if not isinstance(node, Mapping):
            self.diagnostics.add(
                Diagnostic(f"a layer is a mapping, found {describe(plain(node))}", node.span)
            )
            return
        type_node = node.get("type")
        if type_node is None and "<<" in node.entries:
            self.diagnostics.add(unknown_key("<<", "a layer", [], node))
            return
        if type_node is None:
            self.diagnostics.add(
                Diagnostic(
                    'a layer needs the key "type"',
                    (node.get("name") or node).span,
                    f"kinds are: {', '.join(LAYER_TYPES)}; or give `layers:` for a group, `repeat:` for "
                    f"a repeat",
                )
            )
            return
        name = type_node.value if isinstance(type_node, Scalar) else None
        model = LAYER_TYPES.get(name) if isinstance(name, str) else None
        if model is None:
            self.diagnostics.add(_unknown_layer_type(plain(type_node), type_node.span))
            return
        layer = validate(model, node, env, f"a {name} layer", self.diagnostics)
        if layer is None:
            return
        above = parents[-1].path if parents else ()
        own_path = () if isinstance(layer, RawTensor) else split_path(layer.name)
        named = node.entries["name"]
        expanded = ExpandedLayer(above + own_path, layer.name, layer, cast("str", name), named.span, parents)
        self.layers.append(expanded)
        if id(node) not in self._names:
            self._names[id(node)] = _names_in_fields(node)
        if not self._names[id(node)] & self._indices:
            self._validated[id(node)] = _Validated(expanded, own_path, Template.of(plain(named)))

    @staticmethod
    def _again(validated: _Validated, env: Environment, parents: Parents) -> ExpandedLayer | None:
        """A known layer in another round; None where its name fails, which validation tells."""
        _, name, layer, layer_type, span, _ = validated.first
        own_path = validated.own_path
        if validated.template.expressions:
            filled = _filled(validated.template, env)
            if filled is None:
                return None
            name = filled
            own_path = split_path(name) if own_path else own_path
        above = parents[-1].path if parents else ()
        return ExpandedLayer(above + own_path, name, layer, layer_type, span, parents)

    def tensors(self, node: Node | None, env: Environment) -> None:
        """Find the raw tensors at the top of a spec."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if isinstance(item, Mapping) and "repeat" in item.entries:
                self.diagnostics.add(
                    Diagnostic(
                        "`tensors:` does not repeat",
                        item.keys["repeat"],
                        "under `layers:`, `type: tensor` makes a raw tensor that can",
                    )
                )
                continue
            tensor = validate(RawTensor, item, env, "a raw tensor", self.diagnostics)
            if tensor is not None:
                span = item.entries["name"].span  # type: ignore[union-attr]
                self.layers.append(ExpandedLayer((), tensor.name, tensor, "tensor", span))


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


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _names_in_fields(node: Mapping) -> frozenset[str]:
    """The words in all texts of a layer but its name: what its fields could ask the rounds for."""
    return frozenset().union(*(_names_in_node(value) for key, value in node.entries.items() if key != "name"))


def _names_in_node(node: Node) -> frozenset[str]:
    """The words in all texts of a node."""
    values = (inner.value for inner in walk(node) if isinstance(inner, Scalar))
    return frozenset(name for value in values if isinstance(value, str) for name in _NAME.findall(value))


def _type(node: Mapping) -> object:
    type_node = node.get("type")
    return plain(type_node) if type_node is not None else None


_WITHOUT_WEIGHTS = re.compile(
    r"dropout|flatten|pool|reshape|padding|upsampling|relu$|softmax|sigmoid|tanh|gelu"
)
"""What frameworks call layers that hold nothing."""


def _unknown_layer_type(value: object, span: Span) -> Diagnostic:
    names = [*LAYER_TYPES, "group"]
    close = difflib.get_close_matches(str(value).lower(), names, n=1)
    squeezed = {name.replace("_", ""): name for name in names}
    nearest = _LAYER_TYPE_SYNONYMS.get(str(value).lower()) or squeezed.get(
        str(value).lower().replace("_", "")
    )
    if nearest is None and _WITHOUT_WEIGHTS.search(str(value).lower()):
        return Diagnostic(f"{describe(value)} is no layer kind", span, "leave it out: it has no weights")
    if nearest is None and close:
        nearest = close[0]
    advice = f"did you mean {nearest}?" if nearest else f"kinds are: {', '.join(names)}"
    return Diagnostic(f"{describe(value)} is no layer kind", span, advice)


_LAYER_TYPE_SYNONYMS = {
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
