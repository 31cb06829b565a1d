"""Options that several commands share."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lecun_cli.cli import completion
from lecun_cli.frameworks import EXACT, FRAMEWORKS, RULES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lecun_cli.spec.load import Spec


def _alternatives(*names: str) -> str:
    """Return `a, b or c`."""
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))


SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="Spec file (YAML or JSON) or the name of a sample spec; - reads stdin.",
        autocompletion=completion.samples,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", help="Number of threads. Default: the number of CPU cores."),
]


class SpecOptions(NamedTuple):
    """Options that override values of a spec.

    Attributes:
        seed: Overrides the seed of the spec.
        framework: Overrides the framework of the spec.
        dtype: Overrides the default dtype of the spec.
        assignments: `NAME=VALUE` texts that override params of the spec, separated by commas.
        fan_rule: Overrides the fan rule of the spec.
    """

    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", help="Seed, 0 to 2**64 - 1. Overrides the spec."),
    ] = None
    framework: Annotated[
        str | None,
        typer.Option(
            "--framework",
            metavar="F",
            help=f"Framework whose names and storage orders are used: {_alternatives(*FRAMEWORKS)}.",
            autocompletion=completion.values(completion.frameworks),
        ),
    ] = None
    dtype: Annotated[
        str | None,
        typer.Option(
            "--dtype",
            metavar="D",
            help="Default dtype.",
            autocompletion=completion.values(completion.float_dtypes),
        ),
    ] = None
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Override a param of the spec; NAME=VALUE,NAME=VALUE overrides several.",
            autocompletion=completion.assignments,
        ),
    ] = None
    fan_rule: Annotated[
        str | None,
        typer.Option(
            "--fan-rule",
            metavar="R",
            help=f"How fans are computed: {EXACT}, or as in {_alternatives(*RULES)}.",
            autocompletion=completion.values(completion.fan_rules),
        ),
    ] = None


def read_spec(path: str, options: SpecOptions) -> Spec:
    """Read the spec that a command line names.

    Args:
        path: A path, the name of a sample, or `-` for stdin.
        options: The values to override.

    Raises:
        UsageError: An assignment is malformed, or the spec cannot be read.
        SpecError: The spec is invalid.
    """
    from lecun_cli.spec.load import load_spec

    if path == "-" and sys.stdin.isatty():
        typer.echo("reading the spec from the terminal; end it with Ctrl-D on a line of its own", err=True)
    return load_spec(
        path,
        seed=options.seed,
        framework=options.framework,
        dtype=options.dtype,
        fan_rule=options.fan_rule,
        params=parse_assignments(options.assignments or ()),
    )


def parse_assignments(texts: Iterable[str]) -> dict[str, int | str]:
    """Parse the values of `--set`.

    Args:
        texts: `NAME=VALUE` texts, each of which may contain several, separated by commas.

    Returns:
        An integer or an expression for each name.

    Raises:
        UsageError: A text has no `=`, or a name occurs twice.

    Example:
        >>> parse_assignments(["d=4096,heads=d // 128"])
        {'d': 4096, 'heads': 'd // 128'}
    """
    from lecun_cli.errors import UsageError

    assignments: dict[str, int | str] = {}
    for text in (assignment for option in texts for assignment in option.split(",")):
        name, _, value = (part.strip() for part in text.partition("="))
        if not name or not value:
            raise UsageError(f'--set: expected NAME=VALUE, got "{text}"', help="for example --set d=4096")
        if name in assignments:
            raise UsageError(f'--set: the param "{name}" is given twice')
        is_integer = value.isascii() and value.isdigit() and len(value) < 30
        assignments[name] = int(value) if is_integer else value
    return assignments


def check_workers(workers: int | None) -> None:
    """Check `--workers`.

    Raises:
        UsageError: The number of threads is out of range.
    """
    if workers is None:
        return
    from lecun_cli.errors import UsageError
    from lecun_cli.output.engine import MAX_WORKERS

    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"--workers: expected 1 to {MAX_WORKERS}, got {workers}")
