"""Turn a spec into a plan: the tensors of its weight file. No array is created and no file is read."""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass, field, replace
from operator import attrgetter

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, PlanError, Span
from lecun_cli.frameworks import EXACT, FRAMEWORKS, RULES, Slot, UnsupportedError
from lecun_cli.initializers.distributions import Constant
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.layers import Parameter, RawTensor
from lecun_cli.plan.types import PackedParameter, Plan, PlannedLayer, TensorPlan
from lecun_cli.spec.expand import ExpandedLayer
from lecun_cli.spec.load import Spec

MAX_NBYTES = 2**63 - 1
_DTYPE_ORDER = {name: i for i, name in enumerate(DTYPES)}


def make_plan(spec: Spec) -> Plan:
    """Return the plan of a spec.

    Args:
        spec: A validated spec, as `load_spec` and `parse_spec` return it.

    Raises:
        PlanError: Names or identities clash, a fan is undefined, a value does not fit in its dtype, or the
            sizes overflow. The error contains all such diagnostics, up to 100.

    Example:
        >>> make_plan(load_spec("lenet5")).nbytes
        246824
    """
    return _Planner(spec).plan()


MatchingRules = tuple[tuple[int, ...], ...]
"""For each parameter of a tensor, the indices of the rules that match it."""


@dataclass(frozen=True, slots=True)
class _StoredTensor:
    """A tensor that stores parameters of a layer.

    Attributes:
        slot: Where the framework stores it.
        param_names: Names of the parameters that it packs, in order.
        packed: The parameters.
        planned: Cache of the first tensor that was planned without an error, keyed by the rules that match.
            Tensors of other iterations of a repeat differ from it in their names only.
    """

    slot: Slot
    param_names: tuple[str, ...]
    packed: tuple[Parameter, ...]
    planned: dict[MatchingRules, TensorPlan] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _StoredLayer:
    """How a layer is stored.

    Attributes:
        raw: If true, the layer is a raw tensor, whose name is used verbatim.
        stream: Prefix of the identities; None means the layer's path.
        stored: The tensors.
    """

    raw: bool
    stream: str | None
    stored: tuple[_StoredTensor, ...]


