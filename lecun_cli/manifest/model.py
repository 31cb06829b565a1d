"""The manifest: what a file holds, and all that is needed to make any tensor of it again.

No clock, host or path is in it: the same input gives the same manifest, byte for byte.
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
"""The number of this form; a change of meaning is a new number."""
SUFFIX = ".manifest.json"


@dataclass(frozen=True)
class FileEntry:
    """A file, as the manifest has it; `name` has no folder."""

    name: str
    format: str
    nbytes: int
    sha256: str


class TensorEntry(NamedTuple):
    """A tensor: how it is made, where it lies, and its digest; a tuple, for there may be a million.

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


@dataclass(frozen=True, repr=False)
class Manifest(TableRepr):
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

    def to_bytes(self) -> bytes:
        """As the file's bytes: JSON with a line for every file and tensor, so that it can be searched."""
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
        """What `repr`, rich and notebooks show."""
        return of_manifest(self)


_ROWS_AT_ONCE = 1000  # which are a few hundred KB
_json = json.JSONEncoder(ensure_ascii=False).encode


def _write_list(data: BytesIO, key: str, rows: Iterable[str]) -> None:
    """A list with a line for every row."""
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
    """The row of each tensor; what tensors of one form and file have alike is made into text once."""
    templates: dict[tuple[TensorTemplate, str], str] = {}
    for tensor, file, offset, sha256, path in entries:
        alike = (tensor.template, file)
        template = templates.get(alike) or templates.setdefault(alike, _row_template(tensor, file))
        name = tensor.name
        path_text = f', "path": {_quoted(path)}' if path and path != name else ""
        yield template % (_quoted(name), offset, sha256, path_text, *map(_quoted, tensor.identities))


def _row_template(tensor: TensorPlan, file: str) -> str:
    """A row with a `%s` for what is a tensor's own: name, offset, digest, path, identity of each part."""
    fixed = _inner({"file": file, "dtype": tensor.dtype, "shape": tensor.shape}).replace("%", "%%")
    return (
        f'{{"name": %s, {fixed}, "offset": %s, "bytes": {tensor.nbytes}, "sha256": "%s"%s, '
        f"{_parts_text(tensor)}}}"
    )


def _parts_text(tensor: TensorPlan) -> str:
    """How a tensor is made, with a `%s` for the identity of each part."""
    texts = [_part_text(part, tensor) for part in tensor.parts]
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
    """The JSON of a mapping without its braces."""
    return _json(value)[1:-1]
