"""JSON from a source that is not trusted: bounded in bytes and depth, each key once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from lecun_cli.errors import DeriveError

if TYPE_CHECKING:
    from pathlib import Path

MAX_NBYTES = 64 * 1024 * 1024
MAX_DEPTH = 100


def read_json(path: Path, *, what: str) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        DeriveError: The file cannot be read, or is not what `parse_json` takes.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_NBYTES + 1)
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_json(data, what=what)


def parse_json(data: bytes, *, what: str) -> dict[str, Any]:
    """The object that a JSON text holds.

    Args:
        data: UTF-8 text.
        what: What messages call it.

    Raises:
        DeriveError: It is too large or too deep, is no JSON object, or repeats a key.
    """
    if len(data) > MAX_NBYTES:
        raise DeriveError(f"{what} is larger than {MAX_NBYTES // 2**20} MiB, and no config is")
    try:
        document = json.loads(data.decode("utf-8-sig"), object_pairs_hook=_no_duplicates)
    except RecursionError:
        raise DeriveError(f"{what} is nested more than {MAX_DEPTH} deep") from None
    except ValueError as error:
        raise DeriveError(f"{what} is no sound JSON: {error}") from None
    if not isinstance(document, dict):
        raise DeriveError(f"{what} is a JSON object, found a {type(document).__name__}")
    _check_depth(document, what)
    return document


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f'the key "{name}" stands twice in one object')
            seen.add(name)
    return mapping


def _check_depth(root: object, what: str) -> None:
    level = [root]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                below += value.values()
            elif isinstance(value, list):
                below += value
        if not below:
            return
        level = below
    raise DeriveError(f"{what} is nested more than {MAX_DEPTH} deep")
