"""Layout -> bytes: units made in parallel, written, and digested in order, in bounded memory.

    workers    take a free buffer, then the next unit; draw it; write it where order is free
    consumers  one thread each, every unit in order: the file's digest, the tensors' digests, and the
               write where the destination takes bytes in order only
    a buffer   is free again when every consumer has seen its unit

A worker takes its buffer before it takes its unit, so the oldest unfinished unit always has one and
the ring cannot lock up. NumPy and hashlib release the GIL, so threads keep all cores busy.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lecun_cli.elements import Drawer
from lecun_cli.errors import UsageError
from lecun_cli.files.segments import Extent, FileLayout, Literal, Unit, units

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lecun_cli.destinations import Destination

DEFAULT_CHUNK_NBYTES = 4 * 2**20
MIN_CHUNK_NBYTES = 32
MAX_WORKERS = 256

Progress = Callable[[int], None]
"""Told the bytes done so far, now and then, from the thread that called `run`."""


@dataclass(frozen=True)
class Digests:
    """SHA-256 of a file and of each of its tensors, in hex.

    Attributes:
        file: Of the whole file: what `sha256sum` prints, and the Hub's LFS id.
        tensors: Of the stored bytes of each tensor, by name.
    """

    file: str
    tensors: dict[str, str]


def default_workers() -> int:
    """As many as this process has cores, but no more than the ordered digests can follow."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, cores))


def run(
    layout: FileLayout,
    seed: int,
    destination: Destination,
    *,
    chunk_nbytes: int = DEFAULT_CHUNK_NBYTES,
    workers: int | None = None,
    progress: Progress | None = None,
) -> Digests:
    """Make a file.

    The bytes do not depend on `chunk_nbytes`, `workers` or the destination.

    Args:
        layout: The file.
        seed: The seed, 0 to 2**64 - 1.
        destination: Where the bytes go.
        chunk_nbytes: The longest unit of work, in bytes; memory is about `workers + 3` of these.
        workers: Threads that draw.
        progress: Told the bytes done so far.

    Raises:
        UsageError: There are to be no workers, or too many.
        OutputError: The destination refused; whatever a thread met is raised here.
    """
    workers = default_workers() if workers is None else workers
    if not 1 <= workers <= MAX_WORKERS:
        raise UsageError(f"workers are 1 to {MAX_WORKERS}, found {workers}")
    return _Run(layout, seed, destination, chunk_nbytes, workers).run(progress)


