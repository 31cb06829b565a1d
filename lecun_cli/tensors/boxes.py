"""Convert ranges of a tensor to boxes, and boxes to runs of consecutive elements: integer geometry.

Tensors that are not stored in canonical order are handled box by box: a range of the stored tensor is a few
boxes, a box of the stored tensor is a box of the canonical one, and that is a set of runs of the stream.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lecun_cli.initializers.fans import Shape


@dataclass(frozen=True)
class Box:
    """A box of a tensor: the elements whose index k is in `starts[k] <= index < stops[k]` for every axis k.

    Attributes:
        starts: First index along each axis.
        stops: One past the last index along each axis.
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Size along each axis."""
        return tuple(b - a for a, b in zip(self.starts, self.stops, strict=True))

    @property
    def n_elements(self) -> int:
        """Number of elements."""
        return math.prod(self.dims)

    def permuted(self, axes: tuple[int, ...]) -> Box:
        """Return the box with permuted axes: axis k of this box becomes axis `axes[k]`."""
        starts, stops = [0] * len(axes), [0] * len(axes)
        for k, axis in enumerate(axes):
            starts[axis], stops[axis] = self.starts[k], self.stops[k]
        return Box(tuple(starts), tuple(stops))

    def cut(self, axis: int, start: int, stop: int) -> Box | None:
        """Return the part of the box within a range of one axis, or None if it is empty."""
        low, high = max(self.starts[axis], start), min(self.stops[axis], stop)
        if low >= high:
            return None
        starts, stops = list(self.starts), list(self.stops)
        starts[axis], stops[axis] = low, high
        return Box(tuple(starts), tuple(stops))

    def shifted(self, axis: int, by: int) -> Box:
        """Return the box moved along one axis."""
        starts, stops = list(self.starts), list(self.stops)
        starts[axis] += by
        stops[axis] += by
        return Box(tuple(starts), tuple(stops))

    def flipped(self, axis: int, n: int) -> Box:
        """Return the box after an axis of size `n` is reversed."""
        starts, stops = list(self.starts), list(self.stops)
        starts[axis], stops[axis] = n - self.stops[axis], n - self.starts[axis]
        return Box(tuple(starts), tuple(stops))

    def overlap(self, other: Box) -> Box | None:
        """Return the intersection of two boxes, or None if it is empty."""
        starts = tuple(map(max, self.starts, other.starts))
        stops = tuple(map(min, self.stops, other.stops))
        return Box(starts, stops) if all(a < b for a, b in zip(starts, stops, strict=True)) else None

    def within(self, outer: Box) -> tuple[slice, ...]:
        """Return the slices of this box in an array that contains the box `outer`."""
        return tuple(
            slice(a - low, b - low) for a, b, low in zip(self.starts, self.stops, outer.starts, strict=True)
        )


def full_box(shape: Shape) -> Box:
    """Return the box that covers a whole tensor."""
    return Box((0,) * len(shape), tuple(shape))


def boxes_of_range(shape: Shape, start: int, stop: int) -> Iterator[Box]:
    """Yield the boxes that make up the elements `start` to `stop` of a tensor in C order, in that order.

    Args:
        shape: Shape of the tensor.
        start: Index of the first element in C order.
        stop: One past the last element; `start < stop`.
    """
    if len(shape) == 0:
        yield Box((), ())
        return
    inner = math.prod(shape[1:])
    first, last = start // inner, (stop - 1) // inner
    if start % inner == 0 and stop % inner == 0:
        yield Box((first, *(0 for _ in shape[1:])), (last + 1, *shape[1:]))
        return
    if first == last:
        yield from _in_row(shape, first, start - first * inner, stop - first * inner)
        return
    if start % inner:
        yield from _in_row(shape, first, start - first * inner, inner)
        first += 1
    full = last if stop % inner else last + 1
    if first < full:
        yield Box((first, *(0 for _ in shape[1:])), (full, *shape[1:]))
    if stop % inner:
        yield from _in_row(shape, last, 0, stop - last * inner)


def _in_row(shape: Shape, row: int, start: int, stop: int) -> Iterator[Box]:
    for box in boxes_of_range(shape[1:], start, stop):
        yield Box((row, *box.starts), (row + 1, *box.stops))


def split(box: Box, most: int) -> Iterator[Box]:
    """Yield boxes of at most `most` elements that make up a box, in C order."""
    if box.n_elements <= most:
        yield box
        return
    axis = next(k for k, n in enumerate(box.dims) if n > 1)
    inner = box.n_elements // box.dims[axis]
    step = max(1, most // inner)
    for start in range(box.starts[axis], box.stops[axis], step):
        part = box.cut(axis, start, start + step)
        if part is not None:
            yield from split(part, most)


@dataclass(frozen=True)
class Runs:
    """A box as runs of consecutive elements of its tensor.

    Attributes:
        length: Number of elements in each run.
        outer: The axes along which the runs repeat, as (count, stride), with strides in elements.
        base: Index of the first element of the first run.
    """

    length: int
    outer: tuple[tuple[int, int], ...]
    base: int

    @property
    def count(self) -> int:
        """Number of runs."""
        return math.prod(count for count, _ in self.outer)


def runs_of(shape: Shape, box: Box) -> Runs:
    """Return the runs of a box, as long as possible.

    Args:
        shape: Shape of the tensor.
        box: A box of the tensor.
    """
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    base = sum(a * s for a, s in zip(box.starts, strides, strict=True))
    dims = box.dims
    k = len(shape)
    length = 1
    while k > 0:
        k -= 1
        length *= dims[k]
        if dims[k] != shape[k]:
            break
    outer = tuple((dims[j], strides[j]) for j in range(k))
    return Runs(length, outer, base)


# Costs of drawing, in nanoseconds: per element of a long run, and per run.
_ELEMENT, _RUN = 5.0, 150.0


def to_draw(shape: Shape, box: Box) -> Box:
    """Return the box around `box` that is cheapest to draw: wider along the last axes if runs are short."""
    best, least = box, math.inf
    for k in range(len(shape), -1, -1):
        starts = (*box.starts[:k], *(0 for _ in shape[k:]))
        stops = (*box.stops[:k], *shape[k:])
        candidate = Box(starts, stops)
        cost = candidate.n_elements * _ELEMENT + runs_of(shape, candidate).count * _RUN
        if cost < least:
            best, least = candidate, cost
    return best
