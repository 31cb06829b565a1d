"""Read the values of tensors in chunks of a few MiB, from files of any format, in bounded memory."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from lecun_cli.dtypes import DTYPES, DType
from lecun_cli.errors import WeightFileError

if TYPE_CHECKING:
    import h5py

    from lecun_cli.formats.stored_tensor import StoredTensor

AnyArray = NDArray[Any]

READ_CHUNK_NBYTES = 4 * 2**20
_SLICES = tuple[slice, ...]


@dataclass(frozen=True)
class ReadChunk:
    """A part of a tensor that is read at once.

    Attributes:
        tensor: Index of the tensor.
        path: The file.
        stored: The stored tensor.
        dtype: The dtype as which its values are counted.
        offset: Offset in the file in bytes; -1 if h5py reads the chunk.
        n_elements: Number of elements.
        index: Slices that h5py reads, for a tensor that is not contiguous.
        is_first: If true, this is the first chunk of its tensor.
    """

    tensor: int
    path: Path
    stored: StoredTensor
    dtype: DType
    offset: int
    n_elements: int
    index: _SLICES
    is_first: bool


def storage_of(stored: StoredTensor) -> DType | None:
    """Return the dtype as which the values of a tensor are counted, or None if they are not numbers."""
    if stored.dtype in DTYPES:
        return DTYPES[stored.dtype]
    try:
        dtype = np.dtype(stored.dtype)
    except (TypeError, ValueError, SyntaxError):  # a type of the format that NumPy lacks
        return None
    return DTYPES.get(dtype.name) if dtype.kind in "fiub" else None


def read_chunks(number: int, path: Path, stored: StoredTensor, dtype: DType) -> Iterator[ReadChunk]:
    """Yield the chunks of a tensor, in order.

    Args:
        number: Index of the tensor.
        path: The file.
        stored: The stored tensor.
        dtype: The dtype as which its values are counted.
    """
    n_elements = math.prod(stored.shape)
    step = READ_CHUNK_NBYTES // dtype.itemsize
    is_contiguous = (
        stored.offset >= 0 and stored.dtype in DTYPES and stored.nbytes == n_elements * dtype.itemsize
    )
    if is_contiguous:
        for start in range(0, n_elements, step):
            count = min(step, n_elements - start)
            offset = stored.offset + start * dtype.itemsize
            yield ReadChunk(number, path, stored, dtype, offset, count, (), start == 0)
        return
    is_first = True
    for index, count in _boxes(stored.shape, step):
        yield ReadChunk(number, path, stored, dtype, -1, count, index, is_first)
        is_first = False


def _boxes(shape: tuple[int, ...], most: int) -> Iterator[tuple[_SLICES, int]]:
    """Yield (slices, element count) that cover a shape in C order, each with at most `most` elements."""
    if math.prod(shape) == 0:
        return
    inner = math.prod(shape[1:])
    if not shape or inner <= most:
        step = max(1, most // max(1, inner))
        for start in range(0, shape[0] if shape else 1, step):
            if not shape:
                yield (), 1
                return
            stop = min(shape[0], start + step)
            yield (slice(start, stop),), (stop - start) * inner
        return
    for i in range(shape[0]):
        for index, count in _boxes(shape[1:], most):
            yield (slice(i, i + 1), *index), count


class Reader:
    """Reads chunks, from any thread.

    The values of a chunk are valid until the same thread reads the next one.
    """

    def __init__(self) -> None:
        self._local = threading.local()
        self._lock = threading.Lock()
        self._files: dict[Path, int] = {}
        self._hdf5: dict[Path, h5py.File] = {}

    @contextmanager
    def opened(self) -> Iterator[Reader]:
        """Close all files at the end of the context."""
        try:
            yield self
        finally:
            for fd in self._files.values():
                os.close(fd)
            for file in self._hdf5.values():
                file.close()

    def read(self, chunk: ReadChunk) -> AnyArray:
        """Return the values of a chunk, shape (elements,).

        Raises:
            WeightFileError: The file cannot be read or ends too early.
        """
        try:
            if chunk.offset < 0:
                return self._read_hdf5(chunk)
            return self._read_range(chunk)
        except OSError as error:
            raise WeightFileError(f"{chunk.path} cannot be read: {error.strerror or error}") from error

    def _read_range(self, chunk: ReadChunk) -> AnyArray:
        nbytes = chunk.n_elements * chunk.dtype.itemsize
        buffer: bytearray | None = getattr(self._local, "buffer", None)
        if buffer is None:
            buffer = self._local.buffer = bytearray(READ_CHUNK_NBYTES)
        view = memoryview(buffer)[:nbytes]
        fd = self._open(chunk.path)
        done = 0
        while done < nbytes:
            got = _read_into(fd, view[done:], chunk.offset + done)
            if not got:
                raise WeightFileError(
                    f'{chunk.path} is truncated: it ends within tensor "{chunk.stored.name}"'
                )
            done += got
        return np.frombuffer(buffer, chunk.dtype.numpy(), chunk.n_elements)

    def _open(self, path: Path) -> int:
        with self._lock:
            if path not in self._files:
                self._files[path] = os.open(path, os.O_RDONLY)
            return self._files[path]

    def _read_hdf5(self, chunk: ReadChunk) -> AnyArray:
        import h5py

        with self._lock:
            if chunk.path not in self._hdf5:
                self._hdf5[chunk.path] = h5py.File(chunk.path, "r")
            file = self._hdf5[chunk.path]
        try:
            dataset = file[chunk.stored.name]
            if dataset.shape is None:  # a dataset without values
                return np.empty(0, chunk.dtype.numpy())
            values = np.asarray(dataset[chunk.index])
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise WeightFileError(
                f'tensor "{chunk.stored.name}" in {chunk.path} cannot be read: {error}'
            ) from error
        dtype = chunk.dtype.numpy()
        flat = np.ascontiguousarray(values).reshape(-1)
        if values.dtype.kind == "V":  # bfloat16 of Keras: two opaque bytes
            return flat.view(dtype)
        return flat.astype(dtype)


def _read_into(fd: int, buffer: memoryview, offset: int) -> int:
    """Read bytes of a file into a buffer and return their number."""
    if hasattr(os, "preadv"):
        return os.preadv(fd, [buffer], offset)
    data = os.pread(fd, len(buffer), offset)
    buffer[: len(data)] = data
    return len(data)
