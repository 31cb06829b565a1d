"""A tensor as a weight file describes it."""

from __future__ import annotations

from dataclasses import dataclass

from lecun_cli.initializers.fans import Shape

CORRUPT_HELP = "it is corrupt, truncated or in another format: download or regenerate it"
"""Advice for a weight file that cannot be read."""


@dataclass(frozen=True)
class StoredTensor:
    """Name, dtype, shape and position of a tensor in a file.

    Attributes:
        name: Name in the file.
        dtype: A key of `DTYPES`, or the format's own name of another dtype.
        shape: Shape, outermost axis first.
        offset: Position in the file, in bytes; -1 if the tensor is not contiguous.
        nbytes: Size in bytes.
    """

    name: str
    dtype: str
    shape: Shape
    offset: int
    nbytes: int
