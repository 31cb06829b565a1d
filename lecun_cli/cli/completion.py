"""What the shell may complete: values of options, samples, params and the tensors of a spec.

A completion that fails offers nothing: nothing here raises or prints. What is not completed here, the shell
completes as file names.

Shells do not treat an answer as mere text: zsh's script evaluates the list, and bash inserts it unquoted, so
that Enter runs it. Names come from files of strangers; only plain ones are offered.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from lecun_cli.plan.types import Plan
    from lecun_cli.spec.load import Spec


_PLAIN = re.compile(r"[A-Za-z0-9_./:@+][A-Za-z0-9_./:@+-]*")
"""Characters that no shell gives a meaning to; no name begins like an option."""


def _starting(names: Iterable[str], incomplete: str, *, suffix: str = "") -> list[str]:
    """The plain names that begin with what was typed, each with a suffix of ours."""
    return [
        name + suffix for name in names if (name + suffix).startswith(incomplete) and _PLAIN.fullmatch(name)
    ]


def values(names: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """A completion from a list that is made only when it is asked for."""

    def complete(incomplete: str) -> list[str]:
        return _starting(names(), incomplete)

    return complete


def samples(incomplete: str) -> list[str]:
    """The names of the samples, and where none fits, files as ever."""
    from lecun_cli.spec.samples import sample_names

    return _starting(sample_names(), incomplete)


def themes() -> Iterable[str]:
    """Those that --theme takes."""
    from lecun_cli.display.figures import THEMES

    return THEMES


def sorts() -> Iterable[str]:
    """Those that --sort takes."""
    from lecun_cli.cli.inspect_output import SORTS

    return SORTS


def frameworks() -> Iterable[str]:
    """Those that --framework takes."""
    from lecun_cli.frameworks import FRAMEWORKS

    return FRAMEWORKS


def float_dtypes() -> Iterable[str]:
    """Those that weights are drawn in."""
    from lecun_cli.dtypes import FLOAT_DTYPES

    return FLOAT_DTYPES


def fan_rules() -> Iterable[str]:
    """Those that --fan-rule takes."""
    from lecun_cli.frameworks import FAN_RULES

    return FAN_RULES


def formats() -> Iterable[str]:
    """Those that --format takes."""
    from lecun_cli.formats import FORMATS

    return FORMATS


def tensors(ctx: typer.Context, incomplete: str) -> list[str]:
    """The names of the tensors of the spec that stands before."""
    plan = _plan(ctx)
    return [] if plan is None else _starting((tensor.name for tensor in plan.tensors), incomplete)


def assignments(ctx: typer.Context, incomplete: str) -> list[str]:
    """`NAME=` for every param of the spec that stands before."""
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
    return _starting(params.entries, incomplete, suffix="=") if isinstance(params, Mapping) else []


def _spec_argument(ctx: typer.Context) -> str | None:
    """The SPEC that stands before; a line that ends in an option without its value is not parsed."""
    arguments = (argument for argument in ctx.args if not argument.startswith("-"))
    spec: str | None = ctx.params.get("spec") or next(arguments, None)
    return None if spec == "-" else spec


def _spec(ctx: typer.Context) -> Spec | None:
    from lecun_cli.cli.options import read_spec

    spec = _spec_argument(ctx)
    if spec is None:
        return None
    try:
        return read_spec(
            spec,
            seed=None,
            framework=ctx.params.get("framework"),
            dtype=None,
            fan_rule=None,
            assignments=ctx.params.get("assignments"),
        )
    except Exception:
        return None


def _plan(ctx: typer.Context) -> Plan | None:
    from lecun_cli.plan.planner import make_plan

    spec = _spec(ctx)
    try:
        return None if spec is None else make_plan(spec)
    except Exception:
        return None
