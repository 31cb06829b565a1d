"""Short texts for people: counts, shapes, and texts that must fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""Characters that have no place in a name or a message: control characters and lone surrogates."""


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 file`, `1,024 files`.

    Args:
        count: The number of things.
        noun: The singular, with a regular plural.
    """
    return f"{count:,} {noun}" + "s" * (count != 1)


def shape_text(shape: Iterable[int], *, scalar: str = "scalar") -> str:
    """Return a shape for a table: `64x3x3`.

    Args:
        shape: The sizes, outermost axis first.
        scalar: The text for a shape without axes.
    """
    return "x".join(map(str, shape)) or scalar


def clip(text: str, length: int = 60) -> str:
    """Return a text cut to at most `length` characters, with `...` at the end if something is missing.

    Args:
        text: Any text.
        length: The maximum number of characters, at least 3.
    """
    return text if len(text) <= length else text[: length - 3] + "..."


def quote(value: object, length: int = 60) -> str:
    """Return a value from a file for a message: as JSON, in ASCII, strings in double quotes.

    Args:
        value: Any value of JSON, such as the name of a tensor.
        length: The maximum number of characters before escapes.

    Example:
        >>> quote("hidden/kernel")
        '"hidden/kernel"'
    """
    text = (
        json.dumps(clip(value, length))
        if isinstance(value, str)
        else clip(json.dumps(value, default=str), length)
    )
    return text.replace("\x7f", "\\u007f")  # the one control character that JSON does not escape


def shorten_middle(text: str, length: int) -> str:
    """Return a text cut to at most `length` characters, with an ellipsis in place of its middle.

    Both ends of a tensor's name matter, the second one more: it gets two thirds of the space.

    Args:
        text: Any text.
        length: The maximum number of characters.
    """
    if len(text) <= length:
        return text
    if length < 4:
        return text[:length]
    head = (length - 1) // 3
    return f"{text[:head]}\N{HORIZONTAL ELLIPSIS}{text[len(text) - (length - 1 - head) :]}"
