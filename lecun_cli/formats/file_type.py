"""Recognizing a file by its first bytes and its suffix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

START_NBYTES = 16
"""Number of bytes from the start of a file that `FileType.matches_content` needs."""


class Magic(NamedTuple):
    """Bytes by which a file type can be recognized.

    Attributes:
        offset: Position of the bytes, counted from the start of the file.
        data: The bytes.
    """

    offset: int
    data: bytes


@dataclass(frozen=True)
class FileType:
    """A type of file that is recognized.

    Attributes:
        name: Name of the type.
        suffixes: Lower-case endings of file names, such as `.h5`.
        magic: Bytes that every file of the type contains near its start.
    """

    name: str
    suffixes: tuple[str, ...]
    magic: Magic

    def matches_name(self, name: str) -> bool:
        """Return true if a file name ends in one of the suffixes, in any case."""
        return name.lower().endswith(self.suffixes)

    def matches_content(self, start: bytes) -> bool:
        """Return true if the first `START_NBYTES` bytes of a file contain the magic bytes."""
        offset, data = self.magic
        return start[offset : offset + len(data)] == data
