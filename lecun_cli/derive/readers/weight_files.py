"""Read names, shapes and dtypes of weight files and of sharded checkpoints."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.derive.described_model import DescribedModel, Tensor
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.recognizer import recognize, recognizer_of
from lecun_cli.derive.recognition.tensor_index import COLLECTIONS
from lecun_cli.errors import DeriveError, WeightFileError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, hdf5, safetensors
from lecun_cli.formats.checkpoint import read_index, weight_format
from lecun_cli.frameworks import FRAMEWORKS, Framework

if TYPE_CHECKING:
    from lecun_cli.formats.stored_tensor import StoredTensor

_FALLBACK = "torch"
"""The framework of files whose tensor names are not typical of any framework."""


def from_weight_file(path: Path) -> DescribedModel:
    """Describe the model of one weight file whose tensors have names of their own.

    Args:
        path: A file of a format in `FORMATS`.

    Raises:
        DeriveError: The file is not valid, or a spec cannot express its tensors.
    """
    with _as_derive_error():
        file_format = weight_format(path) or FORMATS[DEFAULT_FORMAT]
        tensors = _tensors(file_format.read(path))
        framework = file_format.framework_of(path)
    return _described_model(tensors, framework, str(path))


def from_index(path: Path) -> DescribedModel:
    """Describe the model of a checkpoint in shards, from its index and the headers of its shards.

    Args:
        path: A `*.safetensors.index.json` file.

    Raises:
        DeriveError: The index or a shard is missing or not valid, or they do not agree.
    """
    tensors: list[Tensor] = []
    with _as_derive_error():
        index = read_index(path)
        for file in index.files:
            shard = _tensors(safetensors.read(file))
            index.check_tensors(file, (tensor.name for tensor in shard))
            tensors += shard
        index.check_complete({tensor.name for tensor in tensors})
        framework = safetensors.framework_of(index.files[0]) if index.files else None
    return _described_model(tuple(tensors), framework, str(path))


def hdf5_tensors(path: Path) -> tuple[Tensor, ...]:
    """Return the datasets of an HDF5 file.

    Raises:
        DeriveError: The file is not a valid HDF5 file.
    """
    with _as_derive_error():
        return _tensors(hdf5.read(path))


@contextmanager
def _as_derive_error() -> Iterator[None]:
    try:
        yield
    except WeightFileError as error:
        raise DeriveError(error.message, help=error.help) from error


def _tensors(stored: Iterable[StoredTensor]) -> tuple[Tensor, ...]:
    return tuple(Tensor(t.name, t.shape, t.dtype) for t in stored)


def _described_model(tensors: tuple[Tensor, ...], stated: str | None, source: str) -> DescribedModel:
    check_tensors(tensors, source)
    framework = _framework(tensors, stated)
    ordered = tuple(sorted(tensors, key=lambda t: natural(t.name)))
    return DescribedModel(framework, recognize(ordered, framework), ordered)


def _framework(tensors: tuple[Tensor, ...], stated: str | None) -> str:
    """Return the framework that the file states, else the one whose names the tensors have."""
    if stated is not None:
        return stated
    frameworks = [f for f in FRAMEWORKS.values() if f.recognizer is not None]
    if all(t.name.partition("/")[0] in COLLECTIONS for t in tensors):
        return next(f.name for f in frameworks if f.collection is not None)
    votes = {f.name: _count_typical(tensors, f) for f in frameworks if f.collection is None}
    leaders = [name for name, count in votes.items() if count == max(votes.values())]
    if len(leaders) == 1:
        return leaders[0]
    by_separator = (n for n in leaders if any(FRAMEWORKS[n].separator in t.name for t in tensors))
    return next(by_separator, _FALLBACK)


def _count_typical(tensors: tuple[Tensor, ...], framework: Framework) -> int:
    """Return the number of tensors with names that are typical of a framework."""
    leaf_names = recognizer_of(framework.name).leaf_names
    count = 0
    for tensor in tensors:
        layer, _, leaf = tensor.name.rpartition(framework.separator)
        count += bool(layer) and leaf.removesuffix(":0") in leaf_names  # Keras 2 appends ":0"
    return count


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """Return a sort key by which `layer.10` comes after `layer.2`."""
    parts = re.split(r"([./])|(\d{1,18})", name)
    return tuple((0, int(p)) if p.isascii() and p.isdigit() else (1, p) for p in parts if p)
