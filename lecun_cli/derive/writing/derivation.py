"""A finding -> the text of a spec that gives just what the source has."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from lecun_cli.derive.described_model import Fields, Finding, Item
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


def write_spec(finding: Finding, source: str) -> Derivation:
    """The spec of a finding: the most readable text that gives just the source's tensors.

    Raises:
        DeriveError: No text does.
    """
    said = ""
    for items, rules, dtype in _ways(finding):
        named, params = with_params(items)
        top: Fields = (("framework", finding.framework), ("dtype", dtype))
        body = text_of((), top, params, named, rules)
        found = compare(body, finding.tensors)
        if isinstance(found, Plan):
            head = _head(finding, source, found)
            return Derivation(text_of(head, top, params, named, rules), found, finding.warnings)
        said = said or found
    if finding.tensors is None:
        raise DeriveError(f"what {source} describes makes no sound spec: {said}")
    raise DeriveError(
        f"no spec gives just the tensors of {source}: {said}",
        help="please report it: the names and shapes of the source are enough",
    )


def _ways(finding: Finding) -> Iterator[tuple[tuple[Item, ...], tuple[Fields, ...], str]]:
    """Items, rules and dtype: with blocks written once, as they are, and as raw tensors alone."""
    separator = FRAMEWORKS[finding.framework].separator
    dtype, items, rules = with_dtypes(finding.items, finding.framework, separator)
    yield fold(items, separator), rules, dtype
    yield tuple(escaped(item) for item in items), rules, dtype
    if finding.tensors is not None:
        raw = tuple(raw_tensor(t, finding.framework) for t in finding.tensors)
        dtype, items, rules = with_dtypes(raw, finding.framework, separator)
        yield tuple(escaped(item) for item in items), rules, dtype


def _head(finding: Finding, source: str, plan: Plan) -> tuple[str, ...]:
    n_elements = sum(math.prod(t.shape) for t in plan.tensors)
    tensors = "1 tensor" if len(plan.tensors) == 1 else f"{len(plan.tensors):,} tensors"
    head = [f"Derived from {source} by lecun-init: {tensors} of {n_elements:,} values."]
    for remark in (*finding.remarks, *finding.warnings):
        head += ["", *textwrap.wrap(remark, 100)]
    return tuple(head)
