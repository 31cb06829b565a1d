"""Spec -> Plan: the tensors of a file, each with its law and its identity. Pure; no arrays, no I/O."""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, Place, PlanError
from lecun_cli.fans import FanError, Fans, Shape
from lecun_cli.frameworks import EXACT, FRAMEWORKS, Framework, Slot
from lecun_cli.initializers import Initializer
from lecun_cli.laws import Constant, Law
from lecun_cli.spec.expand import PlacedLayer
from lecun_cli.spec.kinds import Parameter, RawTensor
from lecun_cli.spec.load import Spec

MAX_NBYTES = 2**63 - 1


@dataclass(frozen=True)
class Part:
    """One parameter's share of a stored tensor.

    Attributes:
        identity: What its stream is keyed with, besides the seed.
        shape: Its stored shape.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter, whose C order counts the
            stream; None where the two are the same.
        initializer: Where its law comes from.
        fans: The fans in force, or None where the law needs none and none are known.
        exact: The exact fans, which differ from `fans` only under a framework's fan rule.
        law: What is drawn.
    """

    identity: str
    shape: Shape
    axes: tuple[int, ...] | None
    initializer: Initializer
    fans: Fans | None
    exact: Fans | None
    law: Law

    @property
    def canonical_shape(self) -> Shape:
        """The shape in whose C order the stream counts."""
        if self.axes is None:
            return self.shape
        found = [0] * len(self.axes)
        for k, axis in enumerate(self.axes):
            found[axis] = self.shape[k]
        return tuple(found)


