"""Spec -> Plan: the tensors of a file, each with its law and its identity. Pure; no arrays, no I/O."""

from __future__ import annotations

import fnmatch
import math
import re
from dataclasses import dataclass, field, replace
from operator import attrgetter

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, Place, PlanError
from lecun_cli.frameworks import EXACT, FRAMEWORKS, RULES, FanRule, Slot, UnsupportedError
from lecun_cli.initializers.distributions import Constant
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.layers import Parameter, RawTensor
from lecun_cli.plan.types import Part, Plan, PlannedLayer, TensorPlan
from lecun_cli.spec.expand import PlacedLayer
from lecun_cli.spec.load import Spec

MAX_NBYTES = 2**63 - 1
_DTYPE_ORDER = {name: i for i, name in enumerate(DTYPES)}


def make_plan(spec: Spec) -> Plan:
    """Work out every tensor of a spec.

    Raises:
        PlanError: Names or identities clash, a fan is undefined, a value does not fit its dtype, or
            sizes overflow; every such fault is in it.
    """
    return _Planner(spec).plan()


Ruled = tuple[tuple[int, ...], ...]
"""For each parameter of a tensor, the indices of the rules that match it."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """A tensor that a layer is stored in.

    Attributes:
        slot: Where the framework stores it.
        roles: The roles of the parameters that it packs, in order.
        packed: The parameters.
        planned: The first tensor that was planned of it without a fault, for each way that rules match it.
            Those of other rounds of a repeat differ from it in their names alone.
    """

    slot: Slot
    roles: tuple[str, ...]
    packed: tuple[Parameter, ...]
    planned: dict[Ruled, TensorPlan] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Written:
    """How a layer is stored.

    Attributes:
        raw: Whether it is a raw tensor, which is called as it is named.
        stream: What its identities begin with, or None where that is its path.
        stored: Its tensors.
    """

    raw: bool
    stream: str | None
    stored: tuple[_Stored, ...]


class _Planner:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.framework = FRAMEWORKS[spec.framework]
        self.rules = [(rule, re.compile(fnmatch.translate(rule.match))) for rule in spec.rules]
        self.used: set[int] = set()
        self.faults: list[Diagnostic] = []
        self.names: dict[str, PlacedLayer] = {}
        self.identities: dict[str, PlacedLayer] = {}
        self.written: dict[int, _Written] = {}
        self.tensors: list[TensorPlan] = []
        self.layers: list[PlannedLayer] = []

    def plan(self) -> Plan:
        for placed in self.spec.layers:
            self._layer(placed)
        tensors = self.tensors
        if sum(t.nbytes for t in tensors) > MAX_NBYTES:
            self.faults.append(Diagnostic("the tensors overflow: together they have more than 2**63 bytes"))
        if self.faults:
            raise PlanError(tuple(self.faults[:100]), source=self.spec.source, text=self.spec.text)
        tensors.sort(key=attrgetter("name"))
        if len({t.dtype for t in tensors}) > 1:
            tensors.sort(key=lambda t: _DTYPE_ORDER[t.dtype])  # which keeps the order of the names
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

    def _layer(self, placed: PlacedLayer) -> None:
        """Plan the stored tensors of one layer."""
        path, own_name, layer, kind, place, within = placed
        written = self.written.get(id(layer)) or self._written(placed)
        joined = "/".join(path)
        base = written.stream
        if base is None:
            above = f"{joined}/" if path else ""
            base = above + own_name if written.raw else above
        leaves = []
        for stored in written.stored:
            slot = stored.slot
            leaf = own_name if written.raw else slot.name
            name = self.framework.tensor_name(path, leaf, slot.collection)
            roles = stored.roles
            identities = (base + roles[0],) if len(roles) == 1 else tuple([base + role for role in roles])
            tensor = self._tensor(name, identities, stored, placed)
            if tensor is not None:
                leaves.append((leaf, name))
                self.tensors.append(tensor)
        self.layers.append(PlannedLayer(kind, joined, within, tuple(leaves), place))

    def _written(self, placed: PlacedLayer) -> _Written:
        """How a layer is stored; rounds of a repeat that share a layer share this too."""
        layer = placed.layer
        found = {parameter.role: parameter for parameter in layer.parameters()}
        slots = self._slots(placed)
        stored = []
        for slot in slots:
            roles = tuple(role for role in slot.roles if role in found)
            if roles:
                stored.append(_Stored(slot, roles, tuple(found[role] for role in roles)))
        raw = isinstance(layer, RawTensor)
        stream = layer.stream if raw or layer.stream is None else layer.stream.replace(".", "/") + "/"
        written = _Written(raw, stream, tuple(stored))
        if slots:  # else there is a fault, which is told of every round
            self.written[id(layer)] = written
        return written

    def _slots(self, placed: PlacedLayer) -> tuple[Slot, ...]:
        if isinstance(placed.layer, RawTensor):
            return (Slot("", ("",), collection=placed.layer.collection),)
        try:
            return self.framework.slots(placed.kind, placed.layer)
        except UnsupportedError as error:
            said = f"a {placed.kind} layer cannot be stored for {self.framework.name}: {error}"
            self._fault(said, placed.place, "change the layer, or choose another --framework")
            return ()

    def _tensor(
        self, name: str, identities: tuple[str, ...], stored: _Stored, placed: PlacedLayer
    ) -> TensorPlan | None:
        """One stored tensor, or None with its faults noted."""
        before = len(self.faults)
        first = self.names.setdefault(name, placed)
        if first is not placed:
            self._name_again(name, first, placed)
            return None
        ruled = self._ruled(name, identities) if self.rules else ()
        known = stored.planned.get(ruled)
        if known is not None:
            for identity in identities:
                self._unique_identity(identity, placed)
            return known.renamed(name, identities) if len(self.faults) == before else None
        slot = stored.slot
        rules = [self.rules[i][0] for i in sorted({i for own in ruled for i in own}, reverse=True)]
        dtype = stored.packed[0].dtype or placed.layer.dtype or self.spec.dtype
        dtype = next((rule.dtype for rule in rules if rule.dtype), dtype)
        shape = slot.tensor_shape(tuple(slot.part_shape(parameter.shape) for parameter in stored.packed))
        parts = []
        for k, (identity, parameter) in enumerate(zip(identities, stored.packed, strict=True)):
            self._unique_identity(identity, placed)
            # A rule for one parameter leaves the others alone that a framework packs with it.
            own = [self.rules[i][0].initializer for i in reversed(ruled[k])] if ruled else []
            initializer = next(filter(None, own), None)
            changed = replace(parameter, initializer=initializer) if initializer else parameter
            part = self._part(name, slot, identity, changed, placed, shape)
            if part is not None:
                self._check_dtype(name, part, DTYPES[dtype], placed.place)
                parts.append(part)
        if len(self.faults) > before:
            return None
        tensor = TensorPlan(name, dtype, shape, tuple(parts), slot.along, placed.place)
        stored.planned[ruled] = tensor
        return tensor

    def _ruled(self, name: str, identities: tuple[str, ...]) -> Ruled:
        """The rules that match a tensor, by its name or by the identity of a parameter, for each of these."""
        globs = [(i, glob, glob.match(name)) for i, (_, glob) in enumerate(self.rules)]
        ruled = tuple(
            tuple(i for i, glob, named in globs if named or glob.match(identity)) for identity in identities
        )
        self.used.update(*ruled)
        return ruled

    def _part(
        self, name: str, slot: Slot, identity: str, parameter: Parameter, placed: PlacedLayer, stored: Shape
    ) -> Part | None:
        """A parameter with its fans and its law."""
        fans = parameter.fans
        if self.spec.fan_rule != EXACT and (fans or parameter.initializer.needs_fans):
            try:
                fans = _fans_under(RULES[self.spec.fan_rule], placed, parameter)
            except FanError as error:
                if parameter.initializer.needs_fans:
                    self._fault(f'the fans of "{name}" are undefined: {error}', placed.place, _FAN_HELP)
                    return None
                fans = None
        if fans is None and parameter.initializer.needs_fans:
            self._fault(
                f'{parameter.initializer.name} needs a fan-in, and that of "{name}" '
                f"{list(stored)} is undefined",
                placed.place,
                _FAN_HELP,
            )
            return None
        return Part(
            identity=identity,
            shape=slot.part_shape(parameter.shape),
            axes=slot.axes,
            initializer=parameter.initializer,
            fans=fans,
            exact=parameter.fans,
            law=parameter.initializer.law(fans),
            flip=slot.flip,
        )

    def _name_again(self, name: str, first: PlacedLayer, placed: PlacedLayer) -> None:
        if first.place is not None and first.place == placed.place:
            said, advice = (
                "several tensors of one layer have",
                'a repeat needs its index in a name: "block_{i}"',
            )
            related = None
        else:
            said, advice = "two tensors have", "rename one of them"
            related = (first.place, "the first is here") if first.place else None
        self.faults.append(Diagnostic(f'{said} the name "{name}"', placed.place, advice, related))

    def _unique_identity(self, identity: str, placed: PlacedLayer) -> None:
        first = self.identities.setdefault(identity, placed)
        if first is placed or placed.layer.stream is not None:
            return
        if first.layer.stream is not None:
            self.identities[identity] = placed
            return
        related = (first.place, "the first is here") if first.place else None
        self.faults.append(
            Diagnostic(
                f'two parameters have the identity "{identity}", so they would hold the same weights',
                placed.place,
                "rename one of them, or share the weights on purpose with `stream:`",
                related,
            )
        )

    def _check_dtype(self, name: str, part: Part, dtype: DType, place: Place | None) -> None:
        law = part.law
        if not dtype.is_float and not isinstance(law, Constant):
            said = f'"{name}" is {dtype.name}, and {part.initializer.name} draws fractions'
            self._fault(said, place, "give it a float dtype, or an initializer such as zeros")
        elif not dtype.is_float and law.bound != int(law.bound):
            self._fault(f'"{name}" is {dtype.name}, and its constant {law.bound:g} is not whole', place, None)
        elif dtype.kind in {"uint", "bool"} and isinstance(law, Constant) and law.value < 0:
            self._fault(f'"{name}" is {dtype.name}, and its constant {law.value} is negative', place, None)
        elif law.bound > dtype.largest or not math.isfinite(law.bound):
            said = f'"{name}" overflows {dtype.name}: its values go to {law.bound:g}, past {dtype.largest:g}'
            self._fault(said, place, "give it a wider dtype or a smaller scale")

    def _fault(self, message: str, place: Place | None, advice: str | None) -> None:
        self.faults.append(Diagnostic(message, place, advice))


_FAN_HELP = "give `fan_in:` or `in_axes:`, or an initializer that needs none, such as zeros for a bias"


def _fans_under(rule: FanRule, placed: PlacedLayer, parameter: Parameter) -> Fans:
    """What a framework would compute for a parameter, from the tensor that it stores it in.

    A fan-in that the user gives is the user's own, and no rule changes it.
    """
    layer = placed.layer
    if isinstance(layer, RawTensor):
        if layer.fan_in is not None and parameter.fans is not None:
            return parameter.fans
        return rule.fans(None, parameter.shape)
    shapes = {p.role: p.shape for p in layer.parameters()}
    try:
        slots = rule.framework.slots(placed.kind, layer)
    except UnsupportedError as error:
        raise FanError(f"{rule.framework.name} has no such layer ({error})") from None
    for slot in slots:
        if parameter.role in slot.roles:
            parts = tuple(slot.part_shape(shapes[role]) for role in slot.roles if role in shapes)
            return rule.fans(slot, slot.tensor_shape(parts))
    raise FanError(f"{rule.framework.name} stores no {parameter.role} of a {placed.kind} layer")
