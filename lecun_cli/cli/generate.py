"""`lecun-init SPEC -o OUT`: generate the weight file of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.option_groups import with_option_groups
from lecun_cli.cli.options import (
    JsonOption,
    QuietOption,
    SpecArgument,
    SpecOptions,
    WorkersOption,
    check_workers,
    read_spec,
)

if TYPE_CHECKING:
    from lecun_cli.generation import GenerateOptions, GenerateResult


class FileOptions(NamedTuple):
    """Options about the files that are written.

    Attributes:
        chunk_size: The size of a chunk, with a unit.
        workers: The number of threads, or None for the number of CPU cores.
        manifest: The path of the manifest, or None for that of the weight file plus `.manifest.json`.
        no_manifest: If true, write no manifest.
        force: If true, replace existing files.
    """

    chunk_size: Annotated[
        str,
        typer.Option(
            "--chunk-size",
            metavar="SIZE",
            help="Size of the chunks that threads work on, such as 512KiB or 4MiB; memory is a few chunks.",
        ),
    ] = "4MiB"
    workers: WorkersOption = None
    manifest: Annotated[
        str | None,
        typer.Option("--manifest", metavar="PATH", help="Manifest file. Default: OUT.manifest.json."),
    ] = None
    no_manifest: Annotated[bool, typer.Option("--no-manifest", help="Write no manifest.")] = False
    force: Annotated[bool, typer.Option("--force", help="Replace existing files.")] = False

    def for_format(self, file_format: str | None) -> GenerateOptions:
        """Return the options of `generate` in the Python API.

        Args:
            file_format: A key of `FORMATS`, or None to choose by the suffix.

        Raises:
            UsageError: The size of a chunk or the number of threads is out of range.
        """
        from lecun_cli.display.units import parse_nbytes
        from lecun_cli.generation import GenerateOptions
        from lecun_cli.output.engine import MIN_CHUNK_NBYTES

        check_workers(self.workers)
        return GenerateOptions(
            format=file_format,
            chunk_nbytes=parse_nbytes(self.chunk_size, what="--chunk-size", least=MIN_CHUNK_NBYTES),
            workers=self.workers,
            manifest=self.manifest,
            no_manifest=self.no_manifest,
            force=self.force,
        )


@with_option_groups
def generate(
    spec: SpecArgument,
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="Weight file; - writes to stdout.")
    ],
    *,
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="safetensors, hdf5 or keras. Default: the format of OUT's suffix.",
            autocompletion=completion.values(completion.formats),
        ),
    ] = None,
    spec_options: SpecOptions,
    file_options: FileOptions,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Generate the weight file of a spec, and its manifest.

    Example: lecun-init spec.yaml -o weights.safetensors --seed 42
    """
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.report import warn
    from lecun_cli.errors import UsageError
    from lecun_cli.generation import generate as generate_file
    from lecun_cli.output.destinations.stream import standard_output
    from lecun_cli.plan.planner import make_plan

    options = file_options.for_format(file_format)
    if out == "-":
        if as_json:
            raise UsageError(
                "--json and the weights would both go to stdout", help="give -o FILE, or --manifest PATH"
            )
        standard_output()  # refuses a terminal before the spec is read
    plan = make_plan(read_spec(spec, spec_options))
    warn(plan.warnings, quiet=quiet)
    with Bar("writing", plan.nbytes, quiet=quiet) as bar:
        result = generate_file(plan, out, options, progress=bar.update)
    warn(result.warnings, quiet=quiet)
    if as_json:
        _print_json(result)
    if not quiet:
        _print_summary(result, bar.seconds, is_drawn=plan.seed is None)


def _print_json(result: GenerateResult) -> None:
    import json

    from lecun_cli.cli.report import emit

    manifest = result.manifest
    file = manifest.files[0]
    document = {
        "path": result.path,
        "manifest": result.manifest_path,
        "seed": manifest.seed,
        "format": file.format,
        "bytes": file.nbytes,
        "sha256": file.sha256,
        "tensors": len(manifest.tensors),
        "elements": _n_elements(result),
    }
    emit(json.dumps(document, ensure_ascii=False))


def _print_summary(result: GenerateResult, seconds: float, *, is_drawn: bool) -> None:
    from lecun_cli.display.text import counted
    from lecun_cli.display.units import format_nbytes, format_seconds

    manifest = result.manifest
    file = manifest.files[0]
    name = "stdout" if result.path == "-" else result.path
    # The rate of a file that takes an instant means nothing.
    rate = f" ({format_nbytes(round(file.nbytes / seconds))}/s)" if seconds > 0.1 else ""
    lines = [
        f"wrote    {name}: {counted(len(manifest.tensors), 'tensor')}, "
        f"{counted(_n_elements(result), 'weight')}, "
        f"{format_nbytes(file.nbytes)} in {format_seconds(seconds)}{rate}",
        f"seed     {manifest.seed}" + ("  (drawn; --seed repeats it)" if is_drawn else ""),
        f"sha256   {file.sha256}",
    ]
    if result.manifest_path is not None:
        lines.append(f"manifest {result.manifest_path}")
        if result.path != "-":
            lines.append(f"verify   lecun-init verify {result.manifest_path}")
    typer.echo("\n".join(lines), err=True)


def _n_elements(result: GenerateResult) -> int:
    return sum(entry.tensor.n_elements for entry in result.manifest.tensors)
