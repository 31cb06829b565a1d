"""Read tensors once, in parallel threads and in file order, in bounded memory."""

from __future__ import annotations

import hashlib
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from lecun_cli.inspection.chunk_reader import ReadChunk, Reader
from lecun_cli.inspection.tally import Scratch, Tally, tally_values
from lecun_cli.output.engine import Progress

_HEAD_NBYTES = 2**16

Limits = Callable[[int], tuple[float, float]]


def scan(
    chunks: Iterable[ReadChunk], limits: Limits, workers: int, progress: Progress | None = None
) -> Iterator[tuple[int, Tally]]:
    """Yield (index, tally) of each tensor, in the order of the chunks.

    Args:
        chunks: The chunks of all tensors; those of one tensor are consecutive.
        limits: Function from the index of a tensor to its smallest and largest allowed value.
        workers: Number of threads.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Raises:
        WeightFileError: A file cannot be read or ends too early.
    """
    with Reader().opened() as reader, ThreadPoolExecutor(workers) as pool:
        counter = _Counter(reader, limits)
        waiting: deque[tuple[ReadChunk, Future[Tally]]] = deque()
        current: Tally | None = None
        number = -1
        done = 0
        try:
            for chunk, counted in _in_order(pool, counter, iter(chunks), waiting, workers + 2):
                if chunk.is_first:
                    if current is not None:
                        yield number, current
                    number, current = chunk.tensor, counted
                elif current is not None:
                    current.add(counted)
                    if current.distinct is None:
                        counter.many.add(number)
                done += chunk.n_elements * chunk.dtype.itemsize
                if progress is not None:
                    progress(done, chunk.stored.name)
            if current is not None:
                yield number, current
        finally:
            for _, future in waiting:
                future.cancel()


def _in_order(
    pool: ThreadPoolExecutor,
    counter: _Counter,
    chunks: Iterator[ReadChunk],
    waiting: deque[tuple[ReadChunk, Future[Tally]]],
    ahead: int,
) -> Iterator[tuple[ReadChunk, Tally]]:
    """Yield tallies in the order of the chunks, with up to `ahead` chunks in progress."""
    for chunk in chunks:
        waiting.append((chunk, pool.submit(counter.count, chunk)))
        if len(waiting) >= ahead:
            first, future = waiting.popleft()
            yield first, future.result()
    while waiting:
        first, future = waiting.popleft()
        yield first, future.result()


class _Counter:
    """Tallies chunks; each thread has its own buffers.

    Attributes:
        many: Indices of tensors with too many distinct values, whose later chunks need not count them.
    """

    def __init__(self, reader: Reader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._local = threading.local()
        self.many: set[int] = set()

    def count(self, chunk: ReadChunk) -> Tally:
        """Return the tally of one chunk."""
        scratch: Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None:
            scratch = self._local.scratch = Scratch()
        values = self._reader.read(chunk)
        number = chunk.tensor
        counted = tally_values(
            values,
            chunk.dtype.name,
            scratch,
            limits=self._limits(number),
            distinct=number not in self.many,
        )
        if counted.distinct is None:
            self.many.add(number)
        if chunk.is_first:
            head = values.view(np.uint8)[:_HEAD_NBYTES].tobytes()
            counted.head = hashlib.blake2b(head, digest_size=16).digest()
        return counted
