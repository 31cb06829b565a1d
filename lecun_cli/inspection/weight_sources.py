"""Find the weight files of a path, their tensors, and the expected distribution of each tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.errors import LecunInitError, UsageError
from lecun_cli.formats.checkpoint import (
    INDEX_SUFFIX,
    checkpoint_files,
    list_checkpoints,
    read_stored_tensors,
    weight_format,
)
from lecun_cli.inspection.expected import Expected, expected_of
from lecun_cli.manifest.model import SUFFIX, Manifest
from lecun_cli.manifest.reader import read_manifest
from lecun_cli.spec.advice import spec_help

if TYPE_CHECKING:
    from lecun_cli.formats.stored_tensor import StoredTensor

_HELP = "give a safetensors or HDF5 file, a manifest, a shard index, or a folder of one of these"
_FROM_LAYERS = "fan-ins are derived from layer types"


@dataclass(frozen=True)
class SourceTensor:
    """A tensor of a file.

    Attributes:
        path: The file.
        stored: Its location, and its name in the file.
        name: Its name in the manifest, or in the file without a manifest.
        expected: The expected distribution, or None if it is unknown.
    """

    path: Path
    stored: StoredTensor
    name: str
    expected: Expected | None


@dataclass(frozen=True)
class Source:
    """Weight files of a path, with their tensors.

    Attributes:
        path: The path as the caller passed it.
        files: The weight files, in order.
        tensors: Their tensors, in the order of files and offsets.
        warnings: Missing knowledge and its reasons.
    """

    path: str
    files: tuple[Path, ...]
    tensors: tuple[SourceTensor, ...]
    warnings: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Total size of the tensors in bytes."""
        return sum(tensor.stored.nbytes for tensor in self.tensors)

    def matching(self, globs: Sequence[str]) -> Source:
        """Return the same source with only the tensors whose names match a glob.

        Args:
            globs: Globs for whole names; if empty, all tensors match.

        Raises:
            UsageError: No tensor matches.
        """
        if not self.tensors:
            raise UsageError(f"{self.path} contains no tensors")
        if not globs:
            return self
        tensors = tuple(t for t in self.tensors if any(fnmatchcase(t.name, glob) for glob in globs))
        if not tensors:
            raise UsageError(
                f"no tensor of {self.path} matches {' or '.join(globs)}",
                help=f'a glob must match a whole name, such as "{self.tensors[0].name}"',
            )
        return replace(self, tensors=tensors)


def find_source(path: str | Path, *, use_manifest: bool = True) -> Source:
    """Find the weight files and tensors of a path.

    Args:
        path: A weight file, a manifest, a shard index, or a folder that contains some of these.
        use_manifest: If false, ignore manifests and derive expectations from layer types.

    Raises:
        UsageError: The path does not exist or contains no weight files.
        ManifestError: The path is an invalid manifest.
        WeightFileError: A file is corrupt or cannot be read.
    """
    path = Path(path)
    groups, manifests = _groups(path)
    warnings: list[str] = []
    tensors: list[SourceTensor] = []
    for group in groups:
        derived: Mapping[str, Expected] | None = None
        for file in group.files:
            stored = _read(file)
            manifest = None
            if use_manifest:
                manifest, reasons = _manifest_of(file, manifests, stored)
                warnings += reasons
            if manifest is not None:
                entries = {e.stored_name: e.tensor for e in manifest.tensors if e.file == file.name}
                tensors += [
                    SourceTensor(file, t, entries[t.name].name, expected_of(entries[t.name], is_stated=True))
                    for t in stored
                ]
                continue
            if derived is None:
                derived, reasons = _expected_from_layers(group.origin)
                warnings += reasons
            tensors += [SourceTensor(file, t, t.name, derived.get(t.name)) for t in stored]
    files = tuple(file for group in groups for file in group.files)
    return Source(str(path), files, tuple(tensors), tuple(dict.fromkeys(warnings)))


