"""The working memory of one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.stream.philox import block_work

AnyArray = np.ndarray[Any, np.dtype[Any]]

BUFFER_NBYTES = 1 << 19
"""Bytes of each buffer, 2**17 float32: measured best with one thread and with two. Smaller buffers stay in
a nearer cache, but threads then meet more often at the interpreter's lock."""

_LINE = 64  # bytes; each buffer starts on another cache line of a page
_COUNT = 6


class Scratch:
    """The working memory of one thread, made once: 3.6 MiB.

    A new buffer for every chunk would cost more than the arithmetic, in page faults.
    """

    def __init__(self) -> None:
        stride = BUFFER_NBYTES + _LINE
        memory = np.empty(_COUNT * stride, dtype=np.uint8)
        self._buffers = [memory[i * stride :][:BUFFER_NBYTES] for i in range(_COUNT)]
        self.block_work = block_work()

    def work(self, scalar: type[np.float32 | np.float64], size: int) -> tuple[Any, Any, Any, Any]:
        """Four working arrays of `scalar`, shape `(size,)` each, of at most `BUFFER_NBYTES`."""
        u, t, p, q = (buffer.view(scalar)[:size] for buffer in self._buffers[:4])
        return u, t, p, q

    def words(self, size: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Stream words, shape `(size,)`, of at most `BUFFER_NBYTES`."""
        return self._buffers[4].view(np.uint64)[:size]

    def results(self, size: int, dtype: np.dtype[Any]) -> AnyArray:
        """Finished elements, shape `(size,)`, of at most `BUFFER_NBYTES`."""
        return self._buffers[5].view(dtype)[:size]
