"""Read manifests, and check every value."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import ManifestError, UsageError, describe
from lecun_cli.formats.json_text import load_json
from lecun_cli.initializers import family
from lecun_cli.initializers.distributions import Constant, Distribution
from lecun_cli.initializers.family import Initializer, InitializerError
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.manifest.model import MANIFEST, FileEntry, Manifest, TensorEntry
from lecun_cli.plan.types import PackedParameter, TensorPlan
from lecun_cli.stream import STREAM
from lecun_cli.stream.constant import constant
from lecun_cli.stream.sampler import make_sampler

MAX_MANIFEST_NBYTES = 2**30


def parse_manifest(data: bytes, source: str) -> Manifest:
    """Read a manifest from its bytes.

    Args:
        data: The bytes of the file.
        source: The name of the manifest in messages.

    Raises:
        ManifestError: The bytes are not a valid manifest of a version that this release reads; the message
            names the value that is wrong.
    """
    try:
        value = load_json(data)
    except ValueError as error:
        raise ManifestError(f"{source} is not a valid manifest: {error}") from error
    return _Reader(source).manifest(value)


def read_manifest(path: Path) -> Manifest:
    """Read a manifest from its file.

    Raises:
        ManifestError: The file cannot be read or is not a valid manifest.
    """
    try:
        nbytes = path.stat().st_size
        if nbytes > MAX_MANIFEST_NBYTES:
            raise ManifestError(
                f"{path} is too large: expected at most {MAX_MANIFEST_NBYTES} bytes, got {nbytes}"
            )
        return parse_manifest(path.read_bytes(), str(path))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror or error}") from error


def _parts_fit(tensor: TensorPlan) -> bool:
    """Return true if the parts of a tensor, packed along its axis, have its shape."""
    k = tensor.concat_axis
    if k == 0:
        return sum(part.n_elements for part in tensor.parts) == tensor.n_elements
    return sum(part.shape[k] for part in tensor.parts if len(part.shape) > k) == tensor.shape[k] and all(
        (*part.shape[:k], *part.shape[k + 1 :]) == (*tensor.shape[:k], *tensor.shape[k + 1 :])
        for part in tensor.parts
    )


_SHA256 = re.compile("[0-9a-f]{64}")
_PER_TENSOR = frozenset({"name", "file", "offset", "bytes", "sha256", "path", "identity"})
"""Keys of a row whose values do not belong to the template of its tensor."""


class _Reader:
    """Turns the JSON value of a manifest into a `Manifest` and checks every value.

    In the methods, `owner` is the object that a key belongs to, as messages name it: `"hidden/kernel"`, or
    an empty string for the manifest itself.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.tensors_by_template: dict[str, TensorPlan] = {}

    def manifest(self, value: object) -> Manifest:
        top = self._object(value, "the manifest")
        version = top.get("manifest")
        if not isinstance(version, int) or isinstance(version, bool) or version != MANIFEST:
            raise self._unexpected('"manifest"', f"version {MANIFEST}", repr(version), newer=True)
        stream = self._int(top, "stream", "")
        if stream != STREAM:
            raise self._unexpected('"stream"', f"version {STREAM}", stream, newer=True)
        spec = self._object(top.get("spec"), '"spec"')
        tool = self._object(top.get("tool"), '"tool"')
        files = tuple(self._file(f) for f in self._list(top, "files", ""))
        files_by_name = {f.name: f for f in files}
        if len(files_by_name) != len(files):
            raise self._error("two files have the same name")
        tensors = tuple(self._tensor(t, files_by_name) for t in self._list(top, "tensors", ""))
        names = [entry.tensor.name for entry in tensors]
        if len(set(names)) != len(names):
            raise self._error("two tensors have the same name")
        if len({(entry.file, entry.stored_name) for entry in tensors}) != len(tensors):
            raise self._error("two tensors have the same path in their file")
        return Manifest(
            seed=self._int(top, "seed", "", most=2**64 - 1),
            framework=self._text(top, "framework", ""),
            fan_rule=self._text(top, "fan_rule", ""),
            spec_sha256=self._text(spec, "sha256", '"spec"'),
            overrides=self._overrides(spec),
            files=files,
            tensors=tensors,
            stream=stream,
            version=self._text(tool, "version", '"tool"'),
        )

    def _overrides(self, spec: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
        overrides = self._object(spec.get("set", {}), '"spec.set"')
        for name, value in overrides.items():
            if not isinstance(value, int) or isinstance(value, bool):
                raise self._unexpected(f'"{name}" of "spec.set"', "an integer", repr(value))
        return tuple(overrides.items())

    def _file(self, value: object) -> FileEntry:
        entry = self._object(value, "a file")
        name = self._text(entry, "name", "a file")
        if "/" in name or "\\" in name or name in {"", ".", ".."}:
            raise self._unexpected('"name" of a file', "a name without a folder", f'"{name}"')
        owner = f'"{name}"'
        return FileEntry(
            name,
            self._text(entry, "format", owner),
            self._int(entry, "bytes", owner),
            self._digest(entry, owner),
        )

    def _tensor(self, value: object, files: Mapping[str, FileEntry]) -> TensorEntry:
        entry = self._object(value, "a tensor")
        name = self._text(entry, "name", "a tensor")
        owner = f'"{name}"'
        file = self._text(entry, "file", owner)
        if file not in files:
            raise self._unexpected(f'"file" of {owner}', "the name of one of the files", f'"{file}"')
        tensor = self._plan(entry, name)
        offset = self._int(entry, "offset", owner)
        nbytes = self._int(entry, "bytes", owner)
        if nbytes != tensor.nbytes:
            raise self._unexpected(f'"bytes" of {owner}', f"{tensor.nbytes} for its shape and dtype", nbytes)
        if offset + nbytes > files[file].nbytes:
            message = (
                f"{owner} ends at byte {offset + nbytes} of {file}, which has {files[file].nbytes} bytes"
            )
            raise self._error(message)
        if not _parts_fit(tensor):
            raise self._error(f"the parts of {owner} do not add up to its shape")
        path = self._text(entry, "path", owner) if "path" in entry else name
        return TensorEntry(tensor, file, offset, self._digest(entry, owner), path or name)

    def _plan(self, entry: dict[str, Any], name: str) -> TensorPlan:
        """Return the plan of a tensor. Of rows with the same template, only the first is checked in full."""
        if "parts" in entry:
            return self._checked_plan(entry, name)
        template = repr({key: value for key, value in entry.items() if key not in _PER_TENSOR})
        first = self.tensors_by_template.get(template)
        if first is None:
            first = self.tensors_by_template[template] = self._checked_plan(entry, name)
            return first
        return first.renamed(name, (self._text(entry, "identity", f'"{name}"'),))

    def _checked_plan(self, entry: dict[str, Any], name: str) -> TensorPlan:
        owner = f'"{name}"'
        dtype = self._text(entry, "dtype", owner)
        if dtype not in DTYPES:
            raise self._error(f'{owner}: unknown dtype "{dtype}"')
        shape = self._shape(entry, "shape", owner)
        rows, concat_axis = [entry], 0
        if "parts" in entry:
            rows = [self._object(p, f"a part of {owner}") for p in self._list(entry, "parts", owner)]
            concat_axis = self._int(entry, "along", owner)
            if not rows or concat_axis >= len(shape):
                raise self._error(f"the parts of {owner} do not add up to its shape")
        parts = tuple(self._part(row, shape, DTYPES[dtype], owner) for row in rows)
        return TensorPlan.of(name, dtype, shape, parts, concat_axis)

    def _part(self, row: dict[str, Any], shape: Shape, dtype: DType, owner: str) -> PackedParameter:
        initializer = self._initializer(row, owner)
        part_shape = self._shape(row, "part_shape", owner) if "part_shape" in row else shape
        rank = len(part_shape)
        axes = self._ints(row, "axes", owner) if "axes" in row else None
        if axes is not None and sorted(axes) != list(range(rank)):
            rule = f"a permutation of {list(range(rank))}"
            raise self._unexpected(f'"axes" of {owner}', rule, list(axes))
        flip = self._ints(row, "flip", owner) if "flip" in row else ()
        if not set(flip) <= set(range(rank)) or len(set(flip)) != len(flip):
            rule = f"different axes of {list(range(rank))}"
            raise self._unexpected(f'"flip" of {owner}', rule, list(flip))
        fans = None
        if "fan_in" in row:
            fans = Fans(self._number(row, "fan_in", owner), self._number(row, "fan_out", owner))
        if fans is None and initializer.needs_fans:
            raise self._error(f'{owner}: "fan_in" is missing, which {initializer.name} needs')
        distribution = self._distribution(row, initializer, fans, dtype, owner)
        identity = self._text(row, "identity", owner)
        return PackedParameter(identity, part_shape, axes, initializer, fans, fans, distribution, flip)

    def _initializer(self, row: dict[str, Any], owner: str) -> Initializer:
        arguments = dict(self._object(row.get("initializer"), f'"initializer" of {owner}'))
        try:
            return family.make(str(arguments.pop("name", "")), arguments)
        except InitializerError as error:
            raise self._error(f"{owner}: {error.message}") from error

    def _distribution(
        self, row: dict[str, Any], initializer: Initializer, fans: Fans | None, dtype: DType, owner: str
    ) -> Distribution:
        distribution = initializer.distribution(fans)
        try:
            if isinstance(distribution, Constant):
                constant(distribution.value, dtype)
            else:
                make_sampler(distribution, dtype)
        except UsageError as error:
            raise self._error(f"{owner}: {error.message}") from error
        except OverflowError as error:
            raise self._error(f"{owner}: {error}") from error
        for key, value in (("std", distribution.std), ("bound", distribution.bound)):
            if row.get(key) != value:
                rule = f"{value!r} for its initializer"
                raise self._unexpected(f'"{key}" of {owner}', rule, repr(row.get(key)))
        return distribution

    def _object(self, value: object, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self._unexpected(what, "an object", describe(value))
        return cast("dict[str, Any]", value)

    def _list(self, entry: Mapping[str, Any], key: str, owner: str) -> list[Any]:
        value = entry.get(key)
        if not isinstance(value, list):
            raise self._unexpected(_of(key, owner), "a list", describe(value))
        return value

    def _text(self, entry: Mapping[str, Any], key: str, owner: str) -> str:
        value = entry.get(key)
        if not isinstance(value, str):
            raise self._unexpected(_of(key, owner), "a string", describe(value))
        if not value.isascii() and any(0xD800 <= ord(c) < 0xE000 for c in value):
            raise self._unexpected(_of(key, owner), "valid Unicode", repr(value))
        return value

    def _digest(self, entry: Mapping[str, Any], owner: str) -> str:
        value = self._text(entry, "sha256", owner)
        if not _SHA256.fullmatch(value):
            raise self._unexpected(_of("sha256", owner), "64 lowercase hex digits", describe(value))
        return value

    def _int(self, entry: Mapping[str, Any], key: str, owner: str, most: int = 2**63 - 1) -> int:
        value = entry.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
            raise self._unexpected(_of(key, owner), f"an integer from 0 to {most}", describe(value))
        return value

    def _ints(self, entry: Mapping[str, Any], key: str, owner: str) -> tuple[int, ...]:
        return tuple(self._int({key: value}, key, owner) for value in self._list(entry, key, owner))

    def _shape(self, entry: Mapping[str, Any], key: str, owner: str) -> Shape:
        shape = self._ints(entry, key, owner)
        if 0 in shape:
            raise self._unexpected(_of(key, owner), "sizes of at least 1", list(shape))
        return shape

    def _number(self, entry: Mapping[str, Any], key: str, owner: str) -> float:
        value = entry.get(key)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not 0 < value <= sys.float_info.max
        ):
            raise self._unexpected(_of(key, owner), "a finite number above 0", describe(value))
        return value

    def _unexpected(self, what: str, rule: str, value: object, *, newer: bool = False) -> ManifestError:
        return self._error(f"{what}: expected {rule}, got {value}", newer=newer)

    def _error(self, message: str, *, newer: bool = False) -> ManifestError:
        advice = "a newer lecun-init may read it" if newer else None
        return ManifestError(f"{self.source} is not a valid manifest: {message}", help=advice)


def _of(key: str, owner: str) -> str:
    return f'"{key}" of {owner}' if owner else f'"{key}"'
