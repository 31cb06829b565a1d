"""A weight file as a gapless sequence of segments, and the chunks in which it is generated."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from lecun_cli.plan.types import TensorPlan


@dataclass(frozen=True)
class Literal:
    """Bytes that are known beforehand, such as a header.

    Attributes:
        offset: Position in the file, in bytes.
        data: The bytes.
    """

    offset: int
    data: bytes

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return len(self.data)


class Extent(NamedTuple):
    """The range of the file that one tensor fills. It is a tuple because there may be a million.

    Attributes:
        offset: Position in the file, in bytes.
        tensor: The tensor, stored little-endian and in C order.
        path: Name of the tensor in the file; None if it is the tensor's own name.
    """

    offset: int
    tensor: TensorPlan
    path: str | None = None

    @property
    def stored_name(self) -> str:
        """Name of the tensor in the file."""
        return self.tensor.name if self.path is None else self.path

    @property
    def nbytes(self) -> int:
        """Length in bytes."""
        return self.tensor.nbytes


Segment = Literal | Extent


@dataclass(frozen=True)
class FileLayout:
    """The structure of a file that is not generated yet.

    Attributes:
        format: A key of `FORMATS`.
        nbytes: Length of the file in bytes.
        segments: The segments by offset; they cover the file without gaps and overlaps.
    """

    format: str
    nbytes: int
    segments: tuple[Segment, ...]

    @property
    def extents(self) -> tuple[Extent, ...]:
        """The extents, by offset."""
        return tuple(s for s in self.segments if isinstance(s, Extent))


def check_gapless(segments: tuple[Segment, ...], nbytes: int) -> None:
    """Check that the segments of a layout cover the file without gaps and overlaps.

    Args:
        segments: The segments, by offset.
        nbytes: Length of the file in bytes.

    Raises:
        AssertionError: There is a gap or an overlap, which is a bug in the format's `layout` function.
    """
    at = 0
    for segment in segments:
        if segment.offset != at:
            raise AssertionError(f"start of a segment: expected {at}, got {segment.offset}")
        at += segment.nbytes
    if at != nbytes:
        raise AssertionError(f"end of the segments: expected {nbytes}, got {at}")


ChunkPart = tuple[Segment, int, int]
"""(segment, start, stop): a range of one segment, in bytes from its start."""


@dataclass(frozen=True)
class Chunk:
    """A contiguous range of the file that one worker generates in one go.

    Attributes:
        index: Number of the chunk, counted from 0.
        offset: Position in the file, in bytes.
        nbytes: Length in bytes.
        parts: Its content in order; a chunk across small tensors has many parts.
    """

    index: int
    offset: int
    nbytes: int
    parts: tuple[ChunkPart, ...]


# A block of the stream has 8 words of 32 bits or 4 of 64, so tensors are cut at multiples of 8 elements.
BLOCK_ELEMENTS = 8


def cut_nbytes(tensor: TensorPlan, chunk_nbytes: int) -> int:
    """Return the step, in bytes from the start of a tensor, at which it may be cut into chunks.

    A tensor in the order of the stream is cut between blocks. In a transposed tensor, the elements of a
    block are in different rows, so it is cut after as many rows as a block has elements, or as fit into a
    chunk. Each block is then generated once, not once for every chunk that contains one of its elements.

    Args:
        tensor: The tensor.
        chunk_nbytes: Maximum length of a chunk in bytes.
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
    """Cut a file into chunks of at most `chunk_nbytes`.

    A segment that fits into the rest of a chunk is not cut. Other tensors are cut at the steps of
    `cut_nbytes`. If not even one block of the stream fits into a chunk, the chunk contains one block.

    Args:
        layout: The file.
        chunk_nbytes: Maximum length of a chunk in bytes.

    Yields:
        The chunks, by offset.
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
