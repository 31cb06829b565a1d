"""Fans of a tensor from its axes."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lecun_cli.initializers.fans import Fans, Shape, from_axes


class TestFromAxes:
    @dataclass(frozen=True)
    class Expect:
        id: str
        shape: Shape
        in_axes: tuple[int, ...]
        out_axes: tuple[int, ...] | None
        batch_axes: tuple[int, ...]
        fans: Fans

    @pytest.mark.parametrize(
        "case",
        [
            Expect("dense (out, in)", (64, 100), (1,), None, (), Fans(100, 64)),
            Expect("dense (in, out)", (100, 64), (0,), None, (), Fans(100, 64)),
            Expect("attention (in, heads, dim)", (512, 8, 64), (0,), None, (), Fans(512, 512)),
            Expect("attention output (heads, dim, out)", (8, 64, 512), (0, 1), None, (), Fans(512, 512)),
            Expect("experts (n, out, in)", (8, 64, 100), (2,), None, (0,), Fans(100, 64)),
            Expect("experts with both axes", (8, 64, 100), (2,), (1,), (0,), Fans(100, 64)),
            Expect("a window counts in both fans", (3, 5, 16, 32), (2,), (3,), (), Fans(240, 480)),
            Expect("a window beside a batch axis", (4, 3, 16, 32), (2,), (3,), (0,), Fans(48, 96)),
            Expect("no input axis", (7,), (), None, (), Fans(1, 7)),
            Expect("a scalar", (), (), None, (), Fans(1, 1)),
            Expect("all inputs", (3, 4), (0, 1), None, (), Fans(12, 1)),
        ],
        ids=lambda case: case.id,
    )
    def test_are_products_of_axes(self, case: Expect) -> None:
        assert from_axes(case.shape, case.in_axes, case.out_axes, case.batch_axes) == case.fans

    @settings(deadline=None)
    @given(st.lists(st.integers(1, 9), min_size=2, max_size=5), st.data())
    def test_do_not_depend_on_the_order_of_axes(self, shape: list[int], data: st.DataObject) -> None:
        order = data.draw(st.permutations(range(len(shape))))
        moved = tuple(shape[axis] for axis in order)
        expected = from_axes(tuple(shape), (0,), (1,))
        assert from_axes(moved, (order.index(0),), (order.index(1),)) == expected
