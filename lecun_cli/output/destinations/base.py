"""The interface of a destination: where the bytes of an output file go."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from lecun_cli.errors import OutputError
from lecun_cli.signals import hold_signals

if TYPE_CHECKING:
    from lecun_cli.output.publishing import Publication

PAGE_NBYTES = 4096
"""Size of a page of storage, in bytes. Devices transfer whole pages."""


class Writer(Protocol):
    """The part of a destination that the engine uses."""

    random_access: bool
    """If true, ranges may be written in any order and from several threads at once."""

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset. Without random access, offsets come in order.

        Args:
            offset: Position of the first byte in the output.
            data: The bytes. The engine aligns them to pages in memory as they are aligned in the output.

        Raises:
            OutputError: The bytes cannot be written.
        """


class Destination(ABC):
    """One output file.

    The steps are `check`, `open`, `write` (many times), then `commit`; or `finish`, and `publish` for a set
    of files. `abort` undoes everything that was not published. A `with` block checks, opens and aborts:

        with destination_for(path, nbytes, force=False) as destination:
            engine.run(layout, seed, destination)
            warnings = destination.commit()

    Args:
        path: The name of the output, as the user gave it.
        nbytes: Length of the output in bytes.
        force: If true, an existing file may be replaced.

    Attributes:
        path: The name of the output, for messages.
        nbytes: Length of the output in bytes.
        force: If true, an existing file may be replaced.
        random_access: If true, ranges may be written in any order and from several threads at once.
        is_file: If true, the output is a named file: its suffix chooses the format, and a manifest is
            written next to it by default.
    """

    random_access: bool
    is_file: bool

    def __init__(self, path: str | Path, nbytes: int = 0, *, force: bool = False) -> None:
        self.path = Path(path)
        self.nbytes = nbytes
        self.force = force

    def __enter__(self) -> Self:
        self.check()
        self.open()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with hold_signals():
            self.abort(error)

    @abstractmethod
    def check(self) -> None:
        """Check that the output can be written, without creating anything.

        Raises:
            UsageError: The output exists and may not be replaced, or its name cannot be used.
            OutputError: The file system does not allow it, or has too little space.
        """

    @abstractmethod
    def open(self) -> None:
        """Start the output.

        Raises:
            UsageError: The output exists and may not be replaced.
            OutputError: The output cannot be created.
        """

    @abstractmethod
    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset; see `Writer.write`."""

    @abstractmethod
    def finish(self) -> Publication | None:
        """Complete the output: every byte is stored safely when this returns.

        Returns:
            The step that gives the file its name, for `publish`; None if nothing is left to do.

        Raises:
            OutputError: The output cannot be completed.
        """

    @abstractmethod
    def commit(self) -> tuple[str, ...]:
        """Complete the output and publish it alone.

        Returns:
            Warnings, as `publish` returns them.

        Raises:
            UsageError: A file of this name has appeared in the meantime and may not be replaced.
            OutputError: The output cannot be completed.
        """

    @abstractmethod
    def abort(self, error: BaseException | None = None) -> None:
        """Remove everything that was not published; do nothing after `commit`.

        Args:
            error: The exception on its way, or None. What cannot be removed becomes a note of it.
        """


def output_error(path: object, error: OSError) -> OutputError:
    """Convert an OSError to an OutputError."""
    reason = error.strerror or str(error)
    advice = "free some space, or write elsewhere" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
    return OutputError(f"{path} could not be written: {reason}", help=advice)
