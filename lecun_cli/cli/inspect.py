"""`lecun-init inspect PATH`: check the tensors of a weight file against their expected distributions."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.option_groups import with_option_groups
from lecun_cli.cli.options import JsonOption, QuietOption, WorkersOption, check_workers
from lecun_cli.cli.picture import PictureOptions

PROBLEM_CODE = 3


class SelectionOptions(NamedTuple):
    """Options about the tensors that are shown.

    Attributes:
        match: Globs over names; None selects every tensor.
        sort: A key of `inspect_output.SORTS`.
        limit: The maximum number of tensors in the table, or None for all.
    """

    match: Annotated[
        list[str] | None,
        typer.Option("--match", metavar="GLOB", help="Only tensors with a matching name. Can be repeated."),
    ] = None
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="KEY",
            help="Sort by file, name, size, std, ratio, p or verdict.",
            autocompletion=completion.values(completion.sorts),
        ),
    ] = "file"
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="Show only the first N tensors.")
    ] = None

    def check(self) -> None:
        """Check the options.

        Raises:
            UsageError: The order is unknown, or the limit is not positive.
        """
        from lecun_cli.cli.inspect_output import SORTS
        from lecun_cli.errors import UsageError

        if self.sort not in SORTS:
            raise UsageError(f'--sort: expected one of {", ".join(SORTS)}, got "{self.sort}"')
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit: expected at least 1, got {self.limit}")


@with_option_groups
def inspect(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="Any safetensors, HDF5 or Keras weight file, a manifest, an index of shards, or a folder "
            "that contains one of them.",
        ),
    ],
    *,
    selection: SelectionOptions,
    no_manifest: Annotated[
        bool,
        typer.Option(
            "--no-manifest",
            help="Ignore the manifest; infer the expected distribution from the layer types.",
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Exit with code 3 if any tensor has a problem.")
    ] = False,
    picture_options: PictureOptions,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print a row for each tensor as CSV on stdout.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """Check every tensor of a weight file against its expected distribution.

    The manifest beside the file names the distribution. Without a manifest, it is LeCun normal, with the
    fan-in of the layer type that the tensor's name and shape suggest.

    Example: lecun-init inspect model.safetensors --sort verdict
    """
    from lecun_cli.cli.inspect_output import as_csv_text, as_json_text, print_tables, sorted_tensors
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.report import emit, warn
    from lecun_cli.errors import UsageError
    from lecun_cli.inspection.inspector import inspect_source
    from lecun_cli.inspection.weight_sources import find_source

    check_workers(workers)
    if as_json and as_csv:
        raise UsageError("--json and --csv contradict each other")
    selection.check()
    picture_options.check()
    source = find_source(path, use_manifest=not no_manifest).matching(selection.match or ())
    warn(source.warnings, quiet=quiet)
    with Bar("inspecting", source.nbytes, quiet=quiet) as bar:
        standard = picture_options.plot is not None
        inspection = inspect_source(source, standard=standard, workers=workers, progress=bar.update)
    tensors = sorted_tensors(inspection.tensors, selection.sort)[: selection.limit]
    if as_json:
        emit(as_json_text(inspection, tensors))
    elif as_csv:
        emit(as_csv_text(tensors))
    elif not quiet:
        print_tables(inspection, tensors, bar.seconds)
    if picture_options.plot is not None:
        from lecun_cli.inspection.tensor_plots import draw, title_of

        title = title_of(inspection)
        picture_options.write(lambda theme: draw(inspection, theme), title=title, quiet=quiet)
    if check and not inspection.ok:
        raise typer.Exit(PROBLEM_CODE)
