"""Where bytes go: what the engine asks of a destination, and those that take bytes in order.

A local file is a destination too, in `local_file.py`.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from types import TracebackType
from typing import Protocol, Self

from lecun_cli.errors import OutputError, UsageError

PAGE_NBYTES = 4096
"""What storage takes and gives at once, or a multiple of it."""


class Destination(Protocol):
    """What the engine writes to."""

    random_access: bool
    """Whether ranges may be written in any order and from several threads at once."""

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset; without random access, offsets come in order.

        Args:
            offset: Where they go, in bytes.
            data: The bytes; the engine's lie in memory as they do in the file, to a multiple of a page.

        Raises:
            OutputError: The bytes could not be written.
        """


class Stream:
    """A pipe, a terminal's other end, a device: bytes in order, nothing to take back.

    Args:
        fd: An open file descriptor.
        name: What messages call it.
        close: Whether leaving the context closes it, which tells a reader that this is all.
    """

    random_access = False

    def __init__(self, fd: int, name: str, *, close: bool = False) -> None:
        self._fd = fd
        self.name = name
        self._close = close

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._close:
            os.close(self._fd)

    def write(self, offset: int, data: memoryview) -> None:
        """Write the next bytes.

        Raises:
            BrokenPipeError: The reader has gone.
            OutputError: Anything else.
        """
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            raise output_error(self.name, error) from error


class Nowhere:
    """Takes everything and keeps nothing: digests alone are wanted."""

    random_access = True

    def write(self, offset: int, data: memoryview) -> None:
        """Let the bytes go."""


def standard_output() -> Stream:
    """Standard output, for bytes.

    Raises:
        UsageError: It is a terminal.
    """
    if sys.stdout.isatty():
        raise UsageError(
            "weights are bytes, and stdout is a terminal", help="redirect it, pipe it, or give -o FILE"
        )
    sys.stdout.flush()
    return Stream(sys.stdout.fileno(), "stdout")


def is_stream(path: str) -> bool:
    """Whether a path names something that exists and is no regular file or folder: a pipe, a device."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def open_stream(path: str) -> Stream:
    """A named pipe or a device, for writing.

    Raises:
        OutputError: It cannot be opened.
    """
    try:
        return Stream(os.open(path, os.O_WRONLY), path, close=True)
    except OSError as error:
        raise output_error(path, error) from error


def output_error(path: object, error: OSError) -> OutputError:
    """A fault of the machine in words."""
    reason = error.strerror or str(error)
    advice = "free some space, or write elsewhere" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
    return OutputError(f"{path} could not be written: {reason}", help=advice)
