"""`lecun-init SPEC -o OUT`: make the weight file of a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.options import (
    DTypeOption,
    FanRuleOption,
    FrameworkOption,
    JsonOption,
    QuietOption,
    SeedOption,
    SetOption,
    SpecArgument,
    WorkersOption,
    check_workers,
    read_spec,
)

if TYPE_CHECKING:
    from lecun_cli.generation import GenerateResult


def generate(
    spec: SpecArgument,
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="The weight file; - writes to stdout.")
    ],
    file_format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="safetensors, hdf5 or keras; else by OUT's suffix.",
            autocompletion=completion.values(completion.formats),
        ),
    ] = None,
    seed: SeedOption = None,
    framework: FrameworkOption = None,
    dtype: DTypeOption = None,
    assignments: SetOption = None,
    fan_rule: FanRuleOption = None,
    chunk_size: Annotated[
        str,
        typer.Option(
            "--chunk-size", metavar="SIZE", help="The longest unit of work; memory is a few of these."
        ),
    ] = "4MiB",
    workers: WorkersOption = None,
    manifest: Annotated[
        str | None,
        typer.Option(
            "--manifest", metavar="PATH", help="The manifest's file; OUT.manifest.json if not given."
        ),
    ] = None,
    no_manifest: Annotated[bool, typer.Option("--no-manifest", help="Write no manifest.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that exist.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the weight file of a spec, and its manifest.

    Example: lecun-init spec.yaml -o weights.safetensors --seed 42
    """
    from lecun_cli.cli.progress import Bar
    from lecun_cli.cli.report import warn
    from lecun_cli.display.units import parse_nbytes
    from lecun_cli.errors import UsageError
    from lecun_cli.generation import GenerateOptions
    from lecun_cli.generation import generate as generate_file
    from lecun_cli.output import engine
    from lecun_cli.output.destinations.stream import standard_output
    from lecun_cli.plan.planner import make_plan

    check_workers(workers)
    if as_json and out == "-":
        raise UsageError(
            "--json and the weights would both go to stdout", help="give -o FILE, or --manifest PATH"
        )
    if out == "-":
        standard_output()  # refuses a terminal, before anything is worked out for it
    options = GenerateOptions(
        format=file_format,
        chunk_nbytes=parse_nbytes(chunk_size, what="--chunk-size", least=engine.MIN_CHUNK_NBYTES),
        workers=workers,
        manifest=manifest,
        no_manifest=no_manifest,
        force=force,
    )
    plan = make_plan(
        read_spec(
            spec, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, assignments=assignments
        )
    )
    warn(plan.warnings, quiet=quiet)
    with Bar("writing", plan.nbytes, quiet=quiet) as bar:
        written = generate_file(plan, out, options, progress=bar.update)
    warn(written.warnings, quiet=quiet)
    _print(written, bar.seconds, drawn=plan.seed is None, as_json=as_json, quiet=quiet)


def _print(outcome: GenerateResult, seconds: float, *, drawn: bool, as_json: bool, quiet: bool) -> None:
    import json

    from lecun_cli.cli.report import emit
    from lecun_cli.display.text import counted
    from lecun_cli.display.units import format_nbytes, format_seconds

    manifest = outcome.manifest
    file = manifest.files[0]
    n_elements = sum(entry.tensor.n_elements for entry in manifest.tensors)
    if as_json:
        result = {
            "path": outcome.path,
            "manifest": outcome.manifest_path,
            "seed": manifest.seed,
            "format": file.format,
            "bytes": file.nbytes,
            "sha256": file.sha256,
            "tensors": len(manifest.tensors),
            "elements": n_elements,
        }
        emit(json.dumps(result, ensure_ascii=False))
    if quiet:
        return
    where = "stdout" if outcome.path == "-" else outcome.path
    # A rate over the blink that a small file takes says nothing.
    rate = f" ({format_nbytes(round(file.nbytes / seconds))}/s)" if seconds > 0.1 else ""
    lines = [
        f"wrote    {where}: {counted(len(manifest.tensors), 'tensor')}, {counted(n_elements, 'weight')}, "
        f"{format_nbytes(file.nbytes)} in {format_seconds(seconds)}{rate}",
        f"seed     {manifest.seed}" + ("  (drawn; --seed repeats it)" if drawn else ""),
        f"sha256   {file.sha256}",
    ]
    if outcome.manifest_path is not None:
        lines.append(f"manifest {outcome.manifest_path}")
        if outcome.path != "-":
            lines.append(f"verify   lecun-init verify {outcome.manifest_path}")
    typer.echo("\n".join(lines), err=True)
