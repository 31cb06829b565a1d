"""`lecun-init inspect PATH`: what is in a weight file, and whether it is what its layers ask for."""

from __future__ import annotations

from typing import Annotated

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.options import JsonOption, QuietOption, WorkersOption, check_workers
from lecun_cli.cli.picture import PlotOption, ReplaceOption, ThemeOption, picture_path, write_picture

BAD = 3


def inspect(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="A safetensors, HDF5 or Keras weight file, anybody's; a manifest, an index of shards, or a "
            "folder of them.",
        ),
    ],
    match: Annotated[
        list[str] | None,
        typer.Option("--match", metavar="GLOB", help="Only tensors with such a name; may be repeated."),
    ] = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="file, name, size, std, ratio, p or verdict.",
            autocompletion=completion.values(completion.sorts),
        ),
    ] = "file",
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Show the first N tensors only.")
    ] = None,
    no_manifest: Annotated[
        bool, typer.Option("--no-manifest", help="Take the law from the layers' kinds in any case.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with 3 if something is wrong with any tensor.")
    ] = False,
    plot: PlotOption = None,
    theme: ThemeOption = "light",
    force: ReplaceOption = False,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print the tensors as CSV on stdout.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Read a weight file once and hold every tensor against its law: scale, bound, values and shape.

    The law is that of the manifest beside the file; without one, LeCun normal with the fan-in of the layer
    kind that is recognised. Example: lecun-init inspect model.safetensors --sort verdict
    """
    from lecun_cli.cli.inspect_output import SORTS, as_csv_text, as_json_text, print_tables, sorted_tensors
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.report import emit, warn
    from lecun_cli.errors import UsageError
    from lecun_cli.inspection.inspector import inspect_source
    from lecun_cli.inspection.weight_sources import find

    check_workers(workers)
    if as_json and as_csv:
        raise UsageError("--json and --csv contradict each other")
    if sort not in SORTS:
        raise UsageError(f'--sort is one of {", ".join(SORTS)}, found "{sort}"')
    if limit is not None and limit < 1:
        raise UsageError(f"--limit is at least 1, found {limit}")
    picture = picture_path(plot, theme, force=force)
    source = find(path, use_manifest=not no_manifest).matching(match or ())
    warn(source.warnings, quiet=quiet)
    with Bar("inspecting", source.nbytes, quiet=quiet) as bar:
        inspection = inspect_source(
            source, standard=picture is not None, workers=workers, progress=bar.update
        )
    tensors = sorted_tensors(inspection.tensors, sort)[:limit]
    if as_json:
        emit(as_json_text(inspection, tensors))
    elif as_csv:
        emit(as_csv_text(tensors))
    elif not quiet:
        print_tables(inspection, tensors, bar.seconds)
    if picture is not None:
        from lecun_cli.inspection.tensor_plots import draw, title_of

        write_picture(
            lambda chosen: draw(inspection, chosen),
            picture,
            theme,
            title=title_of(inspection),
            force=force,
            quiet=quiet,
        )
    if check and not inspection.ok:
        raise typer.Exit(BAD)
