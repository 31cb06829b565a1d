"""Compare ranges and boxes of tensors with whole tensors that are drawn by the definition."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.initializers.family import make
from lecun_cli.plan.types import TensorPlan
from lecun_cli.tensors import generator
from lecun_cli.tensors.boxes import Box, full_box
from lecun_cli.tensors.generator import TensorGenerator, draw_tensor
from tests.conftest import SEED, drawn, part, tensor

PERMUTATIONS = [axes for n in range(1, 5) for axes in itertools.permutations(range(n))]
SIZES = (3, 10, 4, 5)


def box_of(shape: tuple[int, ...], data: st.DataObject) -> Box:
    starts = tuple(data.draw(st.integers(0, n - 1)) for n in shape)
    return Box(starts, tuple(data.draw(st.integers(a + 1, n)) for a, n in zip(starts, shape, strict=True)))


def range_of(planned: TensorPlan, start: int, stop: int) -> np.ndarray[Any, np.dtype[Any]]:
    """Return a range of a tensor, drawn into an unaligned buffer."""
    itemsize = planned.storage.itemsize
    memory = np.zeros((stop - start) * itemsize + 1, np.uint8)
    out = memory[1:].view(planned.storage.numpy())
    TensorGenerator(SEED).draw_range(planned, start, out)
    return out


def assert_any_part_is_that_of_the_whole(planned: TensorPlan, data: st.DataObject) -> None:
    expected = drawn(planned)
    start = data.draw(st.integers(0, planned.n_elements - 1))
    stop = data.draw(st.integers(start + 1, planned.n_elements))
    assert range_of(planned, start, stop).tobytes() == expected.reshape(-1)[start:stop].tobytes()
    box = box_of(planned.shape, data)
    values = draw_tensor(planned, SEED, box)
    assert values.tobytes() == expected[box.within(full_box(planned.shape))].tobytes()


class TestInOrder:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @settings(max_examples=25, deadline=None)
    @given(data=st.data())
    def test_any_range_or_box_equals_that_of_the_whole_tensor(self, dtype: str, data: st.DataObject) -> None:
        shape = tuple(data.draw(st.lists(st.integers(1, 9), max_size=4)))
        assert_any_part_is_that_of_the_whole(tensor(shape, dtype=dtype), data)

    def test_a_scalar_is_one_element(self) -> None:
        planned = tensor(())
        assert draw_tensor(planned, SEED).shape == ()
        assert draw_tensor(planned, SEED).tobytes() == drawn(planned).tobytes()

    def test_another_seed_or_identity_makes_another_tensor(self) -> None:
        values = [
            draw_tensor(tensor((50,), name=name), seed).tobytes()
            for name, seed in (("a", 1), ("a", 2), ("b", 1))
        ]
        assert len(set(values)) == 3


class TestTransposed:
    @pytest.mark.parametrize("axes", PERMUTATIONS, ids=lambda axes: "".join(map(str, axes)))
    @settings(max_examples=12, deadline=None)
    @given(data=st.data())
    def test_any_range_or_box_equals_that_of_the_whole_tensor(
        self, axes: tuple[int, ...], data: st.DataObject
    ) -> None:
        dtype = data.draw(st.sampled_from(FLOAT_DTYPES))
        shape = tuple(data.draw(st.integers(1, n)) for n in SIZES[: len(axes)])
        assert_any_part_is_that_of_the_whole(tensor(shape, axes, dtype), data)

    @pytest.mark.parametrize("axes", PERMUTATIONS, ids=lambda axes: "".join(map(str, axes)))
    def test_is_the_canonical_parameter_transposed(self, axes: tuple[int, ...]) -> None:
        canonical = SIZES[: len(axes)]
        stored = tensor(tuple(canonical[axis] for axis in axes), axes)
        assert stored.parts[0].canonical_shape == canonical
        expected = draw_tensor(tensor(canonical), SEED).transpose(axes)
        assert np.array_equal(draw_tensor(stored, SEED), expected)

    def test_drawn_in_many_chunks_is_the_same(self, monkeypatch: pytest.MonkeyPatch) -> None:
        planned = tensor((33, 21, 5), (2, 0, 1))
        for most in (1, 7, 64, 1000):
            monkeypatch.setattr(generator, "_MOST_DRAWN", most)
            assert draw_tensor(planned, SEED).tobytes() == drawn(planned).tobytes()

    def test_of_more_elements_than_are_drawn_at_once_is_the_same(self) -> None:
        planned = tensor((700, 900), (1, 0))
        assert planned.n_elements > 2 * 2**18
        expected = drawn(planned)
        assert draw_tensor(planned, SEED).tobytes() == expected.tobytes()
        box = Box((3, 100), (699, 101))
        assert draw_tensor(planned, SEED, box).tobytes() == expected[3:699, 100:101].tobytes()

    def test_a_corner_of_a_tensor_larger_than_memory_takes_no_time(self) -> None:
        n = 2**30
        planned = tensor((n, n), (1, 0))
        values = draw_tensor(planned, SEED, Box((n - 3, n - 2), (n, n)))
        canonical = draw_tensor(tensor((n, n)), SEED, Box((n - 2, n - 3), (n, n)))
        assert np.array_equal(values, canonical.T)


@dataclass(frozen=True)
class Packing:
    """Stored shapes of the parts, their storage order, and the axis along which they are packed.

    Along the first axis, parts follow each other in the file, and the tensor may have a shape of its own.
    """

    id: str
    shapes: tuple[tuple[int, ...], ...]
    axes: tuple[int, ...] | None
    concat_axis: int
    shape: tuple[int, ...] | None = None


PACKINGS = (
    Packing("one-axis", ((5,), (1,), (12,)), None, 0),
    Packing("rows", ((4, 6), (3, 6), (9, 6)), None, 0),
    Packing("columns", ((4, 6), (4, 1), (4, 11)), None, 1),
    Packing("columns-transposed", ((4, 6), (4, 1), (4, 11)), (1, 0), 1),
    Packing("middle-of-three", ((3, 2, 5), (3, 4, 5)), (2, 0, 1), 1),
    Packing("last-of-four", ((2, 3, 2, 4), (2, 3, 2, 9)), (3, 1, 0, 2), 3),
    Packing("merged", ((2, 3, 4), (5, 1, 4)), (2, 0, 1), 0, shape=(11, 4)),
)


def packed(case: Packing, dtype: str = "float32") -> TensorPlan:
    parts = tuple(part(shape, case.axes, identity=f"p{i}") for i, shape in enumerate(case.shapes))
    shape = list(case.shapes[0])
    shape[case.concat_axis] = sum(s[case.concat_axis] for s in case.shapes)
    return TensorPlan.of("packed", dtype, case.shape or tuple(shape), parts, case.concat_axis)


class TestFlipped:
    @pytest.mark.parametrize("axes", [None, *itertools.permutations(range(3))])
    @settings(max_examples=15, deadline=None)
    @given(data=st.data())
    def test_any_range_or_box_equals_that_of_the_whole_tensor(
        self, axes: tuple[int, ...] | None, data: st.DataObject
    ) -> None:
        flip = tuple(sorted(data.draw(st.sets(st.integers(0, 2), min_size=1))))
        dtype = data.draw(st.sampled_from(FLOAT_DTYPES))
        planned = TensorPlan.of("t", dtype, (4, 7, 5), (part((4, 7, 5), axes, flip=flip),))
        assert_any_part_is_that_of_the_whole(planned, data)

    def test_is_the_reversed_parameter(self) -> None:
        flipped = TensorPlan.of("t", "float32", (4, 7), (part((4, 7), flip=(1,)),))
        assert np.array_equal(draw_tensor(flipped, SEED), draw_tensor(tensor((4, 7)), SEED)[:, ::-1])


class TestPacked:
    @pytest.mark.parametrize("case", PACKINGS, ids=lambda case: case.id)
    @settings(max_examples=30, deadline=None)
    @given(data=st.data())
    def test_any_range_or_box_equals_that_of_the_whole_tensor(
        self, case: Packing, data: st.DataObject
    ) -> None:
        dtype = data.draw(st.sampled_from(FLOAT_DTYPES))
        assert_any_part_is_that_of_the_whole(packed(case, dtype), data)

    def test_parts_equal_the_parameters_alone(self) -> None:
        whole_one = draw_tensor(packed(PACKINGS[2]), SEED)
        alone = TensorPlan.of("x", "float32", (4, 11), (part((4, 11), identity="p2"),))
        assert np.array_equal(whole_one[:, 7:], draw_tensor(alone, SEED))

    def test_parts_may_follow_different_distributions(self) -> None:
        parts = (
            part((2, 5), initializer=make("ones"), identity="a"),
            part((3, 5), (1, 0), identity="b"),
            part((1, 5), initializer=make("constant", {"value": -2}), identity="c"),
        )
        planned = TensorPlan.of("t", "bfloat16", (6, 5), parts)
        values = draw_tensor(planned, SEED).astype("f4")
        assert (values[:2] == 1).all()
        assert (values[5:] == -2).all()
        assert draw_tensor(planned, SEED).tobytes() == drawn(planned).tobytes()


class TestConstant:
    @pytest.mark.parametrize("dtype", DTYPES)
    @settings(max_examples=8, deadline=None)
    @given(data=st.data())
    def test_is_its_value_in_every_dtype(self, dtype: str, data: st.DataObject) -> None:
        axes = data.draw(st.sampled_from([None, (1, 0)]))
        planned = tensor((5, 7), axes, dtype, make("constant", {"value": 1}))
        assert (draw_tensor(planned, SEED).astype("f8") == 1).all()
        assert_any_part_is_that_of_the_whole(planned, data)

    @pytest.mark.parametrize(
        ("dtype", "value"),
        [("int64", 2**63 - 1), ("int64", -(2**63)), ("uint64", 2**64 - 1), ("int8", -128), ("uint16", 65535)],
    )
    def test_integers_are_exact_up_to_the_limits(self, dtype: str, value: int) -> None:
        values = draw_tensor(tensor((3,), None, dtype, make("constant", {"value": value})), SEED)
        assert values.tolist() == [value] * 3

    def test_fills_a_box_of_a_transposed_tensor(self) -> None:
        planned = tensor((5, 7), (1, 0), "int32", make("constant", {"value": 9}))
        assert draw_tensor(planned, SEED, Box((1, 2), (3, 5))).tolist() == [[9] * 3] * 2


class TestTensorGenerator:
    def test_one_generator_draws_tensors_of_all_dtypes_in_turn(self) -> None:
        generator = TensorGenerator(SEED)
        for dtype in (*FLOAT_DTYPES, *reversed(FLOAT_DTYPES)):
            planned = tensor((9, 11), (1, 0), dtype)
            out = np.empty(99, planned.storage.numpy())
            generator.draw_range(planned, 0, out)
            assert out.tobytes() == drawn(planned).tobytes()

    def test_a_box_may_be_drawn_into_a_view_of_any_strides(self) -> None:
        planned = tensor((6, 8), (1, 0))
        memory = np.zeros((16, 12), np.float32)
        TensorGenerator(SEED).draw_box(planned, full_box((6, 8)), memory[::2, ::-2].T)
        assert np.array_equal(memory[::2, ::-2].T, drawn(planned))
        assert (memory[1::2] == 0).all()

    @given(st.integers(1, 60), st.integers(1, 60))
    def test_ranges_follow_each_other_without_a_seam(self, first: int, second: int) -> None:
        planned = tensor((12, 10), (1, 0))
        cuts = [0, first, first + second, math.prod(planned.shape)]
        data = b"".join(range_of(planned, a, b).tobytes() for a, b in itertools.pairwise(cuts) if a < b)
        assert data == drawn(planned).tobytes()
