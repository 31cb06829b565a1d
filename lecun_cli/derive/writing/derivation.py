"""Write the spec of a described model, and prove by its plan that it reproduces the source."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from lecun_cli.derive.described_model import DerivedItem, DescribedModel, Fields
from lecun_cli.derive.recognition.layer_check import compare
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.writing.repeats import escaped, fold
from lecun_cli.derive.writing.size_params import with_params
from lecun_cli.derive.writing.stored_dtypes import with_dtypes
from lecun_cli.derive.yaml_writer import text_of
from lecun_cli.display.text import counted
from lecun_cli.errors import DeriveError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.plan.types import Plan


@dataclass(frozen=True)
class Derivation:
    """A derived spec.

    Attributes:
        text: The spec as YAML.
        plan: The plan of that spec.
        warnings: Losses and assumptions.
    """

    text: str
    plan: Plan
    warnings: tuple[str, ...]


def write_spec(described: DescribedModel, source: str) -> Derivation:
    """Return the most readable spec that has exactly the tensors of the source.

    Args:
        described: The model as a reader described it.
        source: Name of the source for the head of the spec and for messages.

    Raises:
        DeriveError: No spec reproduces the source.
    """
    difference = ""
    for items, rules, dtype in _ways(described):
        named, params = with_params(items)
        top: Fields = (("framework", described.framework), ("dtype", dtype))
        body = text_of((), top, params, named, rules)
        outcome = compare(body, described.tensors)
        if isinstance(outcome, Plan):
            head = _head(described, source, outcome)
            return Derivation(text_of(head, top, params, named, rules), outcome, described.warnings)
        difference = difference or outcome
    if described.tensors is None:
        raise DeriveError(f"no valid spec describes {source}: {difference}")
    raise DeriveError(
        f"no spec reproduces the tensors of {source}: {difference}",
        help="please report this with the names and shapes of the tensors",
    )


def _ways(described: DescribedModel) -> Iterator[tuple[tuple[DerivedItem, ...], tuple[Fields, ...], str]]:
    """Yield (items, rules, dtype): first with repeats, then without them, then as raw tensors only."""
    separator = FRAMEWORKS[described.framework].separator
    dtype, items, rules = with_dtypes(described.items, described.framework, separator)
    yield fold(items, separator), rules, dtype
    yield tuple(escaped(item) for item in items), rules, dtype
    if described.tensors is not None:
        raw = tuple(raw_tensor(t, described.framework) for t in described.tensors)
        dtype, items, rules = with_dtypes(raw, described.framework, separator)
        yield tuple(escaped(item) for item in items), rules, dtype


def _head(described: DescribedModel, source: str, plan: Plan) -> tuple[str, ...]:
    n_elements = sum(math.prod(t.shape) for t in plan.tensors)
    tensors = counted(len(plan.tensors), "tensor")
    head = [f"Derived from {source} by lecun-init: {tensors} of {n_elements:,} values."]
    for remark in (*described.remarks, *described.warnings):
        head += ["", *textwrap.wrap(remark, 100)]
    return tuple(head)
