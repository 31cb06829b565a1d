"""safetensors files, folders of the Hub and plain HDF5: names, shapes and dtypes, without the weights."""

from __future__ import annotations

import re
from pathlib import Path

from lecun_cli.derive.described_model import Finding, Tensor
from lecun_cli.derive.readers.json_text import read_json
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.recognizer import recognise
from lecun_cli.errors import DeriveError, WeightFileError
from lecun_cli.formats import hdf5, safetensors
from lecun_cli.frameworks import FRAMEWORKS

INDEX = ".safetensors.index.json"
MAX_SHARDS = 100_000
_DAMAGED = "it is damaged, cut short or of another kind: fetch it or make it again"

# The last word of a tensor's name, and whose it is.
_WORDS = {
    "torch": frozenset({"weight", "running_mean", "in_proj_weight", "weight_ih_l0"}),
    "keras": frozenset({"kernel", "gamma", "beta", "embeddings", "moving_mean", "recurrent_kernel"}),
    "flax": frozenset({"kernel", "embedding", "scale"}),
}


def from_safetensors(path: Path) -> Finding:
    """One safetensors file, by its header.

    Raises:
        DeriveError: It is no sound safetensors file, or holds what no spec can name.
    """
    tensors = _read(path)
    return _finding(tensors, _format(path), str(path))


def from_index(path: Path) -> Finding:
    """A checkpoint in shards, by `*.safetensors.index.json` and the headers of its shards.

    Raises:
        DeriveError: A shard is missing or unsound, or holds other tensors than the index says.
    """
    found = read_json(path, what=str(path)).get("weight_map")
    if not isinstance(found, dict) or not all(isinstance(shard, str) for shard in found.values()):
        raise DeriveError(f'{path} has no "weight_map" of file names, so it is no index of shards')
    shards = sorted(set(found.values()))
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
        held = _read(file)
        for tensor in held:
            if found.get(tensor.name) != shard:
                where = found.get(tensor.name)
                said = f"{path.name} has it in {where}" if where else f"{path.name} does not name it"
                raise DeriveError(f"{shard} holds the tensor {tensor.name!a}, and {said}")
        tensors += held
    missing = found.keys() - {t.name for t in tensors}
    if missing:
        name = min(missing)
        raise DeriveError(f"{found[name]} does not hold the tensor {name!a} that {path.name} has in it")
    return _finding(tuple(tensors), _format(path.parent / shards[0]) if shards else None, str(path))


def from_hdf5(path: Path) -> Finding:
    """A plain HDF5 file: each dataset is a tensor, by the names in the file.

    Raises:
        DeriveError: It is no sound HDF5 file, or holds what no spec can name.
    """
    return _finding(hdf5_tensors(path), None, str(path))


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
        found = (file.metadata() or {}).get("format")
    return next((f.name for f in FRAMEWORKS.values() if f.header == found), None)


def _finding(tensors: tuple[Tensor, ...], said: str | None, source: str) -> Finding:
    check_tensors(tensors, source)
    framework = _framework(tensors, said)
    ordered = tuple(sorted(tensors, key=lambda t: natural(t.name)))
    return Finding(framework, recognise(ordered, framework), ordered)


def _framework(tensors: tuple[Tensor, ...], said: str | None) -> str:
    """Whose names these are: what the file says, unless the names say otherwise."""
    if said is not None:
        return said
    if all(t.name.startswith(("params/", "batch_stats/")) for t in tensors):
        return "flax"
    votes = dict.fromkeys(("torch", "keras"), 0)
    for tensor in tensors:
        for framework in votes:
            above, _, leaf = tensor.name.rpartition(FRAMEWORKS[framework].separator)
            votes[framework] += (
                bool(above) and leaf.removesuffix(":0") in _WORDS[framework]
            )  # ":0" is Keras 2's
    if votes["keras"] == votes["torch"]:
        return "keras" if any("/" in t.name for t in tensors) else "torch"
    return max(votes, key=lambda framework: votes[framework])


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A key by which `layer.10` comes after `layer.2`."""
    pieces = re.split(r"([./])|(\d{1,18})", name)
    return tuple((0, int(p)) if p.isascii() and p.isdigit() else (1, p) for p in pieces if p)
