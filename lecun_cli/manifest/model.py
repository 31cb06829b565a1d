"""The manifest: the content of a set of weight files, and everything needed to regenerate any tensor.

It contains no timestamp, host name or path: the same input gives the same manifest, byte for byte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from json.encoder import encode_basestring as _quoted
from typing import Any, NamedTuple

from lecun_cli._version import __version__
from lecun_cli.display.tables import Table, TableRepr, of_manifest
from lecun_cli.plan.types import PackedParameter, TensorPlan, TensorTemplate
from lecun_cli.stream import STREAM

MANIFEST = 1
"""Version of the manifest; it changes when the meaning of a key changes."""
SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """A weight file.

    Attributes:
        name: Name of the file, without its folder.
        format: A key of `FORMATS`.
        nbytes: Length in bytes.
        sha256: SHA-256 of the file, in hex.
    """

    name: str
    format: str
    nbytes: int
    sha256: str


class TensorEntry(NamedTuple):
    """A tensor in a file. It is a tuple because there may be a million.

    Attributes:
        tensor: How the tensor is generated.
        file: Name of the file that contains it.
        offset: Position of its first byte in the file.
        sha256: SHA-256 of its bytes as stored, in hex.
        path: Name of the tensor in the file; empty if it is the tensor's own name.
    """

    tensor: TensorPlan
    file: str
    offset: int
    sha256: str
    path: str = ""

    @property
    def stored_name(self) -> str:
        """Name of the tensor in the file."""
        return self.path or self.tensor.name


@dataclass(frozen=True, repr=False)
class Manifest(TableRepr):
    """The manifest of a set of weight files.

    Attributes:
        seed: The seed of all tensors, 0 to 2**64 - 1.
        framework: A key of `FRAMEWORKS`.
        fan_rule: A key of `RULES`, or `exact`.
        spec_sha256: SHA-256 of the spec's bytes.
        overrides: The params that were set with `--set`.
        files: The files.
        tensors: The tensors, by file and offset.
        stream: Version of the stream.
        version: Version of lecun-init that wrote the manifest.
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

    def to_bytes(self) -> bytes:
        """Return the bytes of the file: JSON with one line per file and tensor, easy to search."""
        spec: dict[str, Any] = {"sha256": self.spec_sha256}
        if self.overrides:
            spec["set"] = dict(self.overrides)
        top = {
            "manifest": MANIFEST,
            "tool": {"name": "lecun-init", "version": self.version},
            "stream": self.stream,
            "seed": self.seed,
            "spec": spec,
            "framework": self.framework,
            "fan_rule": self.fan_rule,
        }
        data = BytesIO()
        data.write(b"{\n")
        for key, value in top.items():
            data.write(f'  "{key}": {_json(value)},\n'.encode())
        _write_list(data, "files", map(_file_row, self.files))
        data.write(b",\n")
        _write_list(data, "tensors", _tensor_rows(self.tensors))
        data.write(b"\n}\n")
        return data.getvalue()

    def table(self) -> Table:
        """Return the table that `repr`, rich and notebooks show."""
        return of_manifest(self)


_ROWS_AT_ONCE = 1000  # a few hundred KB
_json = json.JSONEncoder(ensure_ascii=False).encode


def _write_list(data: BytesIO, key: str, rows: Iterable[str]) -> None:
    """Write a JSON list with one line per row."""
    data.write(f'  "{key}": ['.encode())
    before = "\n    "
    left = iter(rows)
    while some := list(islice(left, _ROWS_AT_ONCE)):
        data.write((before + ",\n    ".join(some)).encode())
        before = ",\n    "
    data.write(b"]" if before == "\n    " else b"\n  ]")


def _file_row(file: FileEntry) -> str:
    return _json({"name": file.name, "format": file.format, "bytes": file.nbytes, "sha256": file.sha256})


def _tensor_rows(entries: Iterable[TensorEntry]) -> Iterator[str]:
    """Yield the row of each tensor; the text that tensors of a template and a file share is made once."""
    templates: dict[tuple[TensorTemplate, str], str] = {}
    for tensor, file, offset, sha256, path in entries:
        key = (tensor.template, file)
        template = templates.get(key) or templates.setdefault(key, _row_template(tensor, file))
        name = tensor.name
        path_text = f', "path": {_quoted(path)}' if path and path != name else ""
        yield template % (_quoted(name), offset, sha256, path_text, *map(_quoted, tensor.identities))


def _row_template(tensor: TensorPlan, file: str) -> str:
    """Return a row with a `%s` for the name, offset, digest, path, and identity of each part."""
    fixed = _inner({"file": file, "dtype": tensor.dtype, "shape": tensor.shape}).replace("%", "%%")
    return (
        f'{{"name": %s, {fixed}, "offset": %s, "bytes": {tensor.nbytes}, "sha256": "%s"%s, '
        f"{_parts_text(tensor)}}}"
    )


def _parts_text(tensor: TensorPlan) -> str:
    """Return the keys that say how a tensor is generated, with a `%s` for the identity of each part."""
    texts = [_part_text(part, tensor) for part in tensor.template.parts]
    if len(texts) == 1:
        return texts[0]
    return f'"along": {tensor.concat_axis}, "parts": [{", ".join(f"{{{text}}}" for text in texts)}]'


def _part_text(part: PackedParameter, tensor: TensorPlan) -> str:
    before: dict[str, Any] = {"initializer": part.initializer.to_json()}
    if part.fans is not None:
        before |= {"fan_in": part.fans.fan_in, "fan_out": part.fans.fan_out}
    before |= {"std": part.distribution.std, "bound": part.distribution.bound}
    after: dict[str, Any] = {}
    if part.axes is not None:
        after["axes"] = part.axes
    if part.flip:
        after["flip"] = part.flip
    if part.shape != tensor.shape:
        after["part_shape"] = part.shape
    texts = [_inner(before).replace("%", "%%"), '"identity": %s']
    return ", ".join([*texts, _inner(after)] if after else texts)


def _inner(value: dict[str, Any]) -> str:
    """Return the JSON of a mapping without its braces."""
    return _json(value)[1:-1]
