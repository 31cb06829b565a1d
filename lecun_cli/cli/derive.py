"""`lecun-init derive SOURCE`: write a spec for a model or a checkpoint."""

from __future__ import annotations

from typing import Annotated

import typer

from lecun_cli.cli.options import QuietOption


def derive(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A .safetensors, .keras, .weights.h5, .h5 or config.json file, a folder from the Hugging "
            "Face Hub, or package.module:callable, which is imported and called.",
        ),
    ],
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="SPEC", help="Spec file; - writes to stdout.")
    ] = "-",
    keep_initializers: Annotated[
        bool,
        typer.Option("--keep-initializers", help="Keep the model's initializers instead of lecun_normal."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Write a spec with exactly the names, shapes and dtypes of a model or a checkpoint.

    The weights themselves are not read.

    Example: lecun-init derive model.safetensors -o spec.yaml
    """
    from pathlib import Path

    from lecun_cli.cli.report import emit, warn
    from lecun_cli.derive import derive_spec
    from lecun_cli.display.text import counted
    from lecun_cli.output.destinations.local_file import LocalFile, write_whole

    if out != "-":
        LocalFile(out, 0, force=force).check()  # before a large model is built
    derivation = derive_spec(source, keep_initializers=keep_initializers)
    warn(derivation.warnings, quiet=quiet)
    if out == "-":
        emit(derivation.text.removesuffix("\n"))
        return
    warn(write_whole(Path(out), derivation.text.encode(), force=force), quiet=quiet)
    if not quiet:
        plan = derivation.plan
        n_tensors, n_weights = counted(len(plan.tensors), "tensor"), counted(plan.n_elements, "weight")
        typer.echo(f"wrote    {out}: {n_tensors}, {n_weights}", err=True)
