"""Plan -> weight file and manifest: the main job, whole."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lecun_cli.errors import UsageError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, format_of
from lecun_cli.formats.segments import FileLayout
from lecun_cli.manifest.model import SUFFIX, FileEntry, Manifest, TensorEntry
from lecun_cli.output import engine
from lecun_cli.output.destinations.base import Destination
from lecun_cli.output.destinations.local_file import LocalFile, write_whole
from lecun_cli.output.destinations.stream import is_stream, open_stream, standard_output
from lecun_cli.output.digests import Digests
from lecun_cli.output.engine import Progress
from lecun_cli.output.publishing import publish
from lecun_cli.plan.types import Plan
from lecun_cli.signals import Hold, hold_signals


@dataclass(frozen=True)
class GenerateOptions:
    """How a file is made; none of it changes a byte but `format`.

    Attributes:
        format: A key of `FORMATS`; by the suffix if not given.
        chunk_nbytes: The longest unit of work, in bytes.
        workers: Threads that draw; as many as cores if not given.
        manifest: Where the manifest goes; beside the file if not given.
        no_manifest: Whether there is to be none.
        force: Whether existing files may be replaced.
    """

    format: str | None = None
    chunk_nbytes: int = engine.DEFAULT_CHUNK_NBYTES
    workers: int | None = None
    manifest: str | None = None
    no_manifest: bool = False
    force: bool = False


@dataclass(frozen=True)
class GenerateResult:
    """What has been written.

    Attributes:
        manifest: The manifest, written or not.
        path: The weight file, or `-`.
        manifest_path: The manifest's file, or None.
        warnings: What the user should know although the files are complete.
    """

    manifest: Manifest
    path: str
    manifest_path: str | None
    warnings: tuple[str, ...] = ()


def choose_seed() -> int:
    """A seed from the operating system, small enough (53 bits) for every JSON reader."""
    return secrets.randbits(53)


def generate(
    plan: Plan, out: str | Path, options: GenerateOptions | None = None, *, progress: Progress | None = None
) -> GenerateResult:
    """Make the file of a plan.

    Args:
        plan: The plan; one without a seed is given one.
        out: A file's name; `-` is standard output; pipes and devices are written in order.
        options: How.
        progress: Told the bytes done so far and the tensor at work.

    Raises:
        UsageError: The options do not go together, or the file exists.
        PlanError: The format cannot hold the plan.
        OutputError: The disk, the folder or the pipe refused.
    """
    options = options or GenerateOptions()
    plan = plan.with_seed(choose_seed()) if plan.seed is None else plan
    with hold_signals() as hold:
        return _generate(plan, str(out), options, progress, hold)


def _generate(
    plan: Plan, path: str, options: GenerateOptions, progress: Progress | None, hold: Hold
) -> GenerateResult:
    to_stream = path == "-" or is_stream(path)
    name = options.format or (DEFAULT_FORMAT if to_stream else format_of(path).name)
    if name not in FORMATS:
        raise UsageError(f'there is no format "{name}"', help=f"formats are: {', '.join(FORMATS)}")
    manifest_path = _manifest_path(path, options, to_stream=to_stream)
    layout = FORMATS[name].layout(plan)
    if not to_stream:  # the weights first: what is wrong with them is what a user asks about
        LocalFile(path, layout.nbytes, force=options.force).check()
    if manifest_path is not None:
        LocalFile(manifest_path, 0, force=options.force).check()

    def report(nbytes_done: int, name: str) -> None:
        hold.check()
        if progress is not None:
            progress(nbytes_done, name)

    def run(destination: Destination) -> Digests:
        return engine.run(
            layout,
            plan.seed or 0,
            destination,
            chunk_nbytes=options.chunk_nbytes,
            workers=options.workers,
            progress=report,
        )

    hold.check()
    if to_stream:
        with standard_output() if path == "-" else open_stream(path) as stream:
            digests = run(stream)
        manifest = make_manifest(plan, layout, Path(path).name, digests)
        warnings: tuple[str, ...] = ()
        if manifest_path is not None:
            warnings = write_whole(manifest_path, manifest.to_bytes(), force=options.force)
        return GenerateResult(manifest, path, manifest_path, warnings)

    with LocalFile(path, layout.nbytes, force=options.force) as file:
        manifest = make_manifest(plan, layout, Path(path).name, run(file))
        if manifest_path is None:
            return GenerateResult(manifest, path, None, file.commit())
        data = manifest.to_bytes()
        with LocalFile(manifest_path, len(data), force=options.force) as beside:
            beside.write(0, memoryview(data))
            return GenerateResult(manifest, path, manifest_path, publish([file.flush(), beside.flush()]))


def _manifest_path(path: str, options: GenerateOptions, *, to_stream: bool) -> str | None:
    if options.no_manifest:
        if options.manifest is not None:
            raise UsageError("--manifest and --no-manifest contradict each other")
        return None
    if options.manifest is not None:
        if os.path.realpath(options.manifest) == os.path.realpath(path):
            raise UsageError(f"the weights and their manifest cannot both be {path}")
        return options.manifest
    return None if to_stream else path + SUFFIX


def make_manifest(plan: Plan, layout: FileLayout, name: str, digests: Digests) -> Manifest:
    """The manifest of one file.

    Args:
        plan: What was made, with its seed.
        layout: Where everything lies in the file.
        name: The file's name, without its folder.
        digests: What the engine found.
    """
    if plan.seed is None:
        raise AssertionError("a file was made without a seed")
    file = FileEntry(name, layout.format, layout.nbytes, digests.file)
    return Manifest(
        seed=plan.seed,
        framework=plan.framework,
        fan_rule=plan.fan_rule,
        spec_sha256=plan.spec_sha256,
        overrides=plan.overrides,
        files=(file,),
        tensors=tuple(
            [
                TensorEntry(tensor, name, offset, digests.tensors[tensor.name], path or tensor.name)
                for offset, tensor, path in layout.extents
            ]
        ),
    )
