"""`lecun-init samples [NAME]`: the sample specs."""

from __future__ import annotations

from typing import Annotated

import typer

from lecun_cli.cli.completion import samples as known


def samples(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A sample to print; without it, their list.", autocompletion=known
        ),
    ] = None,
) -> None:
    """List the sample specs, or print one to start from. Every command takes a sample's name for a SPEC.

    Example: lecun-init samples selu_mlp > spec.yaml
    """
    from lecun_cli.cli.report import emit, table
    from lecun_cli.samples import describe, sample_names, sample_text

    if name is None:
        table(
            ["sample", "what it is"], [[name, describe(name)] for name in sample_names()], right=frozenset()
        )
    else:
        emit(sample_text(name).rstrip("\n"))
