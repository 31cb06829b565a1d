"""`lecun-init samples [NAME]`: list the sample specs, or print one."""

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
            help="Sample to print. Default: list all samples.",
            autocompletion=completion.samples,
        ),
    ] = None,
) -> None:
    """List the sample specs, or print one to start from.

    Every command that takes a SPEC also takes the name of a sample.

    Example: lecun-init samples selu_mlp > spec.yaml
    """
    from lecun_cli.cli.report import emit, width
    from lecun_cli.spec.samples import describe, sample_names, sample_text

    if name is not None:
        emit(sample_text(name).rstrip("\n"))
        return
    names = sample_names()
    indent = max(map(len, names)) + 2
    columns = width()
    lines = []
    for sample in names:
        description = (
            [describe(sample)]
            if columns is None
            else textwrap.wrap(describe(sample), max(20, columns - indent))
        )
        lines.append(f"{sample:<{indent}}" + f"\n{' ' * indent}".join(description))
    emit("\n".join(lines))
