"""A file in memory of which only the written pages take space; h5py creates skeletons in it."""

from __future__ import annotations

import errno
import functools
import io
import os
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from _typeshed import ReadableBuffer, WriteableBuffer

_PAGE = 4096

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _recorded(
    method: Callable[Concatenate[SparseFile, _P], _T],
) -> Callable[Concatenate[SparseFile, _P], _T]:
    """Record the first exception of a method, because h5py calls it from C and may swallow exceptions."""

    @functools.wraps(method)
    def call(self: SparseFile, /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return method(self, *args, **kwargs)
        except BaseException as error:
            self.error = self.error or error
            raise

    return call


class SparseFile(io.RawIOBase):
    """A seekable binary file. Bytes that were never written read as zero and take no memory.

    Attributes:
        nbytes: Length in bytes.
        error: The first exception that a method raised, or None. The content of a file with an error is
            undefined.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._pages: dict[int, bytearray] = {}
        self._at = 0
        self.nbytes = 0

    def readable(self) -> bool:
        """Return true."""
        return True

    def writable(self) -> bool:
        """Return true."""
        return True

    def seekable(self) -> bool:
        """Return true."""
        return True

    @_recorded
    def tell(self) -> int:
        """Return the position, in bytes from the start."""
        return self._at

    @_recorded
    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a position, and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.nbytes}[whence]
        if base + offset < 0:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        self._at = base + offset
        return self._at

    @_recorded
    def truncate(self, size: int | None = None, /) -> int:
        """Set the length, by default to the position; bytes past it are discarded."""
        size = self._at if size is None else size
        if size < self.nbytes:
            for number in [n for n in self._pages if n * _PAGE >= size]:
                del self._pages[number]
            if size % _PAGE and size // _PAGE in self._pages:
                self._pages[size // _PAGE][size % _PAGE :] = bytes(_PAGE - size % _PAGE)
        self.nbytes = size
        return size

    @_recorded
    def write(self, data: ReadableBuffer, /) -> int:
        """Write bytes at the position, and return their number."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            number, within = divmod(self._at + done, _PAGE)
            count = min(_PAGE - within, len(view) - done)
            page = self._pages.setdefault(number, bytearray(_PAGE))
            page[within : within + count] = view[done : done + count]
            done += count
        self._at += done
        if done:
            self.nbytes = max(self.nbytes, self._at)
        return done

    @_recorded
    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read bytes at the position, and return their number."""
        view = memoryview(buffer).cast("B")
        count = max(0, min(len(view), self.nbytes - self._at))
        view[:count] = self.read_at(self._at, count)
        self._at += count
        return count

    def read_at(self, offset: int, nbytes: int) -> bytes:
        """Return the bytes of a range, without moving."""
        out = bytearray(nbytes)
        done = 0
        while done < nbytes:
            number, within = divmod(offset + done, _PAGE)
            count = min(_PAGE - within, nbytes - done)
            page = self._pages.get(number)
            if page is not None:
                out[done : done + count] = page[within : within + count]
            done += count
        return bytes(out)
