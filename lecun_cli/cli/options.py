"""Options that several commands share, and the spec that they lead to."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion

if TYPE_CHECKING:
    from lecun_cli.spec.load import Spec

SpecArgument = Annotated[
    str,
    typer.Argument(
        metavar="SPEC",
        help="The spec, YAML or JSON, or a sample's name; - reads stdin.",
        autocompletion=completion.samples,
    ),
]
SeedOption = Annotated[
    int | None, typer.Option("--seed", metavar="N", help="The seed, in place of the spec's: 0 to 2**64 - 1.")
]
FrameworkOption = Annotated[
    str | None,
    typer.Option(
        "--framework",
        metavar="F",
        help="Names and storage: keras, torch or flax.",
        autocompletion=completion.values(completion.frameworks),
    ),
]
DTypeOption = Annotated[
    str | None,
    typer.Option(
        "--dtype",
        metavar="D",
        help="The dtype of what says nothing else.",
        autocompletion=completion.values(completion.float_dtypes),
    ),
]
FanRuleOption = Annotated[
    str | None,
    typer.Option(
        "--fan-rule",
        metavar="R",
        help="exact, or keras, keras-3.14, torch, flax.",
        autocompletion=completion.values(completion.fan_rules),
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A param's value, in place of the spec's; NAME=VALUE,NAME=VALUE for more.",
        autocompletion=completion.assignments,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print errors only.")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Threads; as many as cores if not given.")
]


def read_spec(
    path: str,
    *,
    seed: int | None,
    framework: str | None,
    dtype: str | None,
    fan_rule: str | None,
    assignments: list[str] | None,
) -> Spec:
    """The spec of a command line.

    Raises:
        UsageError: An assignment is none, or the spec cannot be read.
        SpecError: The spec has faults.
    """
    from lecun_cli.spec.load import load_spec

    if path == "-" and sys.stdin.isatty():
        typer.echo("reading the spec from the terminal; Ctrl-D on a line of its own ends it", err=True)
    return load_spec(
        path,
        seed=seed,
        framework=framework,
        dtype=dtype,
        fan_rule=fan_rule,
        params=parse_assignments(assignments or []),
    )


def parse_assignments(texts: list[str]) -> dict[str, int | str]:
    """`NAME=VALUE` texts, several with commas between, as a mapping of integers and expressions.

    Raises:
        UsageError: A text has no `=`, or a name is given twice.
    """
    from lecun_cli.errors import UsageError

    assignments: dict[str, int | str] = {}
    for text in (part for option in texts for part in option.split(",")):
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise UsageError(f'--set takes NAME=VALUE, found "{text}"', help="for example --set d=4096")
        if name.strip() in assignments:
            raise UsageError(f"--set gives {name.strip()} twice")
        value = value.strip()
        assignments[name.strip()] = (
            int(value) if value.isascii() and value.isdigit() and len(value) < 30 else value
        )
    return assignments


def check_workers(workers: int | None) -> None:
    """Refuse a number of threads that makes no sense.

    Raises:
        UsageError: It is out of range.
    """
    from lecun_cli.errors import UsageError

    if workers is not None and not 1 <= workers <= 256:
        raise UsageError(f"--workers is from 1 to 256, found {workers}")
