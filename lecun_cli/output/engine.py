"""Generate the bytes of a layout: chunks are drawn in parallel, written, and digested in order.

    workers     take a free buffer, then the next chunk, and draw it
    digesters   one thread each; each digests every chunk, in order
    writers     two threads if the destination has random access, else one; each chunk is written once
    buffers     are free again when their chunk is digested and written

Memory is bounded by the number of buffers. A worker takes its buffer before its chunk, so the oldest
unfinished chunk always has a buffer and no deadlock is possible. Drawing, digesting and writing release
the GIL, so threads keep the cores and the disk busy: while a writer waits for the disk, a worker has its
core.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lecun_cli.errors import UsageError
from lecun_cli.formats.segments import Chunk, Extent, FileLayout, Literal, chunks
from lecun_cli.output.destinations.base import PAGE_NBYTES
from lecun_cli.output.digests import Digester, Digests, DigestTaker
from lecun_cli.tensors.generator import Range, TensorGenerator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lecun_cli.output.destinations.base import Writer

DEFAULT_CHUNK_NBYTES = 4 * 2**20
MIN_CHUNK_NBYTES = 32
MAX_WORKERS = 256
_WRITERS = 2  # one fills the queue of the disk while the other's bytes are on their way

Progress = Callable[[int, str], None]
"""Callback `(bytes_done, tensor_name)`, called periodically from the thread that called `run`."""


def default_workers() -> int:
    """Return the number of cores of this process, but at most 8: ordered digests cannot keep up with more."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores))


def run(
    layout: FileLayout,
    seed: int,
    destination: Writer,
    *,
    chunk_nbytes: int = DEFAULT_CHUNK_NBYTES,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Digests:
    """Generate a file.

    The bytes do not depend on `chunk_nbytes`, `workers` or the destination.

    Args:
        layout: The layout of the file.
        seed: The seed, 0 to 2**64 - 1.
        destination: Where the bytes go.
        chunk_nbytes: Maximum size of a chunk, in bytes; memory is about `workers + 4` chunks.
        workers: Number of threads that draw. If None, `default_workers()`.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Returns:
        The digests of the file and of its tensors.

    Raises:
        UsageError: `workers` is not between 1 and MAX_WORKERS.
        OutputError: The destination cannot be written. Any other exception of a thread is raised as it is.
    """
    workers = default_workers() if workers is None else workers
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"workers: expected 1 to {MAX_WORKERS}, got {workers}")
    return _Run(layout, seed, destination, chunk_nbytes, workers).run(progress)


@dataclass
class _DrawnChunk:
    """A chunk that is drawn, and the number of consumers that have not processed it yet."""

    chunk: Chunk
    data: NDArray[np.uint8]
    buffer: NDArray[np.uint8]
    waiting: int


@dataclass
class _Consumer:
    """Processes every chunk once, in order. With several threads, processing starts in order.

    Attributes:
        take: Processes a chunk and its bytes.
        n_threads: Number of threads.
        next: Index of the chunk that the next free thread takes.
    """

    take: Callable[[Chunk, memoryview], None]
    n_threads: int = 1
    next: int = 0


