"""Find the weight files that a path means: recognize types, read shard indexes, list folders.

`derive`, `inspect` and `propagate` read checkpoints through this module.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lecun_cli.errors import UsageError, WeightFileError
from lecun_cli.formats import FORMATS, Format
from lecun_cli.formats.file_type import START_NBYTES, FileType, Magic
from lecun_cli.formats.json_text import load_json

if TYPE_CHECKING:
    from lecun_cli.formats.stored_tensor import StoredTensor

INDEX_SUFFIX = ".safetensors.index.json"
PICKLE_SUFFIXES = (
    ".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".msgpack", ".npz", ".npy", ".pb",
)  # fmt: skip
"""File types that can run code when they are opened, or that no reader here supports."""

KERAS_ARCHIVE = FileType("keras_archive", (".keras",), Magic(0, b"PK\x03\x04"))
"""An archive that `model.save` of Keras writes; its weights are in a file inside it."""

MAX_INDEX_NBYTES = 2**28
MAX_SHARDS = 100_000


class MissingShardError(WeightFileError):
    """An index names a shard that does not exist."""


@dataclass(frozen=True)
class ShardIndex:
    """A `*.safetensors.index.json` file, which lists the shards of a checkpoint.

    Attributes:
        path: The index.
        weight_map: File name of the shard that contains each tensor, by the tensor's name.
        files: The shards, sorted by name. All of them exist.
    """

    path: Path
    weight_map: Mapping[str, str]
    files: tuple[Path, ...]

    def check_tensors(self, file: Path, names: Iterable[str]) -> None:
        """Check that the index places every tensor of a shard in that shard.

        Args:
            file: The shard.
            names: The tensors that it contains.

        Raises:
            WeightFileError: The index names another shard for a tensor, or does not name the tensor.
        """
        for name in names:
            shard = self.weight_map.get(name)
            if shard != file.name:
                reason = f"places it in {_quoted(shard)}" if shard else "does not name it"
                raise WeightFileError(
                    f"{file.name} contains the tensor {_quoted(name)}, but {self.path.name} {reason}"
                )

    def check_complete(self, names: Collection[str]) -> None:
        """Check that no tensor of the index is missing.

        Args:
            names: The tensors of all shards.

        Raises:
            WeightFileError: A tensor is missing.
        """
        missing = self.weight_map.keys() - names
        if missing:
            name = min(missing)
            raise WeightFileError(
                f"{self.weight_map[name]} does not contain the tensor {_quoted(name)}, "
                f"which {self.path.name} places in it"
            )


def is_weight_data(start: bytes) -> bool:
    """Return true if a file that begins with these bytes is a weight file of a format in `FORMATS`."""
    return any(file_format.matches_content(start) for file_format in FORMATS.values())


def has_weight_suffix(name: str) -> bool:
    """Return true if a file name has the suffix of a weight file or of a shard index."""
    name = name.lower()
    return name.endswith(INDEX_SUFFIX) or any(f.matches_name(name) for f in FORMATS.values())


def recognize_file(path: Path) -> FileType | None:
    """Return the type of a file: by its first bytes, or by its suffix if these match no type.

    A format that builds on another one, as Keras weight files build on HDF5, is distinguished by the suffix.

    Args:
        path: An existing file.

    Returns:
        An entry of `FORMATS`, `KERAS_ARCHIVE`, or None if the type is not recognized.

    Raises:
        WeightFileError: The file cannot be read.
        UsageError: The file is a pickle or of another type that is never opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(START_NBYTES)
    except OSError as error:
        raise WeightFileError(f"{path} cannot be read: {error.strerror or error}") from error
    matching = [file_format for file_format in FORMATS.values() if file_format.matches_content(start)]
    if matching:
        return next((f for f in matching if f.matches_name(path.name)), matching[-1])
    if path.name.lower().endswith(PICKLE_SUFFIXES):
        raise UsageError(
            f"{path} is not read, because a pickle runs code when it is opened",
            help="save it as safetensors (safetensors.torch.save_file)",
        )
    if KERAS_ARCHIVE.matches_content(start):
        return KERAS_ARCHIVE
    return next((t for t in (*FORMATS.values(), KERAS_ARCHIVE) if t.matches_name(path.name)), None)


