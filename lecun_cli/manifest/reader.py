"""A manifest's bytes -> Manifest, every value checked."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import ManifestError, UsageError
from lecun_cli.initializers import family
from lecun_cli.initializers.distributions import Constant
from lecun_cli.initializers.family import InitializerError
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.manifest.model import MANIFEST, FileEntry, Manifest, TensorEntry
from lecun_cli.plan.types import PackedParameter, TensorPlan
from lecun_cli.stream import STREAM
from lecun_cli.stream.constant import constant
from lecun_cli.stream.sampler import make_sampler

MAX_MANIFEST_NBYTES = 2**30


def parse_manifest(data: bytes, source: str) -> Manifest:
    """A manifest from its bytes.

    Args:
        data: The bytes of the file.
        source: What messages call it.

    Raises:
        ManifestError: It is no manifest, a newer one, or does not hold together; the message says where.
    """
    try:
        value = json.loads(data, object_pairs_hook=_unique)
    except (ValueError, RecursionError) as error:
        raise ManifestError(f"{source} is no manifest: {error}") from error
    return _Reader(source).manifest(value)


def read_manifest(path: Path) -> Manifest:
    """A manifest from its file.

    Raises:
        ManifestError: It cannot be read or does not hold together.
    """
    try:
        if path.stat().st_size > MAX_MANIFEST_NBYTES:
            raise ManifestError(f"{path} is larger than a manifest can be ({MAX_MANIFEST_NBYTES} bytes)")
        return parse_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror or error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError(f"a key stands twice among {[name for name, _ in pairs][:8]}")
    return mapping


def _fits_shape(tensor: TensorPlan) -> bool:
    """Whether the parts of a tensor, packed along its axis, give its shape."""
    k = tensor.concat_axis
    if k == 0:
        return sum(part.n_elements for part in tensor.parts) == tensor.n_elements
    return sum(part.shape[k] for part in tensor.parts if len(part.shape) > k) == tensor.shape[k] and all(
        (*part.shape[:k], *part.shape[k + 1 :]) == (*tensor.shape[:k], *tensor.shape[k + 1 :])
        for part in tensor.parts
    )


_SHA256 = re.compile("[0-9a-f]{64}")
_PER_TENSOR = frozenset({"name", "file", "offset", "bytes", "sha256", "path", "identity"})
"""What rows differ in whose tensors are otherwise made alike."""


class _Reader:
    """Plain values -> Manifest, every one checked."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.checked: dict[str, TensorPlan] = {}

    def manifest(self, value: object) -> Manifest:
        top = self._mapping(value, "a manifest")
        number = top.get("manifest")
        if not isinstance(number, int) or isinstance(number, bool) or number != MANIFEST:
            raise self._error(f"a manifest of form {MANIFEST} was expected, found {number!r}", newer=True)
        stream = self._int(top, "stream", "it")
        if stream != STREAM:
            raise self._error(f"it is of stream {stream}, and this release makes stream {STREAM}", newer=True)
        spec = self._mapping(top.get("spec"), "spec")
        tool = self._mapping(top.get("tool"), "tool")
        files = tuple(self._file(f) for f in self._list(top, "files", "it"))
        files_by_name = {f.name: f for f in files}
        if len(files_by_name) != len(files):
            raise self._error("two of its files have one name")
        tensors = tuple(self._tensor(t, files_by_name) for t in self._list(top, "tensors", "it"))
        names = [entry.tensor.name for entry in tensors]
        if len(set(names)) != len(names):
            raise self._error("two of its tensors have one name")
        if len({(entry.file, entry.stored_name) for entry in tensors}) != len(tensors):
            raise self._error("two of its tensors have one path in their file")
        return Manifest(
            seed=self._int(top, "seed", "it", most=2**64 - 1),
            framework=self._text(top, "framework", "it"),
            fan_rule=self._text(top, "fan_rule", "it"),
            spec_sha256=self._text(spec, "sha256", "spec"),
            overrides=self._overrides(spec),
            files=files,
            tensors=tensors,
            stream=stream,
            version=self._text(tool, "version", "tool"),
        )

    def _overrides(self, spec: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        overrides = self._mapping(spec.get("set", {}), "spec.set")
        for name, value in overrides.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise self._error(f'"{name}" of spec.set is an integer, found {value!r}')
        return tuple(overrides.items())

    def _file(self, value: object) -> FileEntry:
        entry = self._mapping(value, "a file")
        name = self._text(entry, "name", "a file")
        if "/" in name or "\\" in name or name in {"", ".", ".."}:
            raise self._error(f'the file name "{name}" leads out of its folder')
        digest = self._digest(entry, name)
        return FileEntry(name, self._text(entry, "format", name), self._int(entry, "bytes", name), digest)

    def _tensor(self, value: object, files: Mapping[str, FileEntry]) -> TensorEntry:
        entry = self._mapping(value, "a tensor")
        name = self._text(entry, "name", "a tensor")
        file = self._text(entry, "file", name)
        if file not in files:
            raise self._error(f'"{name}" lies in "{file}", which is none of its files')
        tensor = self._planned(entry, name)
        offset = self._int(entry, "offset", name)
        end = offset + self._int(entry, "bytes", name)
        if end - offset != tensor.nbytes or end > files[file].nbytes:
            raise self._error(f'the place of "{name}" does not fit its shape and its file')
        if not _fits_shape(tensor):
            raise self._error(f'the parts of "{name}" do not make it up')
        path = self._text(entry, "path", name) if "path" in entry else name
        return TensorEntry(tensor, file, offset, self._digest(entry, name), path or name)

    def _planned(self, entry: dict[str, Any], name: str) -> TensorPlan:
        """How a tensor is made; of rows that say the same but for names and places, the first is checked."""
        if "parts" in entry:
            return self._checked(entry, name)
        alike = repr({key: value for key, value in entry.items() if key not in _PER_TENSOR})
        first = self.checked.get(alike)
        if first is None:
            first = self.checked[alike] = self._checked(entry, name)
            return first
        return first.renamed(name, (self._text(entry, "identity", name),))

    def _checked(self, entry: dict[str, Any], name: str) -> TensorPlan:
        dtype = self._text(entry, "dtype", name)
        if dtype not in DTYPES:
            raise self._error(f'"{name}" has the dtype "{dtype}", which there is not')
        shape = self._shape(entry, "shape", name)
        if "parts" in entry:
            rows = [self._mapping(p, f'a part of "{name}"') for p in self._list(entry, "parts", name)]
            concat_axis = self._int(entry, "along", name)
            if not rows or concat_axis >= len(shape):
                raise self._error(f'the parts of "{name}" do not make it up')
        else:
            rows, concat_axis = [entry], 0
        parts = tuple(self._part(row, shape, DTYPES[dtype], name) for row in rows)
        return TensorPlan.of(name, dtype, shape, parts, concat_axis)

    def _part(self, row: dict[str, Any], shape: Shape, dtype: DType, name: str) -> PackedParameter:
        arguments = dict(self._mapping(row.get("initializer"), f'the initializer of "{name}"'))
        try:
            initializer = family.make(str(arguments.pop("name", "")), arguments)
        except InitializerError as error:
            raise self._error(f'"{name}": {error.message}') from error
        part_shape = self._shape(row, "part_shape", name) if "part_shape" in row else shape
        axes = self._ints(row, "axes", name) if "axes" in row else None
        if axes is not None and sorted(axes) != list(range(len(part_shape))):
            raise self._error(
                f'the axes of "{name}" are {list(axes)}, which orders no {len(part_shape)} axes'
            )
        flip = self._ints(row, "flip", name) if "flip" in row else ()
        if not set(flip) <= set(range(len(part_shape))) or len(set(flip)) != len(flip):
            raise self._error(f'the flip of "{name}" is {list(flip)}, and it has {len(part_shape)} axes')
        fans = None
        if "fan_in" in row:
            fans = Fans(self._number(row, "fan_in", name), self._number(row, "fan_out", name))
        if fans is None and initializer.needs_fans:
            raise self._error(f'"{name}" lacks its fan_in')
        distribution = initializer.distribution(fans)
        try:
            constant(distribution.value, dtype) if isinstance(distribution, Constant) else make_sampler(
                distribution, dtype
            )
        except (UsageError, OverflowError) as error:
            raise self._error(f'"{name}": {error}') from error
        for key, value in (("std", distribution.std), ("bound", distribution.bound)):
            if row.get(key) != value:
                message = f'"{key}" of "{name}" is {value!r} by its initializer, found {row.get(key)!r}'
                raise self._error(message)
        return PackedParameter(
            self._text(row, "identity", name), part_shape, axes, initializer, fans, fans, distribution, flip
        )

    def _mapping(self, value: object, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._error(f"{what} is a mapping, found {type(value).__name__}")
        return cast("dict[str, Any]", value)

    def _list(self, entry: Mapping[str, Any], key: str, what: str) -> list[Any]:
        value = entry.get(key)
        if not isinstance(value, list):
            raise self._error(f'"{key}" of {what} is a list, found {type(value).__name__}')
        return value

    def _text(self, entry: Mapping[str, Any], key: str, what: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str):
            raise self._error(f'"{key}" of {what} is a string, found {type(value).__name__}')
        if not value.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in value):
            raise self._error(f'"{key}" of {what} is no Unicode text, found {value!r}')
        return value

    def _digest(self, entry: Mapping[str, Any], what: str) -> str:
        value = self._text(entry, "sha256", what)
        if not _SHA256.fullmatch(value):
            raise self._error(f"the sha256 of {what} is none")
        return value

    def _int(self, entry: Mapping[str, Any], key: str, what: str, most: int = 2**63 - 1) -> int:
        value = entry.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self._error(f'"{key}" of {what} is an integer from 0 to {most}, found {value!r}')
        return value

    def _ints(self, entry: Mapping[str, Any], key: str, what: str) -> tuple[int, ...]:
        return tuple(self._int({key: value}, key, what) for value in self._list(entry, key, what))

    def _shape(self, entry: Mapping[str, Any], key: str, what: str) -> Shape:
        shape = self._ints(entry, key, what)
        if 0 in shape:
            raise self._error(f'a size in "{key}" of {what} is 0')
        return shape

    def _number(self, entry: Mapping[str, Any], key: str, what: str) -> float:
        value = entry.get(key)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not 0 < value <= sys.float_info.max
        ):
            raise self._error(f'"{key}" of {what} is a number above zero, found {value!r}')
        return value

    def _error(self, message: str, *, newer: bool = False) -> ManifestError:
        advice = "a newer lecun-init may read it" if newer else None
        return ManifestError(f"{self.source} does not hold together: {message}", help=advice)
