"""A local file that appears when it is complete.

The file is written under a temporary name in the same folder, after its disk space is reserved. When it is
complete, it is flushed to the disk and published, alone or with others; it is removed on any exception.
Large files bypass the page cache if the file system supports it (O_DIRECT), which saves a copy of every
byte and does not evict the pages of other files.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
from collections.abc import Callable
from pathlib import Path

from lecun_cli.display.units import format_nbytes
from lecun_cli.errors import LecunInitError, OutputError, UsageError
from lecun_cli.output.destinations.base import PAGE_NBYTES, Destination, output_error
from lecun_cli.output.destinations.file_attributes import APPEND, IMMUTABLE, MOUNT_ROOT, attributes
from lecun_cli.output.publishing import Publication, exists_error, hidden_name, publish
from lecun_cli.signals import hold_signals

MIN_DIRECT_NBYTES = 16 * 2**20
"""Size in bytes from which a file bypasses the page cache."""


class LocalFile(Destination):
    """A regular file, published by `commit`, or by `finish` and `publish`.

    Args:
        path: The final name. A symbolic link is followed.
        nbytes: Length in bytes.
        force: If true, an existing file may be replaced.
    """

    random_access = True
    is_file = True

    def __init__(self, path: str | Path, nbytes: int = 0, *, force: bool = False) -> None:
        super().__init__(path, nbytes, force=force)
        self._final = Path(os.path.realpath(path))
        self._temporary: Path | None = None
        self._fd = -1
        self._direct_fd = -1
        self._straight = False
        self._flush = _early_flush()

    def open(self) -> None:
        """Create the file under a temporary name, and reserve its space.

        Raises:
            OutputError: The file cannot be created, or the disk is too small.
        """
        temporary = hidden_name(self._final, "partial")
        # Set before the file exists, because a signal may arrive right after its creation.
        self._temporary = temporary
        try:
            self._fd = os.open(
                temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666
            )
            self._reserve()
            if self.nbytes >= MIN_DIRECT_NBYTES and hasattr(os, "O_DIRECT"):
                with contextlib.suppress(OSError):  # the file system does not support it
                    self._direct_fd = os.open(temporary, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
                    self._straight = True
        except BaseException as error:
            if isinstance(error, FileExistsError):
                self._temporary = None  # this file is not ours
            failure = error
            if isinstance(error, OSError) and not isinstance(error, LecunInitError):
                failure = output_error(self.path, error)
            self.abort(failure)
            if failure is error:
                raise
            raise failure from error

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset. Several threads may call this at once.

        Raises:
            OutputError: The bytes cannot be written.
        """
        try:
            while data:
                count = self._write_some(offset, data)
                data = data[count:]
                offset += count
        except OSError as error:
            raise output_error(self.path, error) from error

    def _write_some(self, offset: int, data: memoryview) -> int:
        """Write whole pages past the page cache, and bytes before and after them through it."""
        if self._straight:
            before = -offset % PAGE_NBYTES
            pages = len(data) // PAGE_NBYTES * PAGE_NBYTES
            if before:
                data = data[:before]
            elif pages:
                try:
                    return os.pwrite(self._direct_fd, data[:pages], offset)
                except OSError as error:
                    if error.errno != errno.EINVAL:
                        raise
                    self._straight = False  # it needs larger pages, or does not support it after all
        count = os.pwrite(self._fd, data, offset)
        if self._flush is not None:
            self._flush(self._fd, offset, count)
        return count

    def commit(self) -> tuple[str, ...]:
        """Flush the file to the disk and publish it alone.

        Returns:
            Warnings, as `publish` returns them.

        Raises:
            OutputError: The file cannot be flushed or renamed.
            UsageError: A file of this name has appeared in the meantime and may not be replaced.
        """
        return publish([self.finish()])

    def finish(self) -> Publication:
        """Flush the complete file to the disk.

        Returns:
            The file under its temporary name, for `publish`.

        Raises:
            OutputError: The file cannot be flushed.
        """
        if self._temporary is None or self._fd < 0:
            raise AssertionError("finish of a file that is not open")
        try:
            os.fsync(self._fd)
            self._close()
        except OSError as error:
            raise output_error(self.path, error) from error
        return Publication(self._temporary, self._final, self.path, self.force)

    def check(self) -> None:
        """Check that the file can be written, without creating anything.

        Raises:
            UsageError: The file exists and may not be replaced, or its folder does not exist.
            OutputError: The folder cannot be written, or the disk is too small.
        """
        try:
            self._check()
        except LecunInitError:
            raise
        except OSError as error:  # a name that is too long
            raise output_error(self.path, error) from error

    def _check(self) -> None:
        folder = self._final.parent
        if not folder.is_dir():
            raise UsageError(
                f"the folder {self.path.parent} does not exist",
                help=f"mkdir -p {shlex.quote(str(self.path.parent))}",
            )
        if self._final.is_dir():
            raise UsageError(f"{self.path} is a directory", help="give the name of a file in it")
        if self._final.exists() and not self._final.is_file():
            raise UsageError(f"{self.path} is a pipe or a device", help="give the name of a file")
        if self._final.exists() and not self.force:
            raise exists_error(self.path)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"the folder {self.path.parent} may not be written to")
        self._check_permissions(folder)
        free = free_nbytes(folder)
        if self.nbytes > free:
            raise _too_small(self.path, self.nbytes, free)

    def _check_permissions(self, folder: Path) -> None:
        """Refuse files that could be created but not renamed, which no mode bit shows."""
        if attributes(folder) & APPEND:
            raise OutputError(
                f"files in the folder {self.path.parent} cannot be renamed: it is append-only",
                help=f"write elsewhere, or chattr -a {shlex.quote(str(self.path.parent))}",
            )
        if not self._final.exists():
            return
        flags = attributes(self._final)
        if flags & (IMMUTABLE | APPEND):
            raise OutputError(
                f"{self.path} cannot be replaced: it is immutable or append-only",
                help=f"write elsewhere, or chattr -ia {shlex.quote(str(self.path))}",
            )
        if flags & MOUNT_ROOT:
            raise OutputError(
                f"{self.path} cannot be replaced: it is a mount point",
                help=f"write elsewhere, or umount {shlex.quote(str(self.path))}",
            )
        if _is_sticky_for_us(folder, self._final):
            raise OutputError(
                f"{self.path} cannot be replaced: it belongs to another user, "
                "and its folder lets only owners replace files",
                help="write elsewhere",
            )

    def _reserve(self) -> None:
        if self.nbytes == 0:
            return
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._fd, 0, self.nbytes)
            except OSError as error:
                if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                    raise _too_small(self.path, self.nbytes, free_nbytes(self._final.parent)) from None
                if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL, errno.ENODEV}:
                    raise
            else:
                return
        os.ftruncate(self._fd, self.nbytes)

    def _close(self) -> None:
        fds, self._fd, self._direct_fd = (self._fd, self._direct_fd), -1, -1
        for fd in fds:
            if fd >= 0:
                os.close(fd)

    def abort(self, error: BaseException | None = None) -> None:
        """Remove the temporary file, if it exists.

        Args:
            error: The exception on its way, or None. A failure to remove the file becomes a note of it.
        """
        with contextlib.suppress(OSError):
            self._close()
        if self._temporary is None:
            return
        try:
            self._temporary.unlink(missing_ok=True)
        except OSError as failure:
            if error is not None:
                error.add_note(f"{self._temporary} could not be removed: {failure.strerror or failure}")
        self._temporary = None


