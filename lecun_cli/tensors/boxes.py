"""Ranges of a tensor in C order as boxes, and boxes as runs: pure integer geometry.

A storage order that is not the canonical one is handled box by box: a range of the stored tensor is a
few boxes, a box of the stored tensor is a box of the canonical one, and that is a set of runs of the
stream.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from lecun_cli.initializers.fans import Shape


@dataclass(frozen=True)
class Box:
    """A box of a tensor: `starts[k] <= index k < stops[k]`."""

    starts: tuple[int, ...]
    stops: tuple[int, ...]

    @property
    def dims(self) -> tuple[int, ...]:
        """Extent along every axis."""
        return tuple(b - a for a, b in zip(self.starts, self.stops, strict=True))

    @property
    def n_elements(self) -> int:
        """Elements in the box."""
        return math.prod(self.dims)

    def permuted(self, axes: tuple[int, ...]) -> Box:
        """The same box where axis `axes[k]` is this box's axis k."""
        starts, stops = [0] * len(axes), [0] * len(axes)
        for k, axis in enumerate(axes):
            starts[axis], stops[axis] = self.starts[k], self.stops[k]
        return Box(tuple(starts), tuple(stops))

    def cut(self, axis: int, start: int, stop: int) -> Box | None:
        """The part of the box that lies in a range of one axis, or None."""
        low, high = max(self.starts[axis], start), min(self.stops[axis], stop)
        if low >= high:
            return None
        starts, stops = list(self.starts), list(self.stops)
        starts[axis], stops[axis] = low, high
        return Box(tuple(starts), tuple(stops))

    def shifted(self, axis: int, by: int) -> Box:
        """The box moved along one axis."""
        starts, stops = list(self.starts), list(self.stops)
        starts[axis] += by
        stops[axis] += by
        return Box(tuple(starts), tuple(stops))

    def flipped(self, axis: int, n: int) -> Box:
        """The same box where an axis of `n` runs backwards."""
        starts, stops = list(self.starts), list(self.stops)
        starts[axis], stops[axis] = n - self.stops[axis], n - self.starts[axis]
        return Box(tuple(starts), tuple(stops))

    def overlap(self, other: Box) -> Box | None:
        """What two boxes have in common, or None."""
        starts = tuple(map(max, self.starts, other.starts))
        stops = tuple(map(min, self.stops, other.stops))
        return Box(starts, stops) if all(a < b for a, b in zip(starts, stops, strict=True)) else None

    def within(self, outer: Box) -> tuple[slice, ...]:
        """Where this box lies in an array that holds `outer`."""
        return tuple(
            slice(a - low, b - low) for a, b, low in zip(self.starts, self.stops, outer.starts, strict=True)
        )


def full_box(shape: Shape) -> Box:
    """The box of a whole tensor."""
    return Box((0,) * len(shape), tuple(shape))


def boxes_of_range(shape: Shape, start: int, stop: int) -> Iterator[Box]:
    """The boxes that together are the elements `start .. stop` in C order, in that order.

    Args:
        shape: Shape of the tensor.
        start: The first element.
        stop: One past the last; `start < stop`.
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
    """Cut a box into boxes of at most `most` elements, in C order."""
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
        length: Elements in each run.
        outer: The axes that the runs are counted along, as (first, count, stride) in elements.
        base: The first element of the first run.
    """

    length: int
    outer: tuple[tuple[int, int], ...]
    base: int

    @property
    def count(self) -> int:
        """How many runs there are."""
        return math.prod(count for count, _ in self.outer)


def runs_of(shape: Shape, box: Box) -> Runs:
    """The runs of a box, as long as they can be.

    Args:
        shape: Shape of the tensor.
        box: A box of it.
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


# Costs of drawing, in nanoseconds: an element of a long run, and what starting a run adds.
_ELEMENT, _RUN = 5.0, 150.0


def to_draw(shape: Shape, box: Box) -> Box:
    """The cheapest box to draw that holds `box`: wider along its last axes where its runs are short."""
    best, least = box, math.inf
    for k in range(len(shape), -1, -1):
        starts = (*box.starts[:k], *(0 for _ in shape[k:]))
        stops = (*box.stops[:k], *shape[k:])
        candidate = Box(starts, stops)
        cost = candidate.n_elements * _ELEMENT + runs_of(shape, candidate).count * _RUN
        if cost < least:
            best, least = candidate, cost
    return best
