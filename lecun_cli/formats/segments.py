"""A weight file as a gapless sequence of segments, and the units of work that it is made in."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from lecun_cli.plan.types import TensorPlan


@dataclass(frozen=True)
class Literal:
    """Bytes that are known beforehand: a header, an index.

    Attributes:
        offset: Where they start in the file, in bytes.
        data: The bytes.
    """

    offset: int
    data: bytes

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return len(self.data)


class Extent(NamedTuple):
    """A range of the file that one tensor fills; a tuple, for there may be a million.

    Attributes:
        offset: Where it starts in the file, in bytes.
        tensor: What fills it, little-endian and in C order.
        path: What the file calls it; the tensor's name if not given.
    """

    offset: int
    tensor: TensorPlan
    path: str | None = None

    @property
    def stored_name(self) -> str:
        """What the file calls the tensor."""
        return self.tensor.name if self.path is None else self.path

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.tensor.nbytes


Segment = Literal | Extent


@dataclass(frozen=True)
class FileLayout:
    """Where everything in a file goes, before any of it is made.

    Attributes:
        format: A key of `FORMATS`.
        nbytes: Length of the file in bytes.
        segments: In the order of their offsets; they cover the file without gap or overlap.
    """

    format: str
    nbytes: int
    segments: tuple[Segment, ...]

    @property
    def extents(self) -> tuple[Extent, ...]:
        """The extents, in the order of their offsets."""
        return tuple(s for s in self.segments if isinstance(s, Extent))


def check_gapless(segments: tuple[Segment, ...], nbytes: int) -> None:
    """Hold a layout against its promise.

    Raises:
        AssertionError: A gap or an overlap: a fault of the code that made the layout.
    """
    at = 0
    for segment in segments:
        if segment.offset != at:
            raise AssertionError(f"a segment starts at {segment.offset}, and the one before ends at {at}")
        at += segment.nbytes
    if at != nbytes:
        raise AssertionError(f"the segments end at {at}, and the file at {nbytes}")


ChunkPart = tuple[Segment, int, int]
"""A range of one segment, from where to where, in bytes from its start."""


@dataclass(frozen=True)
class Chunk:
    """A contiguous range of the file that one worker makes at once.

    Attributes:
        index: Its place in the file's sequence of units.
        offset: Where it starts in the file, in bytes.
        nbytes: Its length in bytes.
        parts: What it holds, in order; across small tensors there are many.
    """

    index: int
    offset: int
    nbytes: int
    parts: tuple[ChunkPart, ...]


# A block of the stream holds 8 words of 32 bits or 4 of 64, so tensors are cut at multiples of 8 elements.
BLOCK_ELEMENTS = 8


def cut_nbytes(tensor: TensorPlan, chunk_nbytes: int) -> int:
    """Where a tensor may be cut: at multiples of so many bytes from its start.

    In the order of the stream, between blocks. In a transposed tensor the elements of a block lie in
    different rows, so it is cut between as many rows as a block has elements, or as a chunk holds: each block
    is then made once, and not once for every unit that has an element of it.
    """
    itemsize = tensor.storage.itemsize
    part = tensor.parts[0]
    if part.axes is not None and len(tensor.parts) == 1 and part.shape == tensor.shape:
        last = part.axes.index(len(part.axes) - 1)  # the stored axis that the stream counts fastest
        row = math.prod(part.shape[last + 1 :]) * itemsize
        rows = BLOCK_ELEMENTS
        while rows and row * rows > chunk_nbytes:
            rows //= 2
        if rows:
            return row * rows
    return itemsize * BLOCK_ELEMENTS


def chunks(layout: FileLayout, chunk_nbytes: int) -> Iterator[Chunk]:
    """Cut a file into units of at most `chunk_nbytes`.

    What fits whole into the room left in a unit is not cut. Other tensors are cut between blocks of the
    stream, see `cut_nbytes`; where not even one block fits into a chunk, a unit holds one block.

    Args:
        layout: The file.
        chunk_nbytes: The longest unit, in bytes.
    """
    index = 0
    offset = 0
    parts: list[ChunkPart] = []
    length = 0
    for segment in layout.segments:
        nbytes = segment.nbytes
        if 0 < nbytes <= chunk_nbytes - length:
            parts.append((segment, 0, nbytes))
            length += nbytes
            continue
        start = 0
        step = cut_nbytes(segment.tensor, chunk_nbytes) if isinstance(segment, Extent) else 1
        while start < nbytes:
            room = (chunk_nbytes - length) // step * step
            if room < min(step, nbytes - start):
                if length:
                    yield Chunk(index, offset, length, tuple(parts))
                    index, offset, parts, length = index + 1, offset + length, [], 0
                    continue
                room = step
            stop = min(nbytes, start + room)
            parts.append((segment, start, stop))
            length += stop - start
            start = stop
    if length:
        yield Chunk(index, offset, length, tuple(parts))