@dataclass(frozen=True)
class TensorPlan:
    """A tensor as it will be stored.

    Attributes:
        name: Its name in the file.
        dtype: A key of `DTYPES`.
        shape: Its shape, outermost axis first.
        parts: The parameters that it packs along axis `along`, in order; most tensors have one.
        along: The axis of packing.
        place: Where the spec names it, for messages.
    """

    name: str
    dtype: str
    shape: Shape
    parts: tuple[Part, ...]
    along: int = 0
    place: Place | None = field(default=None, compare=False, repr=False)

    @property
    def storage(self) -> DType:
        """The row of its dtype."""
        return DTYPES[self.dtype]

    @property
    def n_elements(self) -> int:
        """Elements, not bytes."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.n_elements * self.storage.itemsize


@dataclass(frozen=True)
class Plan:
    """Every tensor of a file, in the file's order, and what their bits depend on.

    Attributes:
        tensors: Sorted as the safetensors library sorts (wider dtypes first, then by name), so the
            order of the spec does not matter and every tensor is aligned to its elements.
        seed: The seed, or None as long as none is chosen.
        framework: A key of `FRAMEWORKS`.
        fan_rule: `exact` or a framework's.
        spec_sha256: SHA-256 of the spec's bytes.
        overrides: The `--set` values that were in force.
        warnings: What looks like a mistake and is none for certain.
        source: The spec's name, for messages.
        text: The spec's text, for messages.
    """

    tensors: tuple[TensorPlan, ...]
    seed: int | None
    framework: str
    fan_rule: str
    spec_sha256: str
    overrides: tuple[tuple[str, int], ...] = ()
    warnings: tuple[str, ...] = ()
    source: str = field(default="<spec>", compare=False, repr=False)
    text: str = field(default="", compare=False, repr=False)

    @property
    def n_elements(self) -> int:
        """Elements of all tensors."""
        return sum(t.n_elements for t in self.tensors)

    @property
    def nbytes(self) -> int:
        """Bytes of all tensors, without any header."""
        return sum(t.nbytes for t in self.tensors)

    def tensor(self, name: str) -> TensorPlan | None:
        """A tensor by its name."""
        return next((t for t in self.tensors if t.name == name), None)

    def error(self, *faults: Diagnostic) -> PlanError:
        """An error about this plan, with the places of the spec."""
        return PlanError(faults, source=self.source, text=self.text)

    def with_seed(self, seed: int) -> Plan:
        """The same plan under a seed."""
        return replace(self, seed=seed)


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

    def plan(self) -> Plan:
        tensors = [t for placed in self.spec.layers for t in self._tensors(placed)]
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
            warnings=tuple(f'the rule for "{match}" matches no tensor' for match in unused),
            source=self.spec.source,
            text=self.spec.text,
        )

    def _tensors(self, placed: PlacedLayer) -> Iterator[TensorPlan]:
        """The stored tensors of one layer."""
        layer = placed.layer
        origin = _Origin(placed.place, layer.stream is not None)
        if isinstance(layer, RawTensor):
            (parameter,) = layer.parameters()
            name = self.framework.tensor_name(placed.path, layer.name)
            identity = layer.stream or "/".join((*placed.path, layer.name))
            given = Slot(layer.name, ("",))
            yield from self._tensor(
                name, given, [(identity, parameter, layer.fan_in is not None)], placed, origin
            )
            return
        found = {parameter.role: parameter for parameter in layer.parameters()}
        base = "/".join(placed.path) if layer.stream is None else layer.stream.replace(".", "/")
        for slot in self.framework.table[placed.kind]:
            packed = [(f"{base}/{role}", found[role], False) for role in slot.roles if role in found]
            if packed:
                name = self.framework.tensor_name(placed.path, slot.name)
                yield from self._tensor(name, slot, packed, placed, origin)

    def _tensor(
        self,
        name: str,
        slot: Slot,
        packed: list[tuple[str, Parameter, bool]],
        placed: PlacedLayer,
        origin: _Origin,
    ) -> Iterator[TensorPlan]:
        """One stored tensor, if nothing is wrong with it."""
        before = len(self.faults)
        if not self._unique_name(name, origin):
            return
        identities = tuple(identity for identity, _, _ in packed)
        rules = [
            rule for i, (rule, glob) in enumerate(self.rules) if self._matches(i, glob, name, identities)
        ]
        parameter = packed[0][1]
        dtype = parameter.dtype or placed.layer.dtype or self.spec.dtype
        dtype = next((rule.dtype for rule in reversed(rules) if rule.dtype), dtype)
        initializer = next((rule.initializer for rule in reversed(rules) if rule.initializer), None)
        parts = []
        for identity, one, fixed in packed:
            self._unique_identity(identity, origin)
            ruled = replace(one, initializer=initializer or one.initializer)
            part = self._part(name, slot, identity, ruled, placed, fixed)
            if part is not None:
                self._check_dtype(name, part, DTYPES[dtype], origin.place)
                parts.append(part)
        if len(self.faults) > before:
            return
        shape = list(parts[0].shape)
        if len(parts) > 1:
            shape[slot.along] = sum(part.shape[slot.along] for part in parts)
        yield TensorPlan(name, dtype, tuple(shape), tuple(parts), slot.along, origin.place)

    def _part(
        self,
        name: str,
        slot: Slot,
        identity: str,
        parameter: Parameter,
        placed: PlacedLayer,
        fixed: bool,
    ) -> Part | None:
        """A parameter with its fans and its law; `fixed` fans are the user's own and no rule changes them."""
        fans = parameter.fans
        if self.spec.fan_rule != EXACT and not fixed and (fans or parameter.initializer.needs_fans):
            try:
                fans = _fans_of(FRAMEWORKS[self.spec.fan_rule], placed.kind, parameter)
            except FanError as error:
                if parameter.initializer.needs_fans:
                    self._fault(f'the fans of "{name}" are undefined: {error}', placed.place, _FAN_HELP)
                    return None
                fans = None
        if fans is None and parameter.initializer.needs_fans:
            self._fault(
                f'{parameter.initializer.name} needs a fan-in, and that of "{name}" '
                f"{list(parameter.shape)} is undefined",
                placed.place,
                _FAN_HELP,
            )
            return None
        return Part(
            identity=identity,
            shape=slot.stored(parameter.shape),
            axes=slot.axes,
            initializer=parameter.initializer,
            fans=fans,
            exact=parameter.fans,
            law=parameter.initializer.law(fans),
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


def _fans_of(framework: Framework, kind: str, parameter: Parameter) -> Fans:
    """What a framework would compute for a parameter, from the shape in which it stores it."""
    slots = [s for s in framework.table.get(kind, ()) if parameter.role in s.roles]
    return framework.fans(slots[0].stored(parameter.shape) if slots else parameter.shape)
