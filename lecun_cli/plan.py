"""Spec -> Plan: the tensors of a file, each with its law and its identity. Pure; no arrays, no I/O."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, Place, PlanError
from lecun_cli.fans import FanError, Fans, Shape
from lecun_cli.frameworks import EXACT, FRAMEWORKS, RULES, FanRule, Slot, UnsupportedError
from lecun_cli.laws import Constant
from lecun_cli.planned import Part, Plan, PlannedLayer, TensorPlan
from lecun_cli.spec.expand import PlacedLayer
from lecun_cli.spec.kinds import Parameter, RawTensor
from lecun_cli.spec.load import Spec

__all__ = ["Part", "Plan", "PlannedLayer", "TensorPlan", "make_plan"]

MAX_NBYTES = 2**63 - 1
_DTYPE_ORDER = {name: i for i, name in enumerate(DTYPES)}


def make_plan(spec: Spec) -> Plan:
    """Work out every tensor of a spec.

    Raises:
        PlanError: Names or identities clash, a fan is undefined, a value does not fit its dtype, or
            sizes overflow; every such fault is in it.
    """
    return _Planner(spec).plan()


@dataclass(frozen=True)
class _Origin:
    """Where a tensor comes from in the spec, for messages."""

    place: Place | None
    explicit_stream: bool


class _Planner:
    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.framework = FRAMEWORKS[spec.framework]
        self.rules = [(rule, re.compile(fnmatch.translate(rule.match))) for rule in spec.rules]
        self.used: set[int] = set()
        self.faults: list[Diagnostic] = []
        self.names: dict[str, _Origin] = {}
        self.identities: dict[str, _Origin] = {}
        self.layers: list[PlannedLayer] = []

    def plan(self) -> Plan:
        tensors = [t for placed in self.spec.layers for t in self._layer(placed)]
        if sum(t.nbytes for t in tensors) > MAX_NBYTES:
            self.faults.append(Diagnostic("the tensors overflow: together they have more than 2**63 bytes"))
        if self.faults:
            raise PlanError(tuple(self.faults[:100]), source=self.spec.source, text=self.spec.text)
        tensors.sort(key=lambda t: (_DTYPE_ORDER[t.dtype], t.name))
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

    def _layer(self, placed: PlacedLayer) -> Iterator[TensorPlan]:
        """The stored tensors of one layer."""
        layer = placed.layer
        origin = _Origin(placed.place, layer.stream is not None)
        found = {parameter.role: parameter for parameter in layer.parameters()}
        stored = []
        for slot in self._slots(placed):
            roles = [role for role in slot.roles if role in found]
            if not roles:
                continue
            packed = [(self._identity(placed, role), found[role]) for role in roles]
            name = self.framework.tensor_name(placed.path, slot.name, slot.collection)
            tensor = self._tensor(name, slot, packed, placed, origin)
            if tensor is not None:
                stored.append((slot.name, name))
                yield tensor
        self.layers.append(
            PlannedLayer(placed.kind, "/".join(placed.path), placed.within, tuple(stored), placed.place)
        )

    def _slots(self, placed: PlacedLayer) -> tuple[Slot, ...]:
        if isinstance(placed.layer, RawTensor):
            return (Slot(placed.layer.name, ("",), collection=placed.layer.collection),)
        try:
            return self.framework.slots(placed.kind, placed.layer)
        except UnsupportedError as error:
            said = f"a {placed.kind} layer cannot be stored for {self.framework.name}: {error}"
            self._fault(said, placed.place, "change the layer, or choose another --framework")
            return ()

    @staticmethod
    def _identity(placed: PlacedLayer, role: str) -> str:
        layer = placed.layer
        if isinstance(layer, RawTensor):
            return layer.stream or "/".join((*placed.path, layer.name))
        base = "/".join(placed.path) if layer.stream is None else layer.stream.replace(".", "/")
        return f"{base}/{role}"

    def _tensor(
        self,
        name: str,
        slot: Slot,
        packed: list[tuple[str, Parameter]],
        placed: PlacedLayer,
        origin: _Origin,
    ) -> TensorPlan | None:
        """One stored tensor, or None with its faults noted."""
        before = len(self.faults)
        if not self._unique_name(name, origin):
            return None
        identities = tuple(identity for identity, _ in packed)
        rules = [found for i, found in enumerate(self.rules) if self._matches(i, found[1], name, identities)]
        dtype = packed[0][1].dtype or placed.layer.dtype or self.spec.dtype
        dtype = next((rule.dtype for rule, _ in reversed(rules) if rule.dtype), dtype)
        shape = slot.tensor_shape(tuple(slot.part_shape(parameter.shape) for _, parameter in packed))
        parts = []
        for identity, parameter in packed:
            self._unique_identity(identity, origin)
            # A rule for one parameter leaves the others alone that a framework packs with it.
            own = (rule for rule, glob in reversed(rules) if glob.match(name) or glob.match(identity))
            initializer = next((rule.initializer for rule in own if rule.initializer), None)
            ruled = replace(parameter, initializer=initializer) if initializer else parameter
            part = self._part(name, slot, identity, ruled, placed, shape)
            if part is not None:
                self._check_dtype(name, part, DTYPES[dtype], origin.place)
                parts.append(part)
        if len(self.faults) > before:
            return None
        return TensorPlan(name, dtype, shape, tuple(parts), slot.along, origin.place)

    def _part(
        self, name: str, slot: Slot, identity: str, parameter: Parameter, placed: PlacedLayer, stored: Shape
    ) -> Part | None:
        """A parameter with its fans and its law."""
        fans = parameter.fans
        if self.spec.fan_rule != EXACT and (fans or parameter.initializer.needs_fans):
            try:
                fans = _ruled(RULES[self.spec.fan_rule], placed, parameter)
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

    def _matches(self, index: int, glob: re.Pattern[str], name: str, identities: tuple[str, ...]) -> bool:
        if glob.match(name) or any(glob.match(identity) for identity in identities):
            self.used.add(index)
            return True
        return False

    def _unique_name(self, name: str, origin: _Origin) -> bool:
        first = self.names.setdefault(name, origin)
        if first is origin:
            return True
        if first.place is not None and first.place == origin.place:
            said, advice = (
                "several tensors of one layer have",
                'a repeat needs its index in a name: "block_{i}"',
            )
            related = None
        else:
            said, advice = "two tensors have", "rename one of them"
            related = (first.place, "the first is here") if first.place else None
        self.faults.append(Diagnostic(f'{said} the name "{name}"', origin.place, advice, related))
        return False

    def _unique_identity(self, identity: str, origin: _Origin) -> None:
        first = self.identities.setdefault(identity, origin)
        if first is origin or origin.explicit_stream:
            return
        if first.explicit_stream:
            self.identities[identity] = origin
            return
        related = (first.place, "the first is here") if first.place else None
        self.faults.append(
            Diagnostic(
                f'two parameters have the identity "{identity}", so they would hold the same weights',
                origin.place,
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


def _ruled(rule: FanRule, placed: PlacedLayer, parameter: Parameter) -> Fans:
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
