"""Destinations that take bytes in order: standard output, pipes and devices."""

from __future__ import annotations

import os
import stat
import sys
from types import TracebackType
from typing import Self

from lecun_cli.errors import UsageError
from lecun_cli.output.destinations.base import output_error


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
        self, exc_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
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
