"""Compare ranges, boxes and runs with the indexing of NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.tensors.boxes import Box, boxes_of_range, full_box, runs_of, split, to_draw

Shape = tuple[int, ...]

SHAPES = st.lists(st.integers(1, 6), max_size=4).map(tuple)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[Shape, Box]:
    """Draw a shape and a box of it."""
    shape = draw(SHAPES)
    starts = tuple(draw(st.integers(0, n - 1)) for n in shape)
    stops = tuple(draw(st.integers(low + 1, n)) for low, n in zip(starts, shape, strict=True))
    return shape, Box(starts, stops)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[Shape, int, int]:
    """Draw a shape and a range of its elements."""
    shape = draw(SHAPES)
    start = draw(st.integers(0, math.prod(shape) - 1))
    return shape, start, draw(st.integers(start + 1, math.prod(shape)))


def elements(shape: Shape, box: Box) -> list[int]:
    """Return the indices of the elements of a box in the tensor, in C order of the box."""
    numbers = np.arange(math.prod(shape)).reshape(shape)
    numbers_in_box: list[int] = numbers[box.within(full_box(shape))].reshape(-1).tolist()
    return numbers_in_box


class TestBox:
    def test_counts_its_elements(self) -> None:
        box = Box((1, 0, 2), (3, 4, 3))
        assert (box.dims, box.n_elements) == ((2, 4, 1), 8)

    def test_of_a_scalar_has_one_element(self) -> None:
        assert full_box(()).n_elements == 1

    @given(boxes(), st.data())
    def test_permuted_is_undone_by_the_inverse(self, case: tuple[Shape, Box], data: st.DataObject) -> None:
        shape, box = case
        axes = tuple(data.draw(st.permutations(range(len(shape)))))
        inverse = tuple(axes.index(k) for k in range(len(axes)))
        assert box.permuted(axes).permuted(inverse) == box

    @given(boxes(), st.data())
    def test_permuted_is_the_box_of_the_transposed_tensor(
        self, case: tuple[Shape, Box], data: st.DataObject
    ) -> None:
        canonical, box = case
        axes = tuple(data.draw(st.permutations(range(len(canonical)))))
        numbers = np.arange(math.prod(canonical)).reshape(canonical)
        stored = numbers.transpose(axes)
        of_stored = Box(tuple(box.starts[axis] for axis in axes), tuple(box.stops[axis] for axis in axes))
        assert of_stored.permuted(axes) == box
        expected = numbers[box.within(full_box(canonical))].transpose(axes)
        assert np.array_equal(stored[of_stored.within(full_box(stored.shape))], expected)

    @pytest.mark.parametrize(
        ("start", "stop", "expected"),
        [
            (0, 9, Box((2, 1), (5, 3))),
            (3, 4, Box((3, 1), (4, 3))),
            (0, 2, None),
            (5, 9, None),
            (4, 9, Box((4, 1), (5, 3))),
        ],
    )
    def test_cut_keeps_the_part_within_the_range(self, start: int, stop: int, expected: Box | None) -> None:
        assert Box((2, 1), (5, 3)).cut(0, start, stop) == expected

    def test_shifted_moves_along_one_axis(self) -> None:
        assert Box((2, 1), (5, 3)).shifted(0, -2) == Box((0, 1), (3, 3))

    def test_within_is_the_position_in_an_array_of_the_outer_box(self) -> None:
        assert Box((3, 1), (4, 3)).within(Box((2, 1), (5, 3))) == (slice(1, 2), slice(0, 2))

    @given(boxes(), st.data())
    def test_flipped_is_the_box_of_the_reversed_tensor(
        self, case: tuple[Shape, Box], data: st.DataObject
    ) -> None:
        shape, box = case
        if not shape:
            return
        axis = data.draw(st.integers(0, len(shape) - 1))
        numbers = np.arange(math.prod(shape)).reshape(shape)
        other = box.flipped(axis, shape[axis])
        assert other.flipped(axis, shape[axis]) == box
        flipped = np.flip(numbers, axis)[other.within(full_box(shape))]
        assert np.array_equal(np.flip(flipped, axis), numbers[box.within(full_box(shape))])

    @given(st.data())
    def test_overlap_is_the_intersection(self, data: st.DataObject) -> None:
        shape, one = data.draw(boxes())
        starts = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
        stops = tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(starts, shape, strict=True))
        other = Box(starts, stops)
        both = one.overlap(other)
        expected = set(elements(shape, one)) & set(elements(shape, other))
        assert (set() if both is None else set(elements(shape, both))) == expected


class TestBoxesOfRange:
    @given(ranges())
    def test_make_up_the_range_in_order(self, case: tuple[Shape, int, int]) -> None:
        shape, start, stop = case
        in_order = [e for box in boxes_of_range(shape, start, stop) for e in elements(shape, box)]
        assert in_order == list(range(start, stop))

    @given(ranges())
    def test_are_few(self, case: tuple[Shape, int, int]) -> None:
        shape, start, stop = case
        assert len(list(boxes_of_range(shape, start, stop))) <= max(1, 2 * len(shape) - 1)

    @given(SHAPES)
    def test_of_the_whole_range_are_one_box(self, shape: Shape) -> None:
        assert list(boxes_of_range(shape, 0, math.prod(shape))) == [full_box(shape)]

    def test_support_more_than_2_to_the_64_elements(self) -> None:
        shape = (2**40, 2**40)
        start = 2**79 + 5
        (box,) = boxes_of_range(shape, start, start + 3)
        assert box == Box((2**39, 5), (2**39 + 1, 8))


class TestSplit:
    @given(boxes(), st.integers(1, 300))
    def test_covers_the_box_once_in_bounded_chunks(self, case: tuple[Shape, Box], most: int) -> None:
        shape, box = case
        parts = list(split(box, most))
        assert all(1 <= part.n_elements <= most for part in parts)
        covered = [e for part in parts for e in elements(shape, part)]
        assert sorted(covered) == sorted(elements(shape, box))

    @given(boxes(), st.integers(1, 300))
    def test_keeps_c_order(self, case: tuple[Shape, Box], most: int) -> None:
        shape, box = case
        in_order = [e for part in split(box, most) for e in elements(shape, part)]
        assert in_order == elements(shape, box)

    def test_leaves_a_small_box_unchanged(self) -> None:
        box = Box((1, 1), (3, 3))
        assert list(split(box, 4)) == [box]


class TestRuns:
    @given(boxes())
    def test_are_the_elements_of_the_box(self, case: tuple[Shape, Box]) -> None:
        shape, box = case
        runs = runs_of(shape, box)
        firsts = [runs.base]
        for count, stride in runs.outer:
            firsts = [first + i * stride for first in firsts for i in range(count)]
        assert len(firsts) == runs.count
        in_runs = [first + i for first in firsts for i in range(runs.length)]
        assert in_runs == elements(shape, box)

    @given(SHAPES)
    def test_of_the_whole_tensor_are_one_run(self, shape: Shape) -> None:
        runs = runs_of(shape, full_box(shape))
        assert (runs.count, runs.length, runs.base) == (1, math.prod(shape), 0)

    def test_span_axes_that_are_complete(self) -> None:
        runs = runs_of((5, 6, 7), Box((1, 2, 0), (3, 5, 7)))
        assert (runs.length, runs.outer, runs.base) == (21, ((2, 42),), 56)


class TestToDraw:
    @given(boxes())
    def test_contains_the_box_and_is_within_the_tensor(self, case: tuple[Shape, Box]) -> None:
        shape, box = case
        wide = to_draw(shape, box)
        for low, high, a, b, n in zip(wide.starts, wide.stops, box.starts, box.stops, shape, strict=True):
            assert 0 <= low <= a < b <= high <= n

    def test_widens_a_column_of_a_narrow_matrix(self) -> None:
        assert to_draw((1000, 4), Box((0, 1), (1000, 2))) == full_box((1000, 4))

    def test_leaves_a_column_of_a_wide_matrix(self) -> None:
        column = Box((0, 1), (1000, 2))
        assert to_draw((1000, 10**6), column) == column