def write_whole(path: str | Path, data: bytes, *, force: bool) -> tuple[str, ...]:
    """Write a small file: it appears when it is complete, or not at all.

    Args:
        path: Path of the file.
        data: The content.
        force: If true, an existing file may be replaced.

    Returns:
        Warnings, as `publish` returns them.

    Raises:
        UsageError: The file exists and may not be replaced, or its folder does not exist.
        OutputError: The file cannot be written.
    """
    with hold_signals(), LocalFile(path, len(data), force=force) as file:
        file.write(0, memoryview(data))
        return file.commit()


_SYNC_FILE_RANGE_WRITE = 2


def _early_flush() -> Callable[[int, int, int], object] | None:
    """Return sync_file_range of Linux, which starts writeback early so that the final fsync is short.

    The standard library does not offer it. Return None if the C library lacks it too.
    """
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError, TypeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    # The result is ignored, because fsync reports write errors.
    return lambda fd, offset, nbytes: call(fd, offset, nbytes, _SYNC_FILE_RANGE_WRITE)


def free_nbytes(folder: Path) -> int:
    """Return the number of bytes that this user may still write to the file system of a folder."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def _is_sticky_for_us(folder: Path, final: Path) -> bool:
    """Return true if a sticky folder keeps this user, who owns neither, from replacing a file."""
    if not hasattr(os, "geteuid") or os.geteuid() == 0:
        return False
    status = os.stat(folder)
    return bool(status.st_mode & stat.S_ISVTX) and os.geteuid() not in {status.st_uid, os.stat(final).st_uid}


def _too_small(path: Path, nbytes: int, free: int) -> OutputError:
    return OutputError(
        f"the disk is too small for {path}: it needs {format_nbytes(nbytes)}, "
        f"and {format_nbytes(free)} are free",
        help="free some space, or write elsewhere",
    )
