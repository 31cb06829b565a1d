"""Destinations that take bytes in order: standard output, pipes and devices."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from pathlib import Path

from lecun_cli.errors import UsageError
from lecun_cli.output.destinations.base import Destination, output_error


class Stream(Destination):
    """A sequential output such as a named pipe or a device; writes cannot be undone."""

    random_access = False
    is_file = False

    def __init__(self, path: str | Path, nbytes: int = 0, *, force: bool = False) -> None:
        super().__init__(path, nbytes, force=force)
        self._fd = -1

    def check(self) -> None:
        """Do nothing: opening a pipe to check it would wake its reader."""

    def open(self) -> None:
        """Open the pipe or the device; a pipe waits for its reader.

        Raises:
            OutputError: It cannot be opened.
        """
        try:
            self._fd = os.open(self.path, os.O_WRONLY)
        except OSError as error:
            raise output_error(self.path, error) from error

    def write(self, offset: int, data: memoryview) -> None:
        """Write the next bytes.

        Raises:
            BrokenPipeError: The reader has closed the pipe.
            OutputError: The bytes cannot be written for another reason.
        """
        write_all(self._fd, data, str(self.path))

    def finish(self) -> None:
        """Close the stream, so that its reader sees the end.

        Raises:
            OutputError: The last bytes cannot be written.
        """
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                os.close(fd)
            except OSError as error:
                raise output_error(self.path, error) from error

    def commit(self) -> tuple[str, ...]:
        """Close the stream.

        Raises:
            OutputError: The last bytes cannot be written.
        """
        self.finish()
        return ()

    def abort(self, error: BaseException | None = None) -> None:
        """Close the stream; bytes that were written stay written."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with contextlib.suppress(OSError):
                os.close(fd)


class StandardOutput(Stream):
    """Standard output, for bytes. It stays open."""

    def __init__(self, path: str | Path = "-", nbytes: int = 0, *, force: bool = False) -> None:
        super().__init__("stdout", nbytes, force=force)
        del path

    def check(self) -> None:
        """Refuse a terminal.

        Raises:
            UsageError: Standard output is a terminal.
        """
        if sys.stdout.isatty():
            raise UsageError(
                "weights are bytes, and stdout is a terminal", help="redirect it, pipe it, or give -o FILE"
            )

    def open(self) -> None:
        """Flush the text that was printed so far, so that it comes before the bytes."""
        sys.stdout.flush()
        self._fd = sys.stdout.fileno()

    def finish(self) -> None:
        """Do nothing."""

    def abort(self, error: BaseException | None = None) -> None:
        """Do nothing."""


def standard_output() -> StandardOutput:
    """Return standard output, ready for bytes.

    Raises:
        UsageError: Standard output is a terminal.
    """
    stream = StandardOutput()
    stream.check()
    stream.open()
    return stream


def write_all(fd: int, data: memoryview, name: str) -> None:
    """Write all bytes to a file descriptor.

    Args:
        fd: A file descriptor that is open for writing.
        data: The bytes.
        name: The name of the output in messages.

    Raises:
        BrokenPipeError: The reader has closed the pipe.
        OutputError: The bytes cannot be written for another reason.
    """
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        raise
    except OSError as error:
        raise output_error(name, error) from error


def is_stream(path: str) -> bool:
    """Return true if a path is an existing pipe or device: neither a regular file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))
