"""A tensor as a file says that it holds it."""

from __future__ import annotations

from dataclasses import dataclass

from lecun_cli.initializers.fans import Shape

CORRUPT_HELP = "it is corrupt, truncated or in another format: download or regenerate it"
"""Advice for a weight file that cannot be read."""


@dataclass(frozen=True)
class StoredTensor:
    """Name, type and place of a tensor in a file.

    Attributes:
        name: Its name in the file.
        dtype: A key of `DTYPES`, or the format's own word for a dtype that is not there.
        shape: Its shape.
        offset: Its first byte, from the start of the file; -1 where it is not in one piece.
        nbytes: Its length in bytes.
    """

    name: str
    dtype: str
    shape: Shape
    offset: int
    nbytes: int
