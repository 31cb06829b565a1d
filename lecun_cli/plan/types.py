"""What a plan is made of: tensors as they will be stored, each part with its law and its identity."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from lecun_cli.display.tables import Table, TableRepr, of_plan
from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, PlanError, Span
from lecun_cli.initializers.distributions import Constant, Distribution
from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.spec.expand import Container


@dataclass(frozen=True)
class PackedParameter:
    """One parameter's share of a stored tensor.

    Attributes:
        identity: What its stream is keyed with, besides the seed.
        shape: Its stored shape, before any axes are merged into those of its tensor.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter, whose C order counts the
            stream; None where the two are the same.
        flip: Stored axes that run backwards.
        initializer: Where its law comes from.
        fans: The fans in force, or None where the law needs none and none are known.
        exact: The exact fans, which differ from `fans` only under a framework's fan rule.
        distribution: What is drawn.
    """

    identity: str
    shape: Shape
    axes: tuple[int, ...] | None
    initializer: Initializer
    fans: Fans | None
    exact: Fans | None = field(compare=False)
    distribution: Distribution
    flip: tuple[int, ...] = ()

    @cached_property
    def n_elements(self) -> int:
        """Elements, not bytes."""
        return math.prod(self.shape)

    @property
    def in_order(self) -> bool:
        """Whether its elements lie in the file in the order in which the stream counts them."""
        return (self.axes is None and not self.flip) or isinstance(self.distribution, Constant)

    @property
    def canonical_shape(self) -> Shape:
        """The shape in whose C order the stream counts."""
        if self.axes is None:
            return self.shape
        shape = [0] * len(self.axes)
        for k, axis in enumerate(self.axes):
            shape[axis] = self.shape[k]
        return tuple(shape)


@dataclass(frozen=True, eq=False)
class TensorTemplate:
    """What tensors have in common that differ in names alone; a key for what follows from all but the names.

    Attributes:
        parts: The parts of the first of them.
        fields: What all of them have alike.
    """

    parts: tuple[PackedParameter, ...]
    fields: dict[str, Any]


@dataclass(frozen=True)
class TensorPlan:
    """A tensor as it will be stored.

    Attributes:
        name: Its name in the file.
        dtype: A key of `DTYPES`.
        shape: Its shape, outermost axis first.
        parts: The parameters that it packs, in order; most tensors have one.
        concat_axis: The axis of packing. Along the first, parts follow each other in the file, whatever
            their shapes; along another they have all axes in common.
        span: Where the spec names it, for messages.
    """

    name: str
    dtype: str
    shape: Shape
    parts: tuple[PackedParameter, ...]
    concat_axis: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)

    @property
    def storage(self) -> DType:
        """The row of its dtype."""
        return DTYPES[self.dtype]

    @cached_property
    def n_elements(self) -> int:
        """Elements, not bytes."""
        return math.prod(self.shape)

    @cached_property
    def nbytes(self) -> int:
        """Bytes in the file."""
        return self.n_elements * self.storage.itemsize

    @cached_property
    def identities(self) -> tuple[str, ...]:
        """The identity of each part."""
        return tuple(part.identity for part in self.parts)

    @cached_property
    def template(self) -> TensorTemplate:
        """What it shares with all that `renamed` makes of it."""
        alike = ("dtype", "shape", "concat_axis", "span", "n_elements", "nbytes")
        return TensorTemplate(self.parts, {name: getattr(self, name) for name in alike})

    def renamed(self, name: str, identities: tuple[str, ...]) -> TensorPlan:
        """The same tensor under another name, with other identities of its parts.

        A plan may have a million of them, so its fields are set all at once, and its parts are made when
        they are asked for: to draw it and to say how it was drawn, `template` and `identities` are enough.
        """
        template = self.template
        tensor = object.__new__(TensorPlan)
        fields = {**template.fields, "name": name, "identities": identities, "template": template}
        object.__setattr__(tensor, "__dict__", fields)
        return tensor

    if not TYPE_CHECKING:  # which would take any attribute for one that is there

        def __getattr__(self, attribute: str) -> object:
            """The parts of what `renamed` made, when they are first asked for."""
            if attribute != "parts" or "template" not in self.__dict__:
                raise AttributeError(f"a TensorPlan has no {attribute!r}", name=attribute, obj=self)
            pairs = zip(self.template.parts, self.identities, strict=True)
            parts = tuple(replace(part, identity=identity) for part, identity in pairs)
            return self.__dict__.setdefault("parts", parts)


class PlannedLayer(NamedTuple):
    """A layer and the tensors that it is stored in, for formats that order by layer.

    A tuple, for there may be a million. Two are equal wherever they are named.

    Attributes:
        layer_type: Its `type` in the spec.
        name: Its whole path, joined.
        parents: The groups that hold it, outermost first.
        tensors: (name within the layer, name in the file) of each of its tensors, in the framework's order.
        span: Where the spec names it, for messages.
    """

    layer_type: str
    name: str
    parents: tuple[Container, ...]
    tensors: tuple[tuple[str, str], ...]
    span: Span | None = None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlannedLayer) and self[:-1] == other[:-1]

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self[:-1])


@dataclass(frozen=True, repr=False)
class Plan(TableRepr):
    """Every tensor of a file, in the file's order, and what their bits depend on.

    Attributes:
        tensors: Sorted as the safetensors library sorts (wider dtypes first, then by name), so the
            order of the spec does not matter and every tensor is aligned to its elements.
        seed: The seed, or None as long as none is chosen.
        framework: A key of `FRAMEWORKS`.
        fan_rule: `exact` or a framework's.
        spec_sha256: SHA-256 of the spec's bytes.
        overrides: The `--set` values that were in force.
        layers: The layers, in the order of the spec.
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
    layers: tuple[PlannedLayer, ...] = ()
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

    def error(self, *diagnostics: Diagnostic) -> PlanError:
        """An error about this plan, with the places of the spec."""
        return PlanError(diagnostics, source=self.source, text=self.text)

    def with_seed(self, seed: int) -> Plan:
        """The same plan under a seed."""
        return replace(self, seed=seed)

    def table(self) -> Table:
        """What `repr`, rich and notebooks show."""
        return of_plan(self)