def _read(file: Path) -> tuple[StoredTensor, ...]:
    tensors = read_stored_tensors(file)
    if tensors is None:
        raise UsageError(f"{file}: unrecognized file type", help=spec_help(str(file)) or _HELP)
    return tensors


@dataclass(frozen=True)
class _Group:
    """Files that make up one checkpoint.

    Attributes:
        origin: The path from which a spec can be derived: an index, or the file itself.
        files: The weight files.
    """

    origin: Path
    files: tuple[Path, ...]


def _groups(path: Path) -> tuple[tuple[_Group, ...], dict[str, Manifest]]:
    """Return the checkpoints of a path, and manifests by the name of their weight file."""
    if not path.exists():
        raise UsageError(f"{path} does not exist", help=spec_help(str(path)) or f"check the path; {_HELP}")
    if path.is_dir():
        return _folder(path), {}
    if not path.is_file():
        raise UsageError(f"{path} is a pipe or a device, not a file", help=_HELP)
    if path.name.endswith(SUFFIX):
        manifest = read_manifest(path)
        files = _of_manifest(path.parent, manifest)
        return tuple(_Group(file, (file,)) for file in files), {f.name: manifest for f in manifest.files}
    return (_Group(path, checkpoint_files(path)),), {}


def _folder(folder: Path) -> tuple[_Group, ...]:
    groups: list[_Group] = []
    for path in list_checkpoints(folder):
        if not any(path in group.files for group in groups):  # indexes come first, so shards are skipped
            groups.append(_Group(path, checkpoint_files(path)))
    if not groups:
        raise UsageError(f"{folder} contains no weight file", help=_HELP)
    return tuple(groups)


def _of_manifest(folder: Path, manifest: Manifest) -> tuple[Path, ...]:
    files = tuple(folder / file.name for file in manifest.files)
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file.name}, which the manifest names, is missing from {folder}")
    return files


def _manifest_of(
    file: Path, manifests: Mapping[str, Manifest], stored: tuple[StoredTensor, ...]
) -> tuple[Manifest | None, list[str]]:
    """Return the manifest of a file if the file has exactly the tensors that it states, and warnings."""
    manifest = manifests.get(file.name)
    manifest_path = file.with_name(file.name + SUFFIX)
    if manifest is None:
        if not manifest_path.is_file():
            return None, []
        try:
            manifest = read_manifest(manifest_path)
        except LecunInitError as error:
            return None, [f"{error.message}; {_FROM_LAYERS}"]
    stated = {
        (e.stored_name, e.tensor.dtype, e.tensor.shape) for e in manifest.tensors if e.file == file.name
    }
    if stated == {(t.name, t.dtype, t.shape) for t in stored}:
        return manifest, []
    return None, [f"the tensors of {file.name} differ from those of its manifest; {_FROM_LAYERS}"]


def _expected_from_layers(origin: Path) -> tuple[Mapping[str, Expected], list[str]]:
    from lecun_cli.derive import derive_spec

    try:
        plan = derive_spec(str(origin)).plan
    except LecunInitError as error:
        return {}, [f"fan-ins are unknown: {error.message}"]
    file_format = None if origin.name.endswith(INDEX_SUFFIX) else weight_format(origin)
    names = {} if file_format is None else file_format.stored_names(plan)
    raw = {name for layer in plan.layers if layer.layer_type == "tensor" for _, name in layer.tensors}
    expected_by_name: dict[str, Expected] = {}
    for tensor in plan.tensors:
        expected = expected_of(tensor, is_stated=False, is_guessed=tensor.name in raw)
        # Derived specs fill counters and position tables with zeros because these are not weights, and the
        # initial values of a tensor with an unknown layer type are a guess: neither is an expectation.
        if not (expected.is_constant and (expected.is_guessed or not tensor.storage.is_float)):
            expected_by_name[names.get(tensor.name, tensor.name)] = expected
    return expected_by_name, []
