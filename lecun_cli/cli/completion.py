"""Shell completion: values of options, names of samples, and the params and tensors of a spec.

A completion that fails offers nothing: the functions here never raise and never print. Where they offer
nothing, the shell completes file names.

Shells do more with an answer than display it: zsh's script evaluates the list, and bash inserts an answer
unquoted, so that Enter would run it. Names come from files that others wrote, so only plain names are
offered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lecun_cli.plan.types import Plan


_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./:@+][A-Za-z0-9_./:@+-]*")
"""Names without any character that is special to a shell, and that do not begin like an option."""


def plain_matches(names: Iterable[str], incomplete: str, *, suffix: str = "") -> list[str]:
    """Return the names that complete a text and are safe to offer.

    Args:
        names: Any names.
        incomplete: The text so far.
        suffix: A text to append to each name.
    """
    return [
        name + suffix
        for name in names
        if (name + suffix).startswith(incomplete) and _PLAIN_NAME.fullmatch(name)
    ]


def values(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a completion from a list of names.

    Args:
        names: Returns the names; called only when they are needed, since that may load large modules.
    """

    def complete(incomplete: str) -> list[str]:
        return plain_matches(names(), incomplete)

    return complete


def samples(incomplete: str) -> list[str]:
    """Complete the name of a sample spec."""
    from lecun_cli.spec.samples import sample_names

    return plain_matches(sample_names(), incomplete)


def themes() -> Iterable[str]:
    """Return the values of `--theme`."""
    from lecun_cli.display.figures import THEMES

    return THEMES


def sorts() -> Iterable[str]:
    """Return the values of `--sort`."""
    from lecun_cli.cli.inspect_output import SORTS

    return SORTS


def frameworks() -> Iterable[str]:
    """Return the values of `--framework`."""
    from lecun_cli.frameworks import FRAMEWORKS

    return FRAMEWORKS


def float_dtypes() -> Iterable[str]:
    """Return the values of `--dtype`."""
    from lecun_cli.dtypes import FLOAT_DTYPES

    return FLOAT_DTYPES


def fan_rules() -> Iterable[str]:
    """Return the values of `--fan-rule`."""
    from lecun_cli.frameworks import FAN_RULES

    return FAN_RULES


def formats() -> Iterable[str]:
    """Return the values of `--format`."""
    from lecun_cli.formats import FORMATS

    return FORMATS


def random_initializers() -> Iterable[str]:
    """Return the values of `--compare`."""
    from lecun_cli.initializers.family import FAMILY

    return (name for name, row in FAMILY.items() if row.is_random)


def activations() -> Iterable[str]:
    """Return the values of `--activation`."""
    from lecun_cli.propagation.activations import ACTIVATIONS

    return ACTIVATIONS


def tensors(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a tensor of the spec on the command line."""
    plan = _plan(ctx)
    return [] if plan is None else plain_matches((tensor.name for tensor in plan.tensors), incomplete)


def assignments(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete `NAME=` for the params of the spec on the command line."""
    from lecun_cli.spec.nodes import Mapping
    from lecun_cli.spec.parser import decode, read_bytes, read_nodes
    from lecun_cli.spec.samples import sample_path

    spec = _spec_argument(ctx)
    if spec is None:
        return []
    try:
        source, data = read_bytes(str(sample_path(spec) or spec))
        params = read_nodes(decode(data, source), source).get("params")
    except Exception:
        return []
    return plain_matches(params.entries, incomplete, suffix="=") if isinstance(params, Mapping) else []


def _spec_argument(ctx: typer.Context) -> str | None:
    """Return the SPEC on the command line, or None if it is missing or stdin.

    A command line that ends in an option without its value is not parsed, hence the second look.
    """
    arguments = (argument for argument in ctx.args if not argument.startswith("-"))
    spec: str | None = ctx.params.get("spec") or next(arguments, None)
    return None if spec == "-" else spec


def _plan(ctx: typer.Context) -> Plan | None:
    from lecun_cli.cli.options import SpecOptions, read_spec
    from lecun_cli.plan.planner import make_plan

    spec = _spec_argument(ctx)
    if spec is None:
        return None
    framework, assignments = ctx.params.get("framework"), ctx.params.get("assignments")
    try:
        return make_plan(read_spec(spec, SpecOptions(framework=framework, assignments=assignments)))
    except Exception:
        return None
