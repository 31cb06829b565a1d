"""safetensors files, folders of the Hub and plain HDF5: names, shapes and dtypes, without the weights."""

from __future__ import annotations

import re
from pathlib import Path

from lecun_cli.derive.described_model import DescribedModel, Tensor
from lecun_cli.derive.readers.json_text import read_json
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.recognizer import RECOGNIZERS, recognize
from lecun_cli.errors import DeriveError, WeightFileError
from lecun_cli.formats import hdf5, safetensors
from lecun_cli.frameworks import FRAMEWORKS

INDEX = ".safetensors.index.json"
MAX_SHARDS = 100_000
_DAMAGED = "it is damaged, cut short or of another kind: fetch it or make it again"


def from_safetensors(path: Path) -> DescribedModel:
    """One safetensors file, by its header.

    Raises:
        DeriveError: It is no sound safetensors file, or holds what no spec can name.
    """
    tensors = _read(path)
    return _described_model(tensors, _format(path), str(path))


def from_index(path: Path) -> DescribedModel:
    """A checkpoint in shards, by `*.safetensors.index.json` and the headers of its shards.

    Raises:
        DeriveError: A shard is missing or unsound, or holds other tensors than the index says.
    """
    weight_map = read_json(path, what=str(path)).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise DeriveError(f'{path} has no "weight_map" of file names, so it is no index of shards')
    shards = sorted(set(weight_map.values()))
    if len(shards) > MAX_SHARDS:
        raise DeriveError(f"{path} names {len(shards):,} shards, and at most {MAX_SHARDS:,} are read")
    tensors: list[Tensor] = []
    for shard in shards:
        if re.search(r"[/\\\0]", shard) or shard in {"", ".", ".."}:
            raise DeriveError(f"{path} names the shard {shard!a}, which is no file name beside it")
        file = path.parent / shard
        if not file.is_file():
            raise DeriveError(
                f"{path.name} names the shard {shard}, and there is none in {path.parent}",
                help="fetch the whole checkpoint; the headers alone would be enough",
            )
        stored = _read(file)
        for tensor in stored:
            if weight_map.get(tensor.name) != shard:
                where = weight_map.get(tensor.name)
                reason = f"{path.name} has it in {where}" if where else f"{path.name} does not name it"
                raise DeriveError(f"{shard} holds the tensor {tensor.name!a}, and {reason}")
        tensors += stored
    missing = weight_map.keys() - {t.name for t in tensors}
    if missing:
        name = min(missing)
        raise DeriveError(f"{weight_map[name]} does not hold the tensor {name!a} that {path.name} has in it")
    return _described_model(tuple(tensors), _format(path.parent / shards[0]) if shards else None, str(path))


def from_hdf5(path: Path) -> DescribedModel:
    """A plain HDF5 file: each dataset is a tensor, by the names in the file.

    Raises:
        DeriveError: It is no sound HDF5 file, or holds what no spec can name.
    """
    return _described_model(hdf5_tensors(path), None, str(path))


def hdf5_tensors(path: Path) -> tuple[Tensor, ...]:
    """The datasets of an HDF5 file.

    Raises:
        DeriveError: It is no sound HDF5 file.
    """
    try:
        return tuple(Tensor(t.name, t.shape, t.dtype) for t in hdf5.read(path))
    except WeightFileError as error:
        raise DeriveError(error.message, help=error.help or _DAMAGED) from error


def _read(path: Path) -> tuple[Tensor, ...]:
    try:
        return tuple(Tensor(t.name, t.shape, t.dtype) for t in safetensors.read(path))
    except WeightFileError as error:
        raise DeriveError(error.message, help=error.help or _DAMAGED) from error


def _format(path: Path) -> str | None:
    """What the metadata of a safetensors file say of its framework."""
    from safetensors import safe_open

    with safe_open(path, framework="numpy") as file:
        header = (file.metadata() or {}).get("format")
    return next((f.name for f in FRAMEWORKS.values() if f.header == header), None)


def _described_model(tensors: tuple[Tensor, ...], stated: str | None, source: str) -> DescribedModel:
    check_tensors(tensors, source)
    framework = _framework(tensors, stated)
    ordered = tuple(sorted(tensors, key=lambda t: natural(t.name)))
    return DescribedModel(framework, recognize(ordered, framework), ordered)


def _framework(tensors: tuple[Tensor, ...], stated: str | None) -> str:
    """Whose names these are: what the file says, unless the names say otherwise."""
    if stated is not None:
        return stated
    if all(t.name.startswith(("params/", "batch_stats/")) for t in tensors):
        return "flax"
    votes = dict.fromkeys(("torch", "keras"), 0)
    for tensor in tensors:
        for framework in votes:
            above, _, leaf = tensor.name.rpartition(FRAMEWORKS[framework].separator)
            leaf = leaf.removesuffix(":0")  # the suffix of Keras 2
            votes[framework] += bool(above) and leaf in RECOGNIZERS[framework].leaf_names
    if votes["keras"] == votes["torch"]:
        return "keras" if any("/" in t.name for t in tensors) else "torch"
    return max(votes, key=lambda framework: votes[framework])


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A key by which `layer.10` comes after `layer.2`."""
    parts = re.split(r"([./])|(\d{1,18})", name)
    return tuple((0, int(p)) if p.isascii() and p.isdigit() else (1, p) for p in parts if p)
