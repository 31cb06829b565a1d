"""A destination that discards all bytes, for when only digests are needed."""

from __future__ import annotations


class NullDestination:
    """Takes everything and keeps nothing: digests alone are wanted."""

    random_access = True

    def write(self, offset: int, data: memoryview) -> None:
        """Let the bytes go."""