class _Planner:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.framework = FRAMEWORKS[spec.framework]
        self.rules = [(rule, re.compile(fnmatch.translate(rule.match))) for rule in spec.rules]
        self.used: set[int] = set()
        self.diagnostics: list[Diagnostic] = []
        self.names: dict[str, ExpandedLayer] = {}
        self.identities: dict[str, ExpandedLayer] = {}
        self.stored_layers: dict[int, _StoredLayer] = {}
        self.tensors: list[TensorPlan] = []
        self.layers: list[PlannedLayer] = []

    def plan(self) -> Plan:
        for expanded in self.spec.layers:
            self._layer(expanded)
        tensors = self.tensors
        if sum(t.nbytes for t in tensors) > MAX_NBYTES:
            self.diagnostics.append(
                Diagnostic("the tensors overflow: expected less than 2**63 bytes in total")
            )
        if self.diagnostics:
            raise PlanError(tuple(self.diagnostics[:100]), source=self.spec.source, text=self.spec.text)
        tensors.sort(key=attrgetter("name"))
        if len({t.dtype for t in tensors}) > 1:
            tensors.sort(
                key=lambda t: _DTYPE_ORDER[t.dtype]
            )  # a stable sort, which keeps the order of the names
        unused = [rule.match for i, (rule, _) in enumerate(self.rules) if i not in self.used]
        return Plan(
            tensors=tuple(tensors),
            seed=self.spec.seed,
            framework=self.spec.framework,
            fan_rule=self.spec.fan_rule,
            spec_sha256=self.spec.sha256,
            overrides=self.spec.overrides,
            layers=tuple(self.layers),
            warnings=tuple(f'the rule for "{match}" matches no tensor' for match in unused),
            source=self.spec.source,
            text=self.spec.text,
        )

    def _layer(self, expanded: ExpandedLayer) -> None:
        """Plan the stored tensors of one layer."""
        path, own_name, layer, layer_type, span, parents = expanded
        stored_layer = self.stored_layers.get(id(layer)) or self._stored_layer(expanded)
        joined = "/".join(path)
        base = stored_layer.stream
        if base is None:
            above = f"{joined}/" if path else ""
            base = above + own_name if stored_layer.raw else above
        leaves = []
        for stored in stored_layer.stored:
            slot = stored.slot
            leaf = own_name if stored_layer.raw else slot.name
            name = self.framework.tensor_name(path, leaf, slot.collection)
            param_names = stored.param_names
            identities = (
                (base + param_names[0],)
                if len(param_names) == 1
                else tuple([base + param_name for param_name in param_names])
            )
            tensor = self._tensor(name, identities, stored, expanded)
            if tensor is not None:
                leaves.append((leaf, name))
                self.tensors.append(tensor)
        self.layers.append(PlannedLayer(layer_type, joined, parents, tuple(leaves), span))

    def _stored_layer(self, expanded: ExpandedLayer) -> _StoredLayer:
        """Return how a layer is stored; iterations of a repeat that share the layer share this too."""
        layer = expanded.layer
        parameters = {parameter.param_name: parameter for parameter in layer.parameters()}
        slots = self._slots(expanded)
        stored = []
        for slot in slots:
            param_names = tuple(param_name for param_name in slot.param_names if param_name in parameters)
            if param_names:
                stored.append(
                    _StoredTensor(
                        slot, param_names, tuple(parameters[param_name] for param_name in param_names)
                    )
                )
        raw = isinstance(layer, RawTensor)
        stream = layer.stream if raw or layer.stream is None else layer.stream.replace(".", "/") + "/"
        stored_layer = _StoredLayer(raw, stream, tuple(stored))
        if slots:  # otherwise report the error for every iteration
            self.stored_layers[id(layer)] = stored_layer
        return stored_layer

    def _slots(self, expanded: ExpandedLayer) -> tuple[Slot, ...]:
        if isinstance(expanded.layer, RawTensor):
            return (Slot("", ("",), collection=expanded.layer.collection),)
        try:
            return self.framework.slots(expanded.layer_type, expanded.layer)
        except UnsupportedError as error:
            message = f"layer type {expanded.layer_type} cannot be stored for {self.framework.name}: {error}"
            self._add_diagnostic(message, expanded.span, "change the layer, or choose another --framework")
            return ()

    def _tensor(
        self, name: str, identities: tuple[str, ...], stored: _StoredTensor, expanded: ExpandedLayer
    ) -> TensorPlan | None:
        """Plan one stored tensor; return None if that added a diagnostic."""
        before = len(self.diagnostics)
        first = self.names.setdefault(name, expanded)
        if first is not expanded:
            self._name_again(name, first, expanded)
            return None
        matching_rules = self._matching_rules(name, identities) if self.rules else ()
        first_planned = stored.planned.get(matching_rules)
        if first_planned is not None:
            for identity in identities:
                self._unique_identity(identity, expanded)
            return first_planned.renamed(name, identities) if len(self.diagnostics) == before else None
        slot = stored.slot
        rules = [
            self.rules[i][0] for i in sorted({i for matched in matching_rules for i in matched}, reverse=True)
        ]
        dtype = stored.packed[0].dtype or expanded.layer.dtype or self.spec.dtype
        dtype = next((rule.dtype for rule in rules if rule.dtype), dtype)
        shape = slot.tensor_shape(tuple(slot.part_shape(parameter.shape) for parameter in stored.packed))
        parts = []
        for k, (identity, parameter) in enumerate(zip(identities, stored.packed, strict=True)):
            self._unique_identity(identity, expanded)
            # A rule for one parameter does not apply to others that a framework packs into the same tensor.
            matched = (
                [self.rules[i][0].initializer for i in reversed(matching_rules[k])] if matching_rules else []
            )
            initializer = next(filter(None, matched), None)
            changed = replace(parameter, initializer=initializer) if initializer else parameter
            part = self._part(name, slot, identity, changed, expanded, shape)
            if part is not None:
                self._check_dtype(name, part, DTYPES[dtype], expanded.span)
                parts.append(part)
        if len(self.diagnostics) > before:
            return None
        tensor = TensorPlan.of(name, dtype, shape, tuple(parts), slot.concat_axis, expanded.span)
        stored.planned[matching_rules] = tensor
        return tensor

    def _matching_rules(self, name: str, identities: tuple[str, ...]) -> MatchingRules:
        """Return the rules that match each parameter: by the tensor's name or by the parameter's identity."""
        globs = [(i, glob, glob.match(name)) for i, (_, glob) in enumerate(self.rules)]
        matching_rules = tuple(
            tuple(i for i, glob, name_matches in globs if name_matches or glob.match(identity))
            for identity in identities
        )
        self.used.update(*matching_rules)
        return matching_rules

    def _part(
        self,
        name: str,
        slot: Slot,
        identity: str,
        parameter: Parameter,
        expanded: ExpandedLayer,
        stored: Shape,
    ) -> PackedParameter | None:
        """Plan one parameter; return None if its fans are undefined."""
        fans = parameter.fans
        if self.spec.fan_rule != EXACT and (fans or parameter.initializer.needs_fans):
            try:
                fans = _fans_under(self.spec.fan_rule, expanded, parameter)
            except FanError as error:
                if parameter.initializer.needs_fans:
                    self._add_diagnostic(
                        f'the fans of "{name}" are undefined: {error}', expanded.span, _FAN_HELP
                    )
                    return None
                fans = None
        if fans is None and parameter.initializer.needs_fans:
            self._add_diagnostic(
                f'{parameter.initializer.name} needs a fan-in, and that of "{name}" '
                f"{list(stored)} is undefined",
                expanded.span,
                _FAN_HELP,
            )
            return None
        return PackedParameter(
            identity=identity,
            shape=slot.part_shape(parameter.shape),
            axes=slot.axes,
            initializer=parameter.initializer,
            fans=fans,
            exact=parameter.fans,
            distribution=parameter.initializer.distribution(fans),
            flip=slot.flip,
        )

    def _name_again(self, name: str, first: ExpandedLayer, expanded: ExpandedLayer) -> None:
        if first.span is not None and first.span == expanded.span:
            subject, advice = (
                "several tensors of one layer have",
                'a repeat needs its index in a name: "block_{i}"',
            )
            related = None
        else:
            subject, advice = "two tensors have", "rename one of them"
            related = (first.span, "the first is here") if first.span else None
        self.diagnostics.append(Diagnostic(f'{subject} the name "{name}"', expanded.span, advice, related))

    def _unique_identity(self, identity: str, expanded: ExpandedLayer) -> None:
        first = self.identities.setdefault(identity, expanded)
        if first is expanded or expanded.layer.stream is not None:
            return
        if first.layer.stream is not None:
            self.identities[identity] = expanded
            return
        related = (first.span, "the first is here") if first.span else None
        self.diagnostics.append(
            Diagnostic(
                f'two parameters have the identity "{identity}", so they would have the same weights',
                expanded.span,
                "rename one of them, or share the weights on purpose with `stream:`",
                related,
            )
        )

    def _check_dtype(self, name: str, part: PackedParameter, dtype: DType, span: Span | None) -> None:
        distribution = part.distribution
        if not dtype.is_float and not isinstance(distribution, Constant):
            message = f'"{name}": expected a float dtype for {part.initializer.name}, got {dtype.name}'
            self._add_diagnostic(message, span, "give it a float dtype, or an initializer such as zeros")
        elif not dtype.is_float and distribution.bound != int(distribution.bound):
            self._add_diagnostic(
                f'"{name}": expected a whole number for {dtype.name}, got {distribution.bound:g}', span, None
            )
        elif dtype.kind in {"uint", "bool"} and isinstance(distribution, Constant) and distribution.value < 0:
            self._add_diagnostic(
                f'"{name}": expected at least 0 for {dtype.name}, got {distribution.value}', span, None
            )
        elif distribution.bound > dtype.largest or not math.isfinite(distribution.bound):
            message = (
                f'"{name}" overflows {dtype.name}: expected magnitudes of at most {dtype.largest:g}, '
                f"got {distribution.bound:g}"
            )
            self._add_diagnostic(message, span, "give it a wider dtype or a smaller scale")

    def _add_diagnostic(self, message: str, span: Span | None, advice: str | None) -> None:
        self.diagnostics.append(Diagnostic(message, span, advice))


_FAN_HELP = "give `fan_in:` or `in_axes:`, or an initializer without fans, such as zeros for a bias"


def _fans_under(rule_name: str, expanded: ExpandedLayer, parameter: Parameter) -> Fans:
    """Return the fans that a framework computes for a parameter, from the shape that it stores.

    No rule changes a `fan_in` that the spec gives.

    Raises:
        FanError: The rule does not define the fans.
    """
    framework, rule = RULES[rule_name]
    layer = expanded.layer
    if isinstance(layer, RawTensor):
        if layer.fan_in is not None and parameter.fans is not None:
            return parameter.fans
        return rule.fans(None, parameter.shape)
    shapes = {p.param_name: p.shape for p in layer.parameters()}
    try:
        slots = framework.slots(expanded.layer_type, layer)
    except UnsupportedError as error:
        raise FanError(f"{framework.name} has no such layer ({error})") from None
    for slot in slots:
        if parameter.param_name in slot.param_names:
            parts = tuple(
                slot.part_shape(shapes[param_name]) for param_name in slot.param_names if param_name in shapes
            )
            return rule.fans(slot, slot.tensor_shape(parts))
    raise FanError(f"{framework.name} does not store {parameter.param_name} of a {expanded.layer_type} layer")