class _Run:
    def __init__(
        self, layout: FileLayout, seed: int, destination: Destination, chunk_nbytes: int, workers: int
    ) -> None:
        self.layout = layout
        self.seed = seed
        self.destination = destination
        self.workers = workers
        self.units = units(layout, chunk_nbytes)
        longest = min(max(chunk_nbytes, 64), layout.nbytes)
        self.free: list[NDArray[np.uint8]] = []
        self.unmade = workers + 3  # buffers of the ring that no unit has needed yet
        self.longest = longest
        self.changed = threading.Condition()
        self.made: dict[int, tuple[Unit, NDArray[np.uint8], int]] = {}
        self.n_units: int | None = None
        self.error: BaseException | None = None
        self.file_digest = hashlib.sha256()
        self.tensor_digests: dict[str, str] = {}
        self.nbytes_done = 0

    def run(self, progress: Progress | None) -> Digests:
        consumers: list[Callable[[Iterator[tuple[Unit, NDArray[np.uint8]]]], None]]
        consumers = [self._digest_file, self._digest_tensors]
        if not self.destination.random_access:
            consumers.append(self._write_in_order)
        self.n_consumers = len(consumers)
        threads = [threading.Thread(target=self._guard, args=(self._work,)) for _ in range(self.workers)]
        threads += [
            threading.Thread(target=self._guard, args=(lambda c=c: c(self._in_order()),)) for c in consumers
        ]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive():
                    thread.join(0.1)
                    if progress is not None:
                        progress(self.nbytes_done)
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
            progress(self.nbytes_done)
        return Digests(self.file_digest.hexdigest(), self.tensor_digests)

    def _guard(self, body: Callable[[], None]) -> None:
        try:
            body()
        except BaseException as error:
            self._stop(error)

    def _stop(self, error: BaseException) -> None:
        with self.changed:
            self.error = self.error or error
            self.changed.notify_all()

    def _work(self) -> None:
        drawer = Drawer(self.seed)
        while True:
            with self.changed:
                while not self.free and not self.unmade and self.error is None:
                    self.changed.wait()
                if self.error is not None:
                    return
                unit = next(self.units, None) if self.n_units is None else None
                if unit is None:
                    self._end()
                    return
                self._count(unit)
                if self.free:
                    buffer = self.free.pop()
                else:
                    self.unmade -= 1
                    buffer = np.empty(self.longest, np.uint8)
            _draw(unit, drawer, buffer)
            if self.destination.random_access:
                self.destination.write(unit.offset, buffer.data[: unit.nbytes])
            with self.changed:
                self.made[unit.index] = (unit, buffer, self.n_consumers)
                self.changed.notify_all()

    def _end(self) -> None:
        """No unit is left: `_count` has met the last one, unless there is no byte to make."""
        if self.n_units is None:
            if self.layout.nbytes:
                raise AssertionError(f"the units end before the {self.layout.nbytes} bytes of the file")
            self.n_units = 0
            self.changed.notify_all()

    def _count(self, unit: Unit) -> None:
        if unit.offset + unit.nbytes == self.layout.nbytes:
            self.n_units = unit.index + 1
            self.changed.notify_all()

    def _in_order(self) -> Iterator[tuple[Unit, NDArray[np.uint8]]]:
        """Every unit and its bytes, in order; a unit is given back when the next is asked for."""
        index = 0
        while True:
            with self.changed:
                while index not in self.made and self.error is None and index != self.n_units:
                    self.changed.wait()
                if self.error is not None or index == self.n_units:
                    return
                unit, buffer, _ = self.made[index]
            yield unit, buffer[: unit.nbytes]
            with self.changed:
                _, _, waiting = self.made[index]
                if waiting > 1:
                    self.made[index] = (unit, buffer, waiting - 1)
                else:
                    del self.made[index]
                    self.free.append(buffer)
                    self.nbytes_done = unit.offset + unit.nbytes
                    self.changed.notify_all()
            index += 1

    def _digest_file(self, made: Iterator[tuple[Unit, NDArray[np.uint8]]]) -> None:
        for _, data in made:
            self.file_digest.update(data.data)

    def _digest_tensors(self, made: Iterator[tuple[Unit, NDArray[np.uint8]]]) -> None:
        digest = hashlib.sha256()
        for unit, data in made:
            at = 0
            for piece in unit.pieces:
                length = piece.stop - piece.start
                if isinstance(piece.segment, Extent):
                    if piece.start == 0:
                        digest = hashlib.sha256()
                    digest.update(data.data[at : at + length])
                    if piece.stop == piece.segment.nbytes:
                        self.tensor_digests[piece.segment.tensor.name] = digest.hexdigest()
                at += length

    def _write_in_order(self, made: Iterator[tuple[Unit, NDArray[np.uint8]]]) -> None:
        for unit, data in made:
            self.destination.write(unit.offset, data.data)


def _draw(unit: Unit, drawer: Drawer, buffer: NDArray[np.uint8]) -> None:
    at = 0
    for piece in unit.pieces:
        length = piece.stop - piece.start
        share = buffer[at : at + length]
        if isinstance(piece.segment, Literal):
            share[:] = np.frombuffer(piece.segment.data, np.uint8, length, piece.start)
        else:
            tensor = piece.segment.tensor
            out = share.view(tensor.storage.numpy())
            drawer.draw_range(tensor, piece.start // tensor.storage.itemsize, out)
        at += length
