"""Parse JSON configs from untrusted sources: bounded size and depth, no duplicate keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.errors import DeriveError
from lecun_cli.formats.json_text import load_json

if TYPE_CHECKING:
    from pathlib import Path

MAX_NBYTES = 64 * 1024 * 1024
MAX_DEPTH = 100


def read_json(path: Path, *, what: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        path: The file.
        what: Name of the file for messages.

    Raises:
        DeriveError: The file cannot be read, or `parse_json` rejects its content.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_NBYTES + 1)
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_json(data, what=what)


def parse_json(data: bytes, *, what: str) -> dict[str, Any]:
    """Return the object in a JSON text.

    Args:
        data: UTF-8 text.
        what: Name of the text for messages.

    Raises:
        DeriveError: The text is too large or too deeply nested, is not a JSON object, or repeats a key.
    """
    if len(data) > MAX_NBYTES:
        raise DeriveError(f"{what} is too large: expected at most {MAX_NBYTES // 2**20} MiB")
    try:
        document = load_json(data)
    except ValueError as error:
        raise DeriveError(f"{what} is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise DeriveError(f"{what}: expected a JSON object, got a {type(document).__name__}")
    _check_depth(document, what)
    return document


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
    raise DeriveError(f"{what} is nested too deeply: expected at most {MAX_DEPTH} levels")
