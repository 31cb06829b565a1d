"""A finding -> the text of a spec that gives just what the source has."""

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
from lecun_cli.errors import DeriveError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.plan.types import Plan


@dataclass(frozen=True)
class Derivation:
    """A derived spec.

    Attributes:
        text: The spec, YAML.
        plan: The plan of that text.
        warnings: What could not be carried over.
    """

    text: str
    plan: Plan
    warnings: tuple[str, ...]


def write_spec(described: DescribedModel, source: str) -> Derivation:
    """The spec of a finding: the most readable text that gives just the source's tensors.

    Raises:
        DeriveError: No text does.
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
        raise DeriveError(f"what {source} describes makes no sound spec: {difference}")
    raise DeriveError(
        f"no spec gives just the tensors of {source}: {difference}",
        help="please report it: the names and shapes of the source are enough",
    )


def _ways(described: DescribedModel) -> Iterator[tuple[tuple[DerivedItem, ...], tuple[Fields, ...], str]]:
    """Items, rules and dtype: with blocks written once, as they are, and as raw tensors alone."""
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
    tensors = "1 tensor" if len(plan.tensors) == 1 else f"{len(plan.tensors):,} tensors"
    head = [f"Derived from {source} by lecun-init: {tensors} of {n_elements:,} values."]
    for remark in (*described.remarks, *described.warnings):
        head += ["", *textwrap.wrap(remark, 100)]
    return tuple(head)
