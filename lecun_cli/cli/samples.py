"""`lecun-init samples [NAME]`: the sample specs."""

from __future__ import annotations

import textwrap
from typing import Annotated

import typer

from lecun_cli.cli import completion


def samples(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A sample to print; without it, their list.",
            autocompletion=completion.samples,
        ),
    ] = None,
) -> None:
    """List the sample specs, or print one to start from. Every command takes a sample's name for a SPEC.

    Example: lecun-init samples selu_mlp > spec.yaml
    """
    from lecun_cli.cli.report import emit, width
    from lecun_cli.spec.samples import describe, sample_names, sample_text

    if name is not None:
        emit(sample_text(name).rstrip("\n"))
        return
    names = sample_names()
    indent = max(map(len, names)) + 2
    room = width()
    lines = []
    for sample in names:
        description = (
            [describe(sample)] if room is None else textwrap.wrap(describe(sample), max(20, room - indent))
        )
        lines.append(f"{sample:<{indent}}" + f"\n{' ' * indent}".join(description))
    emit("\n".join(lines))
