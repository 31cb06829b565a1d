"""Which files a path means, what tensors they hold, and what each of these should hold."""

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

_HELP = "give a safetensors or HDF5 file, a manifest, an index of shards, or a folder of one of these"


@dataclass(frozen=True)
class SourceTensor:
    """A tensor of a file.

    Attributes:
        path: The file.
        stored: Where it lies and what the file calls it.
        name: What people call it: the manifest's name for it, or the file's.
        expected: What it should hold, or None where that is not known.
    """

    path: Path
    stored: StoredTensor
    name: str
    expected: Expected | None


@dataclass(frozen=True)
class Source:
    """What a path means.

    Attributes:
        path: As it was given.
        files: The weight files, in order.
        tensors: Their tensors, in the order of files and offsets.
        warnings: What could not be known, and why.
    """

    path: str
    files: tuple[Path, ...]
    tensors: tuple[SourceTensor, ...]
    warnings: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors in the files."""
        return sum(tensor.stored.nbytes for tensor in self.tensors)

    def matching(self, globs: Sequence[str]) -> Source:
        """The same with only the tensors whose names one of the globs matches; all without globs.

        Raises:
            UsageError: There are none.
        """
        if not self.tensors:
            raise UsageError(f"there are no tensors in {self.path}")
        if not globs:
            return self
        tensors = tuple(t for t in self.tensors if any(fnmatchcase(t.name, glob) for glob in globs))
        if not tensors:
            raise UsageError(
                f"none of the {len(self.tensors):,} tensors matches {', '.join(globs)}",
                help=f'a glob matches a whole name, such as "{self.tensors[0].name}"',
            )
        return replace(self, tensors=tensors)


def find(path: str | Path, *, use_manifest: bool = True) -> Source:
    """The files and tensors that a path means.

    Args:
        path: A weight file, a manifest, an index of shards, or a folder that holds some of these.
        use_manifest: Whether what a manifest states is believed; else all follows from the layers' kinds.

    Raises:
        UsageError: It means no weight files.
        ManifestError: It is a manifest, and a damaged one.
        WeightFileError: A file is damaged.
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
                manifest, why = _manifest_of(file, manifests, stored)
                warnings += why
            if manifest is not None:
                entries = {e.stored_name: e.tensor for e in manifest.tensors if e.file == file.name}
                tensors += [
                    SourceTensor(file, t, entries[t.name].name, expected_of(entries[t.name], is_stated=True))
                    for t in stored
                ]
                continue
            if derived is None:
                derived, why = _expected_from_layers(group.origin)
                warnings += why
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
        origin: What a spec of it can be derived from.
        files: Its files.
    """

    origin: Path
    files: tuple[Path, ...]


def _groups(path: Path) -> tuple[tuple[_Group, ...], dict[str, Manifest]]:
    """(checkpoints, manifests by the name of their file)."""
    if not path.exists():
        raise UsageError(f"there is no {path}", help=spec_help(str(path)) or f"check the path; {_HELP}")
    if path.is_dir():
        return _folder(path), {}
    if not path.is_file():
        raise UsageError(f"{path} is a pipe or a device, and only a file can be inspected", help=_HELP)
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
        raise UsageError(f"there is no weight file in {folder}", help=_HELP)
    return tuple(groups)


def _of_manifest(folder: Path, manifest: Manifest) -> tuple[Path, ...]:
    files = tuple(folder / file.name for file in manifest.files)
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no {file.name} in {folder}, which the manifest names")
    return files


def _manifest_of(
    file: Path, manifests: Mapping[str, Manifest], stored: tuple[StoredTensor, ...]
) -> tuple[Manifest | None, list[str]]:
    """The manifest of a file, if there is one and the file holds just what it says; and why not."""
    manifest = manifests.get(file.name)
    beside = file.with_name(file.name + SUFFIX)
    if manifest is None:
        if not beside.is_file():
            return None, []
        try:
            manifest = read_manifest(beside)
        except LecunInitError as error:
            return None, [f"{error.message}; fan-ins are taken from the layers' kinds"]
    stated = {
        (e.stored_name, e.tensor.dtype, e.tensor.shape) for e in manifest.tensors if e.file == file.name
    }
    if stated == {(t.name, t.dtype, t.shape) for t in stored}:
        return manifest, []
    warning = (
        f"{file.name} holds other tensors than its manifest says; fan-ins are taken from the layers' kinds"
    )
    return None, [warning]


def _expected_from_layers(origin: Path) -> tuple[Mapping[str, Expected], list[str]]:
    from lecun_cli.derive import derive_spec

    try:
        plan = derive_spec(str(origin)).plan
    except LecunInitError as error:
        return {}, [f"fan-ins are not known: {error.message}"]
    file_format = None if origin.name.endswith(INDEX_SUFFIX) else weight_format(origin)
    names = {} if file_format is None else file_format.stored_names(plan)
    raw = {name for layer in plan.layers if layer.layer_type == "tensor" for _, name in layer.tensors}
    expected_by_name: dict[str, Expected] = {}
    for tensor in plan.tensors:
        expected = expected_of(tensor, is_stated=False, is_guessed=tensor.name in raw)
        # A counter or a table of positions is no zeros because it is no weights, and what a tensor of no
        # known kind starts from is anybody's guess.
        if not (expected.is_constant and (expected.is_guessed or not tensor.storage.is_float)):
            expected_by_name[names.get(tensor.name, tensor.name)] = expected
    return expected_by_name, []
