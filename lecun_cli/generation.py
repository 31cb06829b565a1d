"""Generate the weight files of a plan, and their manifest."""

from __future__ import annotations

import os
import secrets
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import InitVar, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lecun_cli.errors import UsageError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, Format, format_of
from lecun_cli.formats.segments import FileLayout
from lecun_cli.manifest.model import SUFFIX, FileEntry, Manifest, TensorEntry
from lecun_cli.output import engine
from lecun_cli.output.destinations import destination_for
from lecun_cli.output.digests import Digests
from lecun_cli.output.engine import Progress
from lecun_cli.output.publishing import Publication, publish
from lecun_cli.plan.types import Plan
from lecun_cli.signals import Hold, hold_signals

if TYPE_CHECKING:
    from lecun_cli.output.destinations.base import Destination


@dataclass(frozen=True)
class GenerateOptions:
    """How files are generated. Only `format` changes their bytes.

    Attributes:
        format: A key of `FORMATS`. If None, the suffix of the file's name decides.
        chunk_nbytes: Size of the chunks that workers generate, in bytes.
        workers: Number of threads that generate weights. If None, one per core, but at most 8.
        manifest: Path of the manifest. If None, it is written next to the file, and not at all if the
            output is a stream. If False, no manifest is written.
        force: If true, existing files may be replaced.
        no_manifest: Alias for `manifest=False` from earlier releases.

    Raises:
        UsageError: Both a manifest and `no_manifest` are given.
    """

    format: str | None = None
    chunk_nbytes: int = engine.DEFAULT_CHUNK_NBYTES
    workers: int | None = None
    manifest: str | Literal[False] | None = None
    force: bool = False
    no_manifest: InitVar[bool] = False

    def __post_init__(self, no_manifest: bool) -> None:
        if no_manifest:
            if self.manifest:
                raise UsageError("--manifest and --no-manifest contradict each other")
            object.__setattr__(self, "manifest", False)


@dataclass(frozen=True)
class GenerateResult:
    """The files that were generated.

    Attributes:
        manifest: The manifest, whether or not it was written.
        path: The weight file; `-` for standard output.
        manifest_path: The path of the manifest, or None if it was not written.
        warnings: Problems that did not keep the files from being complete.
    """

    manifest: Manifest
    path: str
    manifest_path: str | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutputFile:
    """A weight file to be generated.

    Attributes:
        path: Where it goes.
        layout: What it consists of.
    """

    path: str
    layout: FileLayout


def choose_seed() -> int:
    """Return a seed from the operating system, small enough (53 bits) for every JSON reader."""
    return secrets.randbits(53)


def generate(
    plan: Plan, out: str | Path, options: GenerateOptions | None = None, *, progress: Progress | None = None
) -> GenerateResult:
    """Generate the weight file of a plan, and its manifest.

    Both files appear when both are complete; after an error or a signal, neither does.

    Args:
        plan: The plan. If it has no seed, one is drawn.
        out: Name of the weight file. `-` is standard output; pipes and devices are written in order.
        options: How the file is generated.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Raises:
        UsageError: The options contradict each other, or the file exists already.
        PlanError: The format cannot store the plan.
        OutputError: The disk, the folder or the pipe cannot be written.

    Example:
        >>> plan = make_plan(load_spec("lenet5"))
        >>> generate(plan, "lenet5.safetensors").manifest_path
        'lenet5.safetensors.manifest.json'
    """
    options = options or GenerateOptions()
    plan = plan.with_seed(choose_seed()) if plan.seed is None else plan
    with hold_signals() as hold:
        return _generate(plan, str(out), options, progress, hold)


def _generate(
    plan: Plan, path: str, options: GenerateOptions, progress: Progress | None, hold: Hold
) -> GenerateResult:
    is_file = destination_for(path).is_file
    file_format = _format(path, options, is_file=is_file)
    manifest_path = _manifest_path(path, options, is_file=is_file)
    files = _files(plan, path, file_format)
    destinations = [destination_for(f.path, f.layout.nbytes, force=options.force) for f in files]
    for destination in destinations:
        destination.check()
    if manifest_path is not None:
        _manifest_destination(manifest_path, 0, options).check()
    hold.check()

    publications: list[Publication | None] = []
    digests: list[Digests] = []
    nbytes_before = 0

    def report(nbytes_done: int, name: str) -> None:
        hold.check()
        if progress is not None:
            progress(nbytes_before + nbytes_done, name)

    with ExitStack() as stack:
        for file, destination in zip(files, destinations, strict=True):
            stack.enter_context(destination)
            digests.append(
                engine.run(
                    file.layout,
                    plan.seed or 0,
                    destination,
                    chunk_nbytes=options.chunk_nbytes,
                    workers=options.workers,
                    progress=report,
                )
            )
            publications.append(destination.finish())
            nbytes_before += file.layout.nbytes
        manifest = make_manifest(plan, files, digests)
        if manifest_path is not None:
            data = manifest.to_bytes()
            destination = stack.enter_context(_manifest_destination(manifest_path, len(data), options))
            destination.write(0, memoryview(data))
            publications.append(destination.finish())
        warnings = publish([publication for publication in publications if publication is not None])
    return GenerateResult(manifest, path, manifest_path, warnings)


def _files(plan: Plan, path: str, file_format: Format) -> list[OutputFile]:
    """Return the weight files of a plan."""
    return [OutputFile(path, file_format.lay_out(plan))]


def _format(path: str, options: GenerateOptions, *, is_file: bool) -> Format:
    if options.format is None:
        return format_of(path) if is_file else FORMATS[DEFAULT_FORMAT]
    if options.format not in FORMATS:
        raise UsageError(f'unknown format "{options.format}"', help=f"formats: {', '.join(FORMATS)}")
    return FORMATS[options.format]


def _manifest_path(path: str, options: GenerateOptions, *, is_file: bool) -> str | None:
    if options.manifest is False:
        return None
    if options.manifest is None:
        return path + SUFFIX if is_file else None
    if os.path.realpath(options.manifest) == os.path.realpath(path):
        raise UsageError(f"the weights and their manifest cannot both be {path}")
    return options.manifest


def _manifest_destination(path: str, nbytes: int, options: GenerateOptions) -> Destination:
    destination = destination_for(path, nbytes, force=options.force)
    if not destination.is_file:
        raise UsageError(
            f"the manifest cannot be written to {path}, which is a pipe or a device",
            help="give the name of a file",
        )
    return destination


def make_manifest(plan: Plan, files: Sequence[OutputFile], digests: Sequence[Digests]) -> Manifest:
    """Return the manifest of a set of weight files.

    Args:
        plan: The plan of all files, with its seed.
        files: The files. The manifest contains their names without folders.
        digests: The digests of each file.
    """
    if plan.seed is None:
        raise AssertionError("a file was generated without a seed")
    file_entries = []
    tensor_entries: list[TensorEntry] = []
    for file, digest in zip(files, digests, strict=True):
        name = Path(file.path).name
        file_entries.append(FileEntry(name, file.layout.format, file.layout.nbytes, digest.file))
        tensor_entries += [
            TensorEntry(tensor, name, offset, digest.tensors[tensor.name], path or tensor.name)
            for offset, tensor, path in file.layout.extents
        ]
    return Manifest(
        seed=plan.seed,
        framework=plan.framework,
        fan_rule=plan.fan_rule,
        spec_sha256=plan.spec_sha256,
        overrides=plan.overrides,
        files=tuple(file_entries),
        tensors=tuple(tensor_entries),
    )
