"""`lecun-init verify PATH`: verify weight files against their manifest and its seed."""

from __future__ import annotations

from typing import Annotated

import typer

from lecun_cli.cli.options import JsonOption, QuietOption, WorkersOption, check_workers

DIFFERENCE_CODE = 3


def verify(
    path: Annotated[
        str,
        typer.Argument(metavar="PATH", help="Weight file, manifest, or a folder that contains manifests."),
    ],
    regenerate: Annotated[
        bool,
        typer.Option(
            "--regenerate", help="Also regenerate every tensor from the manifest's seed and compare."
        ),
    ] = False,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Verify a weight file against its manifest: sizes, names, and the digests of the file and each tensor.

    The exit code is 3 if anything differs.

    Example: lecun-init verify weights.safetensors --regenerate
    """
    import json
    from dataclasses import asdict

    from lecun_cli.cli.progress import Bar
    from lecun_cli.display.text import counted
    from lecun_cli.display.units import format_nbytes
    from lecun_cli.verification import verify as verify_files
    from lecun_cli.verification import work_nbytes

    check_workers(workers)
    with Bar("verifying", lambda: work_nbytes(path, regenerate=regenerate), quiet=quiet) as bar:
        reports = verify_files(path, regenerate=regenerate, workers=workers, progress=bar.update)
    if as_json:
        typer.echo(
            json.dumps([{**asdict(report), "ok": report.ok} for report in reports], ensure_ascii=False)
        )
    for report in reports:
        for difference in report.differences:
            typer.echo(
                f'{difference.what} "{difference.name}" {_DESCRIPTIONS[difference.kind]}: '
                f"{difference.detail}",
                err=True,
            )
        if not quiet:
            outcome = "ok" if report.ok else counted(len(report.differences), "difference")
            regenerated = ", every tensor regenerated from the seed" if report.regenerated else ""
            typer.echo(
                f"{report.manifest}: {outcome} ({counted(report.n_files, 'file')}, "
                f"{counted(report.n_tensors, 'tensor')}, "
                f"{format_nbytes(report.nbytes)}{regenerated})",
                err=True,
            )
    if not all(report.ok for report in reports):
        raise typer.Exit(DIFFERENCE_CODE)


_DESCRIPTIONS = {
    "missing": "is missing",
    "extra": "is unexpected",
    "size": "has a different size",
    "digest": "differs",
    "form": "is stored differently",
    "damaged": "is corrupt",
    "regenerated": "does not match the seed",
}
