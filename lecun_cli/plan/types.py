"""The types of a plan: tensors as they will be stored, and the parameters that they pack."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

from lecun_cli.display.tables import Table, TableRepr, of_plan
from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import Diagnostic, PlanError, Span
from lecun_cli.initializers.distributions import Constant, Distribution
from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.layers.container import Container


@dataclass(frozen=True)
class PackedParameter:
    """A parameter that is stored in a tensor, alone or with others.

    Attributes:
        identity: The key of its stream, together with the seed.
        shape: Stored shape, before axes are merged into those of the tensor.
        axes: Stored axis k is axis `axes[k]` of the canonical parameter, whose C order is the order of the
            stream; None if the two are the same.
        flip: Stored axes that run backwards.
        initializer: The initializer.
        fans: The effective fans, or None if they are unknown and not needed.
        exact: The exact fans, which differ from `fans` only under the fan rule of a framework.
        distribution: The distribution of its elements.
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
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def in_order(self) -> bool:
        """If true, the elements are stored in the order of the stream."""
        return (self.axes is None and not self.flip) or isinstance(self.distribution, Constant)

    @property
    def canonical_shape(self) -> Shape:
        """The shape whose C order is the order of the stream."""
        if self.axes is None:
            return self.shape
        shape = [0] * len(self.axes)
        for k, axis in enumerate(self.axes):
            shape[axis] = self.shape[k]
        return tuple(shape)


@dataclass(frozen=True)
class TensorTemplate:
    """Everything about a tensor except the names: tensors of a repeat share one template.

    Attributes:
        dtype: A key of `DTYPES`.
        shape: Shape in the file, outermost axis first.
        parts: The parameters that the tensor packs, in order, without their identities.
        concat_axis: The axis along which the parts are packed.
        span: Location in the spec, for messages.
    """

    dtype: str
    shape: Shape
    parts: tuple[PackedParameter, ...]
    concat_axis: int = 0
    span: Span | None = field(default=None, compare=False, repr=False)

    def __hash__(self) -> int:
        return hash((self.dtype, self.shape))  # fast, because every tensor of a file is looked up by it

    @cached_property
    def n_elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @cached_property
    def nbytes(self) -> int:
        """Size in the file, in bytes."""
        return self.n_elements * DTYPES[self.dtype].itemsize


@dataclass(frozen=True)
class TensorPlan:
    """A tensor as it will be stored.

    Attributes:
        name: Name of the tensor in the file.
        identities: Identity of each parameter that the tensor packs, in order; most tensors pack one.
        template: Everything else, shared by tensors that differ in their names only.
    """

    name: str
    identities: tuple[str, ...]
    template: TensorTemplate

    @classmethod
    def of(
        cls,
        name: str,
        dtype: str,
        shape: Shape,
        parts: tuple[PackedParameter, ...],
        concat_axis: int = 0,
        span: Span | None = None,
    ) -> TensorPlan:
        """Return a tensor with a template of its own.

        Args:
            name: Name of the tensor in the file.
            dtype: A key of `DTYPES`.
            shape: Shape in the file, outermost axis first.
            parts: The parameters that the tensor packs, in order, with their identities.
            concat_axis: The axis along which the parts are packed. Along axis 0, they follow each other in
                the file, whatever their shapes; along another axis, all their other axes are equal.
            span: Location in the spec, for messages.
        """
        identities = tuple(part.identity for part in parts)
        parts = tuple(replace(part, identity="") for part in parts)
        return cls(name, identities, TensorTemplate(dtype, shape, parts, concat_axis, span))

    def renamed(self, name: str, identities: tuple[str, ...]) -> TensorPlan:
        """Return the same tensor with another name, and with other identities of its parts."""
        return TensorPlan(name, identities, self.template)

    @cached_property
    def parts(self) -> tuple[PackedParameter, ...]:
        """The parameters that the tensor packs, with their identities."""
        pairs = zip(self.template.parts, self.identities, strict=True)
        return tuple(replace(part, identity=identity) for part, identity in pairs)

    @property
    def dtype(self) -> str:
        """The dtype, a key of `DTYPES`."""
        return self.template.dtype

    @property
    def storage(self) -> DType:
        """The entry of `DTYPES` for the dtype."""
        return DTYPES[self.template.dtype]

    @property
    def shape(self) -> Shape:
        """Shape in the file, outermost axis first."""
        return self.template.shape

    @property
    def concat_axis(self) -> int:
        """The axis along which the parts are packed."""
        return self.template.concat_axis

    @property
    def span(self) -> Span | None:
        """Location in the spec, for messages."""
        return self.template.span

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return self.template.n_elements

    @property
    def nbytes(self) -> int:
        """Size in the file, in bytes."""
        return self.template.nbytes


class PlannedLayer(NamedTuple):
    """A layer and the tensors that store it, for formats that are organized by layer.

    It is a tuple because there may be a million. Equality ignores `span`.

    Attributes:
        layer_type: `type` of the layer in the spec.
        name: The layer's path, joined with slashes.
        parents: The groups around the layer, outermost first.
        tensors: `(name within the layer, name in the file)` of each tensor, in the framework's order.
        span: Location in the spec, for messages.
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
    """Every tensor of a set of weight files, and everything that their bits depend on.

    Attributes:
        tensors: The tensors, sorted as the safetensors library sorts them (wider dtypes first, then by
            name): the order of the spec does not matter, and every tensor is aligned to its elements.
        seed: The seed, 0 to 2**64 - 1; None until it is chosen.
        framework: A key of `FRAMEWORKS`.
        fan_rule: A key of `RULES`, or `exact`.
        spec_sha256: SHA-256 of the spec, in hex.
        overrides: The params that were set with `--set`.
        layers: The layers, in the order of the spec.
        warnings: Likely mistakes that are not errors.
        source: Name of the spec, for messages.
        text: Text of the spec, for messages.
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
        """Number of elements of all tensors."""
        return sum(t.n_elements for t in self.tensors)

    @property
    def nbytes(self) -> int:
        """Size of all tensors in bytes, without headers."""
        return sum(t.nbytes for t in self.tensors)

    def tensor(self, name: str) -> TensorPlan | None:
        """Return the tensor of a name, or None."""
        return next((t for t in self.tensors if t.name == name), None)

    def error(self, *diagnostics: Diagnostic) -> PlanError:
        """Return an error about this plan that shows the text of the spec."""
        return PlanError(diagnostics, source=self.source, text=self.text)

    def with_seed(self, seed: int) -> Plan:
        """Return the same plan with a seed."""
        return replace(self, seed=seed)

    def table(self) -> Table:
        """Return the table that `repr`, rich and notebooks show."""
        return of_plan(self)
