from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.dtypes import DTYPES
from lecun_cli.stream import rounding
from tests.stream import reference

NARROW = tuple(reference.NARROW)


def work(size: int) -> tuple[Any, Any, Any]:
    a, b, c = np.empty((3, size), dtype=np.float32)
    return a, b, c


def narrowed(values: Any, name: str) -> Any:
    out = np.empty(values.shape, dtype=DTYPES[name].numpy())
    rounding.narrow(values.copy(), out, name, work(values.size))
    return out


def every_finite(name: str) -> Any:
    """Return all finite values of a dtype in increasing order as float32, with one zero."""
    dtype = DTYPES[name]
    codes = np.arange(2 ** (8 * dtype.itemsize), dtype=np.uint32).astype(f"<u{dtype.itemsize}")
    values = codes.view(dtype.numpy()).astype(np.float32)
    return np.unique(values[np.isfinite(values) & (np.abs(values) <= dtype.largest)] + np.float32(0))


class TestNarrow:
    @pytest.mark.parametrize("name", NARROW)
    def test_every_value_of_the_dtype_is_kept(self, name: str) -> None:
        values = every_finite(name)
        assert (narrowed(values, name).astype(np.float32) == values).all()

    @pytest.mark.parametrize("name", NARROW)
    def test_ties_go_to_even_and_their_neighbors_to_the_nearest(self, name: str) -> None:
        values = every_finite(name)
        middle = ((values[:-1].astype(np.float64) + values[1:]) / 2).astype(np.float32)
        low = narrowed(np.nextafter(middle, np.float32(-np.inf)), name).astype(np.float32)
        high = narrowed(np.nextafter(middle, np.float32(np.inf)), name).astype(np.float32)
        assert (low == values[:-1]).all()
        assert (high == values[1:]).all()
        bits = narrowed(middle, name).view(f"u{DTYPES[name].itemsize}")
        assert (bits & 1 == 0).all()

    @pytest.mark.parametrize("name", NARROW)
    @given(data=st.data())
    def test_is_the_exact_rounding(self, name: str, data: st.DataObject) -> None:
        largest = DTYPES[name].largest
        numbers = st.floats(-largest, largest, width=32)
        values = np.array(data.draw(st.lists(numbers, min_size=1, max_size=20)), dtype=np.float32)
        expected = b"".join(reference.stored(v, name) for v in values.tolist())
        assert narrowed(values, name).tobytes() == expected

    @pytest.mark.parametrize("name", NARROW)
    def test_zeros_keep_their_sign(self, name: str) -> None:
        assert np.signbit(narrowed(np.array([-0.0, 0.0], dtype=np.float32), name)).tolist() == [True, False]

    def test_bfloat16_is_the_same_on_a_big_endian_host(self, monkeypatch: pytest.MonkeyPatch) -> None:
        bits = np.random.Philox(key=np.array([3, 4], dtype=np.uint64)).random_raw(1 << 15)
        values = bits.view(np.float32)
        values = values[np.abs(values) <= np.float32(DTYPES["bfloat16"].largest)]
        here = narrowed(values, "bfloat16").tobytes()
        monkeypatch.setattr(rounding, "sys", type("sys", (), {"byteorder": "big"}))
        assert narrowed(values, "bfloat16").tobytes() == here
