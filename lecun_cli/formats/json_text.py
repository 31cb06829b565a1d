"""JSON from untrusted files: every key once, and every failure a ValueError."""

from __future__ import annotations

import json
from typing import Any


def load_json(data: bytes | str) -> Any:  # noqa: ANN401 - any JSON value
    """Return the value of a JSON text.

    Args:
        data: The text; bytes are UTF-8, with or without a byte order mark.

    Raises:
        ValueError: The text is not valid JSON, repeats a key in an object, or is nested too deeply.
    """
    text = data.decode("utf-8-sig") if isinstance(data, bytes) else data
    try:
        return json.loads(text, object_pairs_hook=_unique_keys)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        seen = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"duplicate key {json.dumps(key)}")
            seen.add(key)
    return mapping
