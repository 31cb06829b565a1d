"""Verify weight files against their manifest, and the manifest against its seed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from lecun_cli.errors import UsageError, WeightFileError
from lecun_cli.formats import FORMATS
from lecun_cli.formats.segments import Extent, FileLayout
from lecun_cli.manifest.model import SUFFIX, FileEntry, Manifest, TensorEntry
from lecun_cli.manifest.reader import read_manifest
from lecun_cli.output import engine
from lecun_cli.output.destinations.null import NullDestination
from lecun_cli.spec.advice import spec_help

if TYPE_CHECKING:
    from lecun_cli.formats.stored_tensor import StoredTensor

_BLOCK = 4 * 2**20


@dataclass(frozen=True)
class Difference:
    """A difference between a manifest and its files.

    Attributes:
        what: `file` or `tensor`.
        name: Name of the file or tensor.
        kind: `missing`, `extra`, `size`, `digest`, `form` (dtype, shape or position), `damaged` or
            `regenerated`.
        detail: A message that describes the difference.
    """

    what: str
    name: str
    kind: str
    detail: str


@dataclass(frozen=True)
class VerifyReport:
    """The result of verifying one manifest.

    Attributes:
        manifest: Path of the manifest.
        n_files: Number of files in the manifest.
        n_tensors: Number of tensors in the manifest.
        nbytes: Size of the files in bytes, according to the manifest.
        regenerated: If true, every tensor was also regenerated from the seed.
        differences: The differences.
    """

    manifest: str
    n_files: int
    n_tensors: int
    nbytes: int
    regenerated: bool
    differences: tuple[Difference, ...]

    @property
    def ok(self) -> bool:
        """If true, the files match the manifest."""
        return not self.differences


def find_manifests(path: str | Path) -> tuple[Path, ...]:
    """Return the manifests that a path means.

    Args:
        path: A manifest, a weight file with a manifest next to it, or a folder of manifests.

    Raises:
        UsageError: No manifest exists.
    """
    path = Path(path)
    if path.is_dir():
        manifests = tuple(sorted(path.glob(f"*{SUFFIX}")))
        if not manifests:
            raise UsageError(
                f"{path} contains no manifest",
                help=f"manifests end in {SUFFIX}; lecun-init inspect reads files without a manifest",
            )
        return manifests
    if path.suffix == Path(SUFFIX).suffix:
        if not path.is_file():
            raise UsageError(
                f"the manifest {path} does not exist",
                help="check the path, or give the path of the weight file",
            )
        return (path,)
    manifest = path.with_name(path.name + SUFFIX)
    if manifest.is_file():
        return (manifest,)
    if not path.exists():
        raise UsageError(
            f"there is neither a file {path} nor a manifest {manifest.name}",
            help=spec_help(str(path)) or "check the path, or give a manifest or a folder of manifests",
        )
    raise UsageError(
        f"{path} has no manifest: expected {manifest.name} in the same folder",
        help=spec_help(str(path))
        or f"give the path of the manifest, or check the file without one: lecun-init inspect {path}",
    )


def verify(
    path: str | Path,
    *,
    regenerate: bool = False,
    workers: int | None = None,
    progress: engine.Progress | None = None,
) -> tuple[VerifyReport, ...]:
    """Verify weight files against their manifests: structure, digests, and optionally every bit.

    Args:
        path: A weight file, a manifest, or a folder of manifests.
        regenerate: If true, also regenerate every tensor from the manifest alone and compare digests.
        workers: Number of threads. If None, one per core, but at most 8.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Returns:
        One report per manifest.

    Raises:
        UsageError: No manifest exists.
        ManifestError: A manifest cannot be read or is not valid.

    Example:
        >>> layer = "{type: dense, name: hidden, in_features: 64, out_features: 64}"
        >>> spec = parse_spec("{seed: 1, framework: keras, layers: [" + layer + "]}")
        >>> result = generate(make_plan(spec), "weights.safetensors")
        >>> all(report.ok for report in verify("weights.safetensors", regenerate=True))
        True
    """
    workers = engine.default_workers() if workers is None else workers
    path = Path(path)
    requested = path.name if path.is_file() and path.suffix != Path(SUFFIX).suffix else None
    return tuple(
        _verify_one(manifest_path, requested, regenerate, workers, progress)
        for manifest_path in find_manifests(path)
    )


def _verify_one(
    path: Path, requested: str | None, regenerate: bool, workers: int, progress: engine.Progress | None
) -> VerifyReport:
    """Verify the files of one manifest; the requested file must be one of them."""
    manifest = read_manifest(path)
    differences: list[Difference] = []
    names = [file.name for file in manifest.files]
    if requested is not None and requested not in names:
        detail = f"the manifest next to it belongs to {', '.join(names[:3])}"
        differences.append(Difference("file", requested, "extra", detail))
    actual: dict[str, str] = {}
    count = _Counter(progress)
    for file in manifest.files:
        entries = tuple(entry for entry in manifest.tensors if entry.file == file.name)
        try:
            for difference in _verify_file(path.parent / file.name, file, entries, workers, count, actual):
                differences.append(difference)  # noqa: PERF402 - differences before an error count
        except OSError as error:
            detail = f"it cannot be read: {error.strerror or error}"
            differences.append(Difference("file", file.name, "damaged", detail))
    if regenerate:
        differences += _regenerate(manifest, actual, workers, count)
    return VerifyReport(
        str(path),
        len(manifest.files),
        len(manifest.tensors),
        sum(file.nbytes for file in manifest.files),
        regenerate,
        tuple(differences),
    )


def work_nbytes(path: str | Path, *, regenerate: bool = False) -> int:
    """Return the number of bytes that `verify` will process, for a progress bar."""
    total = 0
    for manifest_path in find_manifests(path):
        manifest = read_manifest(manifest_path)
        data = sum(entry.tensor.nbytes for entry in manifest.tensors)
        total += sum(file.nbytes for file in manifest.files) + data * (2 if regenerate else 1)
    return total


class _Counter:
    """Counts the bytes that all threads have processed."""

    def __init__(self, progress: engine.Progress | None) -> None:
        self.done = 0
        self._progress = progress

    def add(self, nbytes: int, name: str) -> None:
        self.done += nbytes
        if self._progress is not None:
            self._progress(self.done, name)

    def since(self) -> engine.Progress | None:
        """Return a progress callback that continues from the current count."""
        before, progress = self.done, self._progress
        if progress is None:
            return None
        return lambda nbytes, name: progress(before + nbytes, name)


def _verify_file(
    path: Path,
    file: FileEntry,
    entries: tuple[TensorEntry, ...],
    workers: int,
    count: _Counter,
    actual: dict[str, str],
) -> Iterator[Difference]:
    """Yield the differences of one file, and add the digests of its tensors to `actual`."""
    if not path.is_file():
        yield Difference("file", file.name, "missing", "it is not in the folder of the manifest")
        return
    nbytes = path.stat().st_size
    if nbytes != file.nbytes:
        yield Difference("file", file.name, "size", f"expected {file.nbytes} bytes, got {nbytes}")
    ranges = {entry.tensor.name: (entry.offset, entry.tensor.nbytes) for entry in entries}
    try:
        if file.format not in FORMATS:
            raise WeightFileError(f'unknown format "{file.format}"')
        stored = FORMATS[file.format].read(path)
    except WeightFileError as error:
        yield Difference("file", file.name, "damaged", error.message)
    else:
        stored_by_name = {tensor.name: tensor for tensor in stored}
        yield from _compare_dtypes_and_shapes(entries, stored_by_name)
        ranges = {
            entry.tensor.name: (
                stored_by_name[entry.stored_name].offset,
                stored_by_name[entry.stored_name].nbytes,
            )
            for entry in entries
            if entry.stored_name in stored_by_name
        }

    with _digests(path, nbytes, ranges, workers, count) as (file_digest, of_tensor):
        if file_digest() != file.sha256:
            yield Difference("file", file.name, "digest", "its SHA-256 differs from the manifest")
        else:  # if the bytes differ, tensors may be elsewhere
            yield from _compare_offsets(entries, ranges)
        for entry in entries:
            name = entry.tensor.name
            if name not in of_tensor:
                continue
            digest = of_tensor[name]()
            actual[name] = digest
            if digest != entry.sha256:
                yield Difference(
                    "tensor", name, "digest", f"its bytes in {file.name} differ from the manifest"
                )


def _compare_dtypes_and_shapes(
    entries: tuple[TensorEntry, ...], stored_by_name: dict[str, StoredTensor]
) -> Iterator[Difference]:
    for entry in entries:
        tensor = entry.tensor
        stored_tensor = stored_by_name.get(entry.stored_name)
        if stored_tensor is None:
            yield Difference("tensor", tensor.name, "missing", f"it is not in {entry.file}")
        elif (stored_tensor.dtype, stored_tensor.shape) != (tensor.dtype, tensor.shape):
            detail = f"{tensor.dtype} {list(tensor.shape)}"
            yield Difference(
                "tensor",
                tensor.name,
                "form",
                f"expected {detail}, got {stored_tensor.dtype} {list(stored_tensor.shape)}",
            )
    names = {entry.stored_name for entry in entries}
    for name in stored_by_name:
        if name not in names:
            yield Difference("tensor", name, "extra", "it is not in the manifest")


def _compare_offsets(
    entries: tuple[TensorEntry, ...], ranges: dict[str, tuple[int, int]]
) -> Iterator[Difference]:
    for entry in entries:
        name = entry.tensor.name
        offset, _ = ranges.get(name, (entry.offset, 0))
        if offset != entry.offset:
            detail = f"expected at byte {entry.offset}, got byte {offset}"
            yield Difference("tensor", name, "form", detail)


@contextmanager
def _digests(
    path: Path, nbytes: int, ranges: dict[str, tuple[int, int]], workers: int, count: _Counter
) -> Iterator[tuple[Callable[[], str], dict[str, Callable[[], str]]]]:
    """Compute digests of a file and of its ranges in threads; calling one waits for its result."""
    stop = Event()
    fd = os.open(path, os.O_RDONLY)
    pool = ThreadPoolExecutor(workers + 1)
    try:
        file_future = pool.submit(_digest, fd, 0, nbytes, path.name, count, stop)
        parts = {
            name: pool.submit(_digest, fd, offset, length, name, count, stop)
            for name, (offset, length) in ranges.items()
        }
        yield file_future.result, {name: future.result for name, future in parts.items()}
    finally:
        stop.set()
        pool.shutdown(cancel_futures=True)
        os.close(fd)


def _digest(fd: int, offset: int, nbytes: int, name: str, count: _Counter, stop: Event) -> str:
    """Return the SHA-256 of a range of a file, up to the end of the file."""
    digest = hashlib.sha256()
    end = offset + nbytes
    while 0 <= offset < end and not stop.is_set():
        block = os.pread(fd, min(_BLOCK, end - offset), offset)
        if not block:
            break
        digest.update(block)
        offset += len(block)
        count.add(len(block), name)
    return digest.hexdigest()


def _regenerate(
    manifest: Manifest, actual: dict[str, str], workers: int, count: _Counter
) -> Iterator[Difference]:
    extents = []
    at = 0
    for entry in manifest.tensors:
        extents.append(Extent(at, entry.tensor))
        at += entry.tensor.nbytes
    layout = FileLayout("tensors", at, tuple(extents))
    digests = engine.run(layout, manifest.seed, NullDestination(), workers=workers, progress=count.since())
    for entry in manifest.tensors:
        name = entry.tensor.name
        digest = digests.tensors[name]
        if digest != entry.sha256:
            yield Difference(
                "tensor", name, "regenerated", "its bytes from the seed differ from the manifest"
            )
        elif name in actual and actual[name] != digest:
            yield Difference("tensor", name, "regenerated", "its bytes from the seed differ from the file")
