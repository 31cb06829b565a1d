"""Expand groups, repeats and expressions into a flat list of layers."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import NamedTuple, cast

from lecun_cli.display.text import clip
from lecun_cli.errors import Diagnostic, Span, describe
from lecun_cli.layers import LAYER_TYPES, AnyLayer, RawTensor
from lecun_cli.layers.container import Container
from lecun_cli.layers.expressions import Environment, ExpressionError, Template, evaluate
from lecun_cli.layers.fields import MAX_NAME, split_path
from lecun_cli.spec.document import Group, Repeat
from lecun_cli.spec.nodes import Mapping, Node, Scalar, Sequence, describe_node, plain, walk
from lecun_cli.spec.validate import Diagnostics, unknown_key, validate

MAX_LAYERS = 1_000_000


class ExpandedLayer(NamedTuple):
    """A layer with its full path; a tuple, since there can be a million of them.

    Attributes:
        path: The names of the groups around the layer, and its name unless it is a raw tensor.
        name: The name of the layer.
        layer: The validated layer, all sizes plain integers. Iterations of a repeat in which only the name
            differs share the layer of the first iteration, with the name of the first iteration.
        layer_type: The `type` of the layer; `tensor` for raw tensors.
        span: The span of the name in the text.
        parents: The groups around the layer, outermost first.
    """

    path: tuple[str, ...]
    name: str
    layer: AnyLayer
    layer_type: str
    span: Span | None
    parents: tuple[Container, ...] = ()


def expand(root: Mapping, env: Environment, diagnostics: Diagnostics) -> tuple[ExpandedLayer, ...]:
    """Expand a spec.

    Args:
        root: The spec.
        env: The values of its params.
        diagnostics: Receives the errors.

    Returns:
        The layers and raw tensors, in the order of the text.
    """
    expander = _Expander(diagnostics)
    layers = root.get("layers")
    if _min_layers(layers, env) > MAX_LAYERS:  # before the first layer, to fail at once
        expander.too_many(root.keys["layers"])
        return ()
    expander.items(layers, env, ())
    expander.tensors(root.get("tensors"), env)
    return tuple(expander.layers)


def _min_layers(node: Node | None, env: Environment) -> int:
    """Return a lower bound on the number of layers and iterations.

    A count that depends on an index counts as 0.
    """
    if not isinstance(node, Sequence):
        return 0
    total = 0
    for item in node.items:
        if isinstance(item, Mapping) and "repeat" in item.entries:
            total += _iterations(item.entries["repeat"], env) * max(1, _min_layers(item.get("layers"), env))
        elif isinstance(item, Mapping) and "layers" in item.entries:
            total += _min_layers(item.get("layers"), env)
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
    """Return the groups around a layer with one more inside."""
    above = parents[-1].path if parents else ()
    return (*parents, Container(above + split_path(name), model))


@dataclass(frozen=True, slots=True)
class _Validated:
    """A validated layer of a repeat in which only its name differs between iterations.

    Attributes:
        first: The layer in the first iteration.
        own_path: The segments of the name in the first iteration.
        template: The template of the name.
    """

    first: ExpandedLayer
    own_path: tuple[str, ...]
    template: Template


class _Expander:
    """Walks the lists of a spec and collects the layers."""

    def __init__(self, diagnostics: Diagnostics) -> None:
        self.diagnostics = diagnostics
        self.layers: list[ExpandedLayer] = []
        self.steps = 0
        self._indices: set[str] = set()
        self._names: dict[int, frozenset[str]] = {}
        self._validated: dict[int, _Validated] = {}

    def too_many(self, span: Span) -> None:
        """Report that the spec has too many layers."""
        self.diagnostics.add(
            Diagnostic(f"the spec has too many layers: expected at most {MAX_LAYERS:,}", span)
        )

    def _stops(self, span: Span) -> bool:
        """Count a layer or an iteration, and return whether there are too many of them, or of diagnostics."""
        self.steps += 1
        if self.steps <= MAX_LAYERS and not self.diagnostics.collected:
            return False
        if self.steps == MAX_LAYERS + 1:
            self.too_many(span)
        return self.steps > MAX_LAYERS or self.diagnostics.full

    def items(self, node: Node | None, env: Environment, parents: Parents) -> None:
        """Collect the layers of a list."""
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
                group = validate(Group, item, env, "group", self.diagnostics)
                if group is not None:
                    self.items(item.get("layers"), env, _inside(parents, group.name, group.model))
            else:
                self._layer(item, env, parents)

    def _repeat(self, node: Mapping, env: Environment, parents: Parents) -> None:
        # The name can contain the index, so the repeat is first validated with the index 0.
        index = plain(node.entries["index"]) if "index" in node.entries else "i"
        probe = {**env, index: 0} if isinstance(index, str) else env
        repeat = validate(Repeat, node, probe, "repeat", self.diagnostics)
        if repeat is None:
            return
        if repeat.index in env:
            span = node.entries.get("index", node).span
            self.diagnostics.add(
                Diagnostic(
                    f'the index "{repeat.index}" is already defined',
                    span,
                    "choose another name with `index:`",
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
                    again = validate(Repeat, node, inner, "repeat", self.diagnostics)
                    name = again.name if again is not None else None
            inside = _inside(parents, name, repeat.model) if name else parents
            self.items(layers, inner, inside)

    def _layer(self, node: Node, env: Environment, parents: Parents) -> None:
        if not isinstance(node, Mapping):
            self.diagnostics.add(
                Diagnostic(f"invalid layer: expected a mapping, got {describe_node(node)}", node.span)
            )
            return
        type_node = node.get("type")
        if type_node is None and "<<" in node.entries:
            self.diagnostics.add(unknown_key("<<", "layer", [], node))
            return
        if type_node is None:
            self.diagnostics.add(
                Diagnostic(
                    'missing key "type" in a layer',
                    (node.get("name") or node).span,
                    f"the layer types are: {', '.join(LAYER_TYPES)}; a group has `layers:`, and a repeat has "
                    "`repeat:` and `layers:`",
                )
            )
            return
        name = type_node.value if isinstance(type_node, Scalar) else None
        layer_type = LAYER_TYPES.get(name) if isinstance(name, str) else None
        if layer_type is None:
            self.diagnostics.add(_unknown_layer_type(plain(type_node), type_node.span))
            return
        layer = validate(layer_type.model, node, env, f"{name} layer", self.diagnostics)
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
        """Return a validated layer in another iteration, or None if its name is invalid there."""
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
        """Collect the raw tensors at the top level of a spec."""
        if not isinstance(node, Sequence):
            return
        for item in node.items:
            if isinstance(item, Mapping) and "repeat" in item.entries:
                self.diagnostics.add(
                    Diagnostic(
                        "`repeat:` is not supported in `tensors:`",
                        item.keys["repeat"],
                        "use layers of `type: tensor` under `layers:`",
                    )
                )
                continue
            tensor = validate(RawTensor, item, env, "raw tensor", self.diagnostics)
            if tensor is not None:
                span = item.entries["name"].span  # type: ignore[union-attr]
                self.layers.append(ExpandedLayer((), tensor.name, tensor, "tensor", span))


def _filled(template: Template, env: Environment) -> str | None:
    """Fill in a template that was valid in another iteration; return None if the name is invalid.

    Iterations differ in integers, which are never empty and contain no invalid character, so only the
    length and the arithmetic can fail.
    """
    try:
        name = template.render(env)
    except ExpressionError:
        return None
    return name if len(name) <= MAX_NAME else None


_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _names_in_fields(node: Mapping) -> frozenset[str]:
    """Return the names that the fields of a layer other than its name may refer to."""
    return frozenset().union(*(_names_in_node(value) for key, value in node.entries.items() if key != "name"))


def _names_in_node(node: Node) -> frozenset[str]:
    """Return the names in all strings of a node."""
    values = (inner.value for inner in walk(node) if isinstance(inner, Scalar))
    return frozenset(name for value in values if isinstance(value, str) for name in _NAME.findall(value))


def _type(node: Mapping) -> object:
    type_node = node.get("type")
    return plain(type_node) if type_node is not None else None


_WITHOUT_WEIGHTS = re.compile(
    r"dropout|flatten|pool|reshape|padding|upsampling|relu$|softmax|sigmoid|tanh|gelu"
)
"""Names of layers without parameters in the frameworks."""


def _unknown_layer_type(value: object, span: Span) -> Diagnostic:
    names = [*LAYER_TYPES, "group"]
    all_names = f"the layer types are: {', '.join(names)}"
    if not isinstance(value, str):
        return Diagnostic(f"type: expected a layer type, got {describe(value)}", span, all_names)
    message = f'unknown layer type "{clip(value)}"'
    text = value.lower()
    squeezed = {name.replace("_", ""): name for name in names}
    synonyms = {synonym: name for name, row in LAYER_TYPES.items() for synonym in row.synonyms}
    similar = synonyms.get(text) or squeezed.get(text.replace("_", ""))
    if similar is None and _WITHOUT_WEIGHTS.search(text):
        return Diagnostic(message, span, "remove it: it has no weights")
    similar = similar or next(iter(difflib.get_close_matches(text, names, n=1)), None)
    return Diagnostic(message, span, f"did you mean {similar}?" if similar else all_names)