class _Run:
    def __init__(
        self, layout: FileLayout, seed: int, destination: Writer, chunk_nbytes: int, workers: int
    ) -> None:
        self.layout = layout
        self.seed = seed
        self.workers = workers
        self.chunks = chunks(layout, chunk_nbytes)
        self.digests = DigestTaker()
        self.consumers = [_Consumer(_digesting(digester)) for digester in self.digests.digesters]
        self.consumers.append(_Consumer(_writing(destination), _WRITERS if destination.random_access else 1))
        self.longest = min(max(chunk_nbytes, 64), layout.nbytes)
        self.free: list[NDArray[np.uint8]] = []
        self.unallocated = workers + 2 + _WRITERS  # buffers that no chunk has needed yet
        self.changed = threading.Condition()
        self.drawn: dict[int, _DrawnChunk] = {}
        self.n_chunks: int | None = None
        self.error: BaseException | None = None
        self.nbytes_done = 0
        self.at = ""  # the name of the tensor that is being drawn

    def run(self, progress: Progress | None) -> Digests:
        threads = [threading.Thread(target=self._guard, args=(self._work,)) for _ in range(self.workers)]
        for consumer in self.consumers:
            threads += [
                threading.Thread(target=self._guard, args=(self._consume, consumer))
                for _ in range(consumer.n_threads)
            ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.1)
                    if progress is not None:
                        progress(self.nbytes_done, self.at)
        except BaseException as error:
            self._stop(error)
            raise
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
        if self.error is not None:
            raise self.error
        if progress is not None:
            progress(self.nbytes_done, self.at)
        return self.digests.end()

    def _guard(self, body: Callable[..., None], *arguments: _Consumer) -> None:
        try:
            body(*arguments)
        except BaseException as error:
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        with self.changed:
            self.error = self.error or error
            self.changed.notify_all()

    def _work(self) -> None:
        generator = TensorGenerator(self.seed)
        while True:
            with self.changed:
                while not self.free and not self.unallocated and self.error is None:
                    self.changed.wait()
                if self.error is not None:
                    return
                chunk = next(self.chunks, None) if self.n_chunks is None else None
                if chunk is None:
                    self._end()
                    return
                self._count(chunk)
                if self.free:
                    buffer = self.free.pop()
                else:
                    self.unallocated -= 1
                    buffer = _aligned(self.longest + PAGE_NBYTES)
            # Bytes have the same offset within a page as in the file, so that whole pages can be written
            # from here without a copy, and elements are aligned as they are in the file.
            first = chunk.offset % PAGE_NBYTES
            data = buffer[first : first + chunk.nbytes]
            self.at = _name(chunk)
            _draw(chunk, generator, data)
            with self.changed:
                self.drawn[chunk.index] = _DrawnChunk(chunk, data, buffer, len(self.consumers))
                self.changed.notify_all()

    def _end(self) -> None:
        """Handle the end of the chunks: `_count` has seen the last one, unless the file is empty."""
        if self.n_chunks is None:
            if self.layout.nbytes:
                raise AssertionError(f"the chunks end before the {self.layout.nbytes} bytes of the file")
            self.n_chunks = 0
            self.changed.notify_all()

    def _count(self, chunk: Chunk) -> None:
        if chunk.offset + chunk.nbytes == self.layout.nbytes:
            self.n_chunks = chunk.index + 1
            self.changed.notify_all()

    def _consume(self, consumer: _Consumer) -> None:
        while True:
            with self.changed:
                while (
                    consumer.next not in self.drawn and self.error is None and consumer.next != self.n_chunks
                ):
                    self.changed.wait()
                if self.error is not None or consumer.next == self.n_chunks:
                    return
                drawn = self.drawn[consumer.next]
                consumer.next += 1
            consumer.take(drawn.chunk, drawn.data.data)
            with self.changed:
                drawn.waiting -= 1
                if not drawn.waiting:
                    del self.drawn[drawn.chunk.index]
                    self.free.append(drawn.buffer)
                    self.nbytes_done += drawn.chunk.nbytes
                    self.changed.notify_all()


def _digesting(digester: Digester) -> Callable[[Chunk, memoryview], None]:
    return lambda chunk, data: digester.take(chunk.parts, data)


def _writing(destination: Writer) -> Callable[[Chunk, memoryview], None]:
    return lambda chunk, data: destination.write(chunk.offset, data)


def _aligned(nbytes: int) -> NDArray[np.uint8]:
    """Return memory that starts at the start of a page."""
    memory = np.empty(nbytes + PAGE_NBYTES, np.uint8)
    first = -memory.ctypes.data % PAGE_NBYTES
    return memory[first : first + nbytes]


def _name(chunk: Chunk) -> str:
    """Return the name of the first tensor of a chunk, or an empty string."""
    return next((segment.tensor.name for segment, _, _ in chunk.parts if isinstance(segment, Extent)), "")


def _draw(chunk: Chunk, generator: TensorGenerator, out: NDArray[np.uint8]) -> None:
    ranges: list[Range] = []
    at = 0
    for segment, start, stop in chunk.parts:
        length = stop - start
        if isinstance(segment, Literal):
            out[at : at + length] = np.frombuffer(segment.data, np.uint8, length, start)
        else:
            ranges.append((segment.tensor, start, length, at))
        at += length
    generator.draw_ranges(ranges, out)
