"""A local file that appears when it is complete.

It is written under a sibling's name, its disk space reserved first; it is flushed to the disk and renamed
when it is whole, and removed on any exception. A large file goes straight to the disk where the file
system can (O_DIRECT): a copy of every byte is spared, and nothing of others is pushed out of the page cache.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from lecun_cli.destinations import PAGE_NBYTES, output_error
from lecun_cli.errors import LecunInitError, OutputError, UsageError
from lecun_cli.sizes import format_nbytes

MIN_DIRECT_NBYTES = 16 * 2**20
"""Smaller files go by the page cache, where their reader finds them."""


class LocalFile:
    """A regular file, published by `commit`; leaving the context without it removes every trace.

    Args:
        path: Its final name; a link is followed.
        nbytes: Its length in bytes.
        force: Whether a file of that name may be replaced.
    """

    random_access = True

    def __init__(self, path: str | Path, nbytes: int, *, force: bool = False) -> None:
        self.path = Path(path)
        self.nbytes = nbytes
        self.force = force
        self._final = Path(os.path.realpath(path))
        self._temporary: Path | None = None
        self._fd = -1
        self._direct_fd = -1
        self._straight = False
        self._flush = _early_flush()

    def __enter__(self) -> Self:
        """Check the folder and the space, and reserve it.

        Raises:
            UsageError: The file exists and may not be replaced, or the folder is not there.
            OutputError: The folder may not be written to, or the disk is too small.
        """
        self.check()
        # 50 characters, so that the longest name that may be given leaves room for the rest.
        name = f".{self._final.name[:50]}.{secrets.token_hex(6)}.partial"
        temporary = self._final.with_name(name)
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
            self._abort()
            if isinstance(error, OSError) and not isinstance(error, LecunInitError):
                raise output_error(self.path, error) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._abort()

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

    def commit(self) -> None:
        """Flush the file to the disk and give it its name.

        Raises:
            OutputError: The disk refused.
            UsageError: A file of that name has appeared meanwhile and may not be replaced.
        """
        if self._temporary is None:
            raise AssertionError("commit of a file that is not open")
        try:
            os.fsync(self._fd)
            self._close()
            if self.force:
                self._temporary.replace(self._final)
            else:
                _rename_new(self._temporary, self._final)
            self._temporary = None
            try:
                _sync_folder(self._final.parent)
            except BaseException:
                self.withdraw()
                raise
        except FileExistsError:
            raise _exists(self.path) from None
        except OSError as error:
            raise output_error(self.path, error) from error

    def withdraw(self) -> None:
        """Remove the file again after `commit`: it, or what belongs with it, is not safely there."""
        with contextlib.suppress(OSError):
            self._final.unlink()

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
            raise _exists(self.path)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise OutputError(f"the folder {self.path.parent} may not be written to")
        free = free_nbytes(folder)
        if self.nbytes > free:
            raise _too_small(self.path, self.nbytes, free)

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

    def _abort(self) -> None:
        with contextlib.suppress(OSError):
            self._close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink()
            self._temporary = None


def write_whole(path: str | Path, data: bytes, *, force: bool) -> None:
    """Write a small file whole, under the same promise as a large one.

    Raises:
        OutputError: It cannot be written.
    """
    with LocalFile(path, len(data), force=force) as file:
        file.write(0, memoryview(data))
        file.commit()


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
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _exists(path: Path) -> UsageError:
    return UsageError(f"{path} exists already", help="give another name, or --force to replace it")


def _too_small(path: Path, nbytes: int, free: int) -> OutputError:
    return OutputError(
        f"the disk is too small for {path}: it needs {format_nbytes(nbytes)}, "
        f"and {format_nbytes(free)} are free",
        help="free some space, or write elsewhere",
    )


def _rename_new(temporary: Path, final: Path) -> None:
    """Rename, but never over a file that has appeared meanwhile."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if final.exists():
            raise FileExistsError(final) from None
        temporary.replace(final)
    else:
        temporary.unlink()


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written to and not read
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(fd)
