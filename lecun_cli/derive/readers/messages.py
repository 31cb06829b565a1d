"""Texts that several readers share."""

from __future__ import annotations

import re

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def error_text(error: BaseException) -> str:
    """Return a foreign error as one line without escape sequences and control characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(c for c in _ESCAPES.sub("", text) if c.isprintable())[:500]


def initializers_not_kept(source: str) -> str:
    """Return the warning for `--keep-initializers` on a source that does not state initializers.

    Args:
        source: The kind of source, such as `a Flax module`.
    """
    return f"{source} does not name its initializers, so they were not kept"
