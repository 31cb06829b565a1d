"""A local file that appears when it is complete.

It is written under a sibling's name, its disk space reserved first. When it is complete it is flushed to the
disk and published, alone or with others; it is removed on any exception. A large file goes straight to the
disk where the file system can (O_DIRECT): that saves a copy of every byte, and pushes nothing of others out
of the page cache.
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
"""Smaller files go by the page cache, where their reader finds them."""


class LocalFile(Destination):
    """A regular file, published by `commit`; leaving the context without it removes every trace.

    Args:
        path: Its final name; a link is followed.
        nbytes: Its length in bytes.
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
        # Before it is there: a signal may come between the making of the file and the next line.
        self._temporary = temporary
        try:
            self._fd = os.open(
                temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666
            )
            self._reserve()
            if self.nbytes >= MIN_DIRECT_NBYTES and hasattr(os, "O_DIRECT"):
                with contextlib.suppress(OSError):  # a file system without it
                    self._direct_fd = os.open(temporary, os.O_WRONLY | os.O_DIRECT | os.O_CLOEXEC)
                    self._straight = True
        except BaseException as error:
            if isinstance(error, FileExistsError):
                self._temporary = None  # a file of this unlikely name, and not ours
            failure = error
            if isinstance(error, OSError) and not isinstance(error, LecunInitError):
                failure = output_error(self.path, error)
            self.abort(failure)
            if failure is error:
                raise
            raise failure from error

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset; safe from several threads."""
        try:
            while data:
                count = self._write_some(offset, data)
                data = data[count:]
                offset += count
        except OSError as error:
            raise output_error(self.path, error) from error

    def _write_some(self, offset: int, data: memoryview) -> int:
        """Whole pages go straight to the disk, what is before and after them by the page cache."""
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
                    self._straight = False  # it wants larger pages, or cannot after all
        count = os.pwrite(self._fd, data, offset)
        if self._flush is not None:
            self._flush(self._fd, offset, count)
        return count

    def commit(self) -> tuple[str, ...]:
        """Flush the file to the disk and publish it alone.

        Returns:
            Warnings, as `publish` gives them.

        Raises:
            OutputError: The disk refused.
            UsageError: A file of that name has appeared meanwhile and may not be replaced.
        """
        return publish([self.finish()])

    def finish(self) -> Publication:
        """Flush the complete file to the disk; what `publish` then names.

        Raises:
            OutputError: The disk refused.
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
        """Whether the file may be written here, without making anything.

        Raises:
            UsageError: It exists and may not be replaced, or its folder is not there.
            OutputError: The folder may not be written to, or the disk is too small.
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
                f"there is no folder {self.path.parent} to write {self.path.name} into",
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
        """Refuse, before any work, names that could be created and not changed: no mode bit shows them."""
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
        """Remove the temporary name, if it is there; a failure becomes a note of the error on its way."""
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
    """Write a small file whole, under the same promise as a large one.

    Returns:
        Warnings, as `publish` gives them.

    Raises:
        UsageError: It exists and may not be replaced, or its folder is not there.
        OutputError: It cannot be written.
    """
    with hold_signals(), LocalFile(path, len(data), force=force) as file:
        file.write(0, memoryview(data))
        return file.commit()


_SYNC_FILE_RANGE_WRITE = 2


def _early_flush() -> Callable[[int, int, int], object] | None:
    """Linux's sync_file_range: the disk starts on a range at once, so that the final flush waits for little.

    The standard library does not have it; where the C library lacks it too, the final flush does all.
    """
    import ctypes

    try:
        call = ctypes.CDLL(None, use_errno=True).sync_file_range
    except (OSError, AttributeError, TypeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    # Its answer is of no use: what could not be written is told by fsync.
    return lambda fd, offset, nbytes: call(fd, offset, nbytes, _SYNC_FILE_RANGE_WRITE)


def free_nbytes(folder: Path) -> int:
    """Bytes that this user may still write where `folder` lies."""
    space = os.statvfs(folder)
    return space.f_bavail * space.f_frsize


def _is_sticky_for_us(folder: Path, final: Path) -> bool:
    """Whether a sticky folder keeps this user from replacing a file: it owns neither of them."""
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
