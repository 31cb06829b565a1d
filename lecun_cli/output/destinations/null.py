"""A destination that discards all bytes, for when only digests are needed."""

from __future__ import annotations

from pathlib import Path

from lecun_cli.output.destinations.base import Destination


class NullDestination(Destination):
    """Discards all bytes."""

    random_access = True
    is_file = False

    def __init__(self, path: str | Path = "null", nbytes: int = 0, *, force: bool = False) -> None:
        super().__init__(path, nbytes, force=force)

    def check(self) -> None:
        """Do nothing."""

    def open(self) -> None:
        """Do nothing."""

    def write(self, offset: int, data: memoryview) -> None:
        """Discard the bytes."""

    def finish(self) -> None:
        """Do nothing."""

    def commit(self) -> tuple[str, ...]:
        """Do nothing."""
        return ()

    def abort(self, error: BaseException | None = None) -> None:
        """Do nothing."""
