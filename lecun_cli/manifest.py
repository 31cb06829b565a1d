"""The manifest: what a file holds, and all that is needed to make any tensor of it again.

No clock, host or path is in it: the same input gives the same manifest, byte for byte.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lecun_cli._version import __version__
from lecun_cli.plan import Part, TensorPlan
from lecun_cli.stream import STREAM

MANIFEST = 1
"""The number of this form; a change of meaning is a new number."""
SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """A file, as the manifest has it; `name` has no folder."""

    name: str
    format: str
    nbytes: int
    sha256: str


@dataclass(frozen=True)
class TensorEntry:
    """A tensor: how it is made, where it lies, and its digest.

    Attributes:
        tensor: How it is made.
        file: The name of its file.
        offset: Its first byte, from the start of the file.
        sha256: SHA-256 of its bytes as stored, in hex.
        path: What the file calls it, which formats with paths of their own do otherwise.
    """

    tensor: TensorPlan
    file: str
    offset: int
    sha256: str
    path: str = ""

    @property
    def stored_name(self) -> str:
        """What the file calls the tensor."""
        return self.path or self.tensor.name


@dataclass(frozen=True)
class Manifest:
    """Everything about a set of weight files.

    Attributes:
        seed: The seed.
        framework: A key of `FRAMEWORKS`.
        fan_rule: `exact` or a framework's.
        spec_sha256: SHA-256 of the spec's bytes.
        overrides: The `--set` values that were in force.
        files: The files.
        tensors: The tensors, in the order of files and offsets.
        stream: The number of the stream.
        version: The version of lecun-init that wrote it.
    """

    seed: int
    framework: str
    fan_rule: str
    spec_sha256: str
    overrides: tuple[tuple[str, int], ...]
    files: tuple[FileEntry, ...]
    tensors: tuple[TensorEntry, ...]
    stream: int = STREAM
    version: str = __version__

    def to_json(self) -> dict[str, Any]:
        """As plain values, in the order in which they are written."""
        spec: dict[str, Any] = {"sha256": self.spec_sha256}
        if self.overrides:
            spec["set"] = dict(self.overrides)
        return {
            "manifest": MANIFEST,
            "tool": {"name": "lecun-init", "version": self.version},
            "stream": self.stream,
            "seed": self.seed,
            "spec": spec,
            "framework": self.framework,
            "fan_rule": self.fan_rule,
            "files": [
                {"name": f.name, "format": f.format, "bytes": f.nbytes, "sha256": f.sha256}
                for f in self.files
            ],
            "tensors": [_tensor_json(entry) for entry in self.tensors],
        }

    def to_bytes(self) -> bytes:
        """As the file's bytes: JSON with a line for every file and tensor, so that it can be searched."""
        lines = []
        for key, value in self.to_json().items():
            if isinstance(value, list):
                rows = ",\n".join(f"    {_compact(row)}" for row in value)
                lines.append(f'  "{key}": [\n{rows}\n  ]' if rows else f'  "{key}": []')
            else:
                lines.append(f'  "{key}": {_compact(value)}')
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _tensor_json(entry: TensorEntry) -> dict[str, Any]:
    tensor = entry.tensor
    found: dict[str, Any] = {
        "name": tensor.name,
        "file": entry.file,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "offset": entry.offset,
        "bytes": tensor.nbytes,
        "sha256": entry.sha256,
    }
    if entry.stored_name != tensor.name:
        found["path"] = entry.path
    if len(tensor.parts) == 1:
        found |= _part_json(tensor.parts[0], tensor)
    else:
        found["along"] = tensor.along
        found["parts"] = [_part_json(part, tensor) for part in tensor.parts]
    return found


def _part_json(part: Part, tensor: TensorPlan) -> dict[str, Any]:
    found: dict[str, Any] = {"initializer": part.initializer.to_json()}
    if part.fans is not None:
        found |= {"fan_in": part.fans.fan_in, "fan_out": part.fans.fan_out}
    found |= {"std": part.law.std, "bound": part.law.bound, "identity": part.identity}
    if part.axes is not None:
        found["axes"] = list(part.axes)
    if part.flip:
        found["flip"] = list(part.flip)
    if part.shape != tensor.shape:
        found["part_shape"] = list(part.shape)
    return found
