"""Working memory of one thread."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.stream.philox import block_work

AnyArray = np.ndarray[Any, np.dtype[Any]]

BUFFER_NBYTES = 1 << 19
"""Bytes of each buffer, 2**17 float32. Measured best with one thread and with two: smaller buffers stay in a
nearer cache, but then threads wait more often for the interpreter's lock."""

_LINE = 64  # bytes; each buffer starts on another cache line of a page
_COUNT = 6


class Scratch:
    """Working memory of one thread, 3.6 MiB, allocated once.

    The page faults of a new buffer for every chunk would cost more than the arithmetic.
    """

    def __init__(self) -> None:
        stride = BUFFER_NBYTES + _LINE
        memory = np.empty(_COUNT * stride, dtype=np.uint8)
        self._buffers = [memory[i * stride :][:BUFFER_NBYTES] for i in range(_COUNT)]
        self.block_work = block_work()

    def work(self, scalar: type[np.float32 | np.float64], size: int) -> tuple[Any, Any, Any, Any]:
        """Return four working arrays of `scalar`, each of shape `(size,)` and at most `BUFFER_NBYTES`."""
        u, t, p, q = (buffer.view(scalar)[:size] for buffer in self._buffers[:4])
        return u, t, p, q

    def words(self, size: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
        """Return an array for stream words, shape `(size,)`, of at most `BUFFER_NBYTES`."""
        return self._buffers[4].view(np.uint64)[:size]

    def results(self, size: int, dtype: np.dtype[Any]) -> AnyArray:
        """Return an array for finished elements, shape `(size,)`, of at most `BUFFER_NBYTES`."""
        return self._buffers[5].view(dtype)[:size]