def weight_format(path: Path) -> Format | None:
    """Return the format of a weight file, or None if it is not recognized.

    Raises:
        WeightFileError: The file cannot be read.
        UsageError: The file is a pickle, or an archive that contains a weight file.
    """
    file_type = recognize_file(path)
    if file_type is KERAS_ARCHIVE:
        raise UsageError(
            f"{path} is an archive, and its weights are in a file inside it",
            help=f"unzip {path.name} model.weights.h5, and give that file",
        )
    return None if file_type is None else FORMATS[file_type.name]


def read_stored_tensors(path: Path) -> tuple[StoredTensor, ...] | None:
    """Return the tensors that a weight file contains, or None if its type is not recognized.

    Raises:
        WeightFileError: The file cannot be read.
        UsageError: The file is a pickle, or an archive that contains a weight file.
    """
    file_format = weight_format(path)
    return None if file_format is None else file_format.read(path)


def read_index(path: Path) -> ShardIndex:
    """Read the index of a checkpoint in shards.

    Raises:
        WeightFileError: The index cannot be read, is too large, has no valid `weight_map`, or names a
            shard outside its folder.
        MissingShardError: A shard does not exist.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_INDEX_NBYTES + 1)
    except OSError as error:
        raise WeightFileError(f"{path} cannot be read: {error.strerror or error}") from error
    if len(data) > MAX_INDEX_NBYTES:
        raise WeightFileError(f"{path} is too large: expected at most {MAX_INDEX_NBYTES // 2**20} MiB")
    weight_map = _weight_map(data, path)
    shards = sorted(set(weight_map.values()))
    if len(shards) > MAX_SHARDS:
        raise WeightFileError(f"{path}: expected at most {MAX_SHARDS:,} shards, got {len(shards):,}")
    for shard in shards:
        if re.search(r"[/\\\0]", shard) or shard in {"", ".", ".."}:
            raise WeightFileError(
                f"{path} names the shard {_quoted(shard)}: expected the name of a file in its folder"
            )
        if not (path.parent / shard).is_file():
            raise MissingShardError(
                f"{path.name} names the shard {_quoted(shard)}, which is missing from {path.parent}",
                help="download the whole checkpoint",
            )
    return ShardIndex(path, weight_map, tuple(path.parent / shard for shard in shards))


def _weight_map(data: bytes, path: Path) -> dict[str, str]:
    try:
        index = load_json(data)
    except ValueError as error:
        raise WeightFileError(f"{path} is not a valid shard index: {error}") from error
    weight_map: Any = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise WeightFileError(f'{path} is not a valid shard index: expected a "weight_map" of file names')
    return weight_map


def checkpoint_files(path: Path) -> tuple[Path, ...]:
    """Return the weight files of a checkpoint: the shards of an index, or the file itself.

    Raises:
        WeightFileError: The path is an index, and `read_index` fails.
    """
    return read_index(path).files if path.name.endswith(INDEX_SUFFIX) else (path,)


def list_checkpoints(folder: Path, formats: Collection[str] | None = None) -> tuple[Path, ...]:
    """List the shard indexes of a folder, then its weight files, each sorted by name.

    Args:
        folder: An existing folder. Folders in it are not searched.
        formats: Keys of `FORMATS`. Files of other formats are left out; by default, none are.

    Raises:
        UsageError: The folder cannot be read.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror or error}") from error
    chosen = [f for name, f in FORMATS.items() if formats is None or name in formats]
    indexes = [path for path in files if path.name.endswith(INDEX_SUFFIX)]
    weights = [path for path in files if any(f.matches_name(path.name) for f in chosen)]
    return (*indexes, *weights)


def find_checkpoint(folder: Path, formats: Collection[str] | None = None) -> Path | None:
    """Return the one checkpoint of a folder: its shard index, or else its weight file.

    Args:
        folder: An existing folder.
        formats: Keys of `FORMATS`. Files of other formats are left out; by default, none are.

    Returns:
        An index or a weight file; None if the folder contains neither.

    Raises:
        UsageError: The folder cannot be read, or contains several checkpoints; the message names them.
    """
    paths = list_checkpoints(folder, formats)
    indexes = [path for path in paths if path.name.endswith(INDEX_SUFFIX)]
    candidates = indexes or paths
    if len(candidates) > 1:
        names = ", ".join(path.name for path in candidates[:5])
        raise UsageError(
            f"{folder} contains {len(candidates)} checkpoints: {names}", help="give the path of one of them"
        )
    return candidates[0] if candidates else None


def _quoted(name: str) -> str:
    """Return a name from a file in double quotes, with escapes for all but ASCII characters."""
    return json.dumps(name)
