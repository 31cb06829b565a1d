"""Tallies agree with NumPy over the whole tensor, for every dtype and every division into chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.inspection.grid import grid_of
from lecun_cli.inspection.tally import MAX_DISTINCT, Scratch, Tally, tally_values
from lecun_cli.inspection.tensor_statistics import Sample, measure

EVERYTHING = (-np.inf, np.inf)


def counted(values: NDArray[Any], dtype: str, cuts: tuple[int, ...] = ()) -> Tally:
    total = None
    for part in np.split(values, cuts):
        tally = tally_values(part, dtype, Scratch(), limits=EVERYTHING, distinct=True)
        if total is None:
            total = tally
        else:
            total.add(tally)
    assert total is not None
    return total


def weights(dtype: str, n: int = 5000, scale: float = 0.3) -> NDArray[Any]:
    return (np.random.default_rng(1).standard_normal(n) * scale).astype(DTYPES[dtype].numpy())


class TestGrid:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_every_finite_value_is_in_its_cell(self, dtype: str) -> None:
        grid = grid_of(dtype)
        assert (np.diff(grid.edges) >= 0).all()
        for value in weights(dtype, 200):
            counts = tally_values(
                np.array([value]), dtype, Scratch(), limits=EVERYTHING, distinct=True
            ).counts
            (cell,) = np.flatnonzero(grid.ascending(counts))
            assert grid.edges[cell] <= float(value) <= grid.edges[cell + 1]

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_special_values_have_no_cell(self, dtype: str) -> None:
        values = np.array([np.nan], DTYPES[dtype].numpy())
        tally = counted(values, dtype)
        assert grid_of(dtype).ascending(tally.counts).sum() == 0

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
    def test_edges_of_narrow_dtypes_are_rounding_boundaries(self, dtype: str) -> None:
        grid = grid_of(dtype)
        inner = grid.edges[1:-1]
        inner = inner[np.abs(inner) > 1e-3][::37]
        for i, edge in enumerate(inner):
            below, above = (
                np.float64(edge * (1 + side * 1e-6)).astype(DTYPES[dtype].numpy()) for side in (-1, 1)
            )
            assert float(below) != float(above), (i, edge)


class TestTally:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @pytest.mark.parametrize("cuts", [(), (1,), (17, 1000, 4999)])
    def test_statistics_agree_with_numpy(self, dtype: str, cuts: tuple[int, ...]) -> None:
        values = weights(dtype)
        values[[5, 77]] = 0
        exact = values.astype(np.float64)
        tally = counted(values, dtype, cuts)
        s = measure(tally, Sample(tally), (-0.5, 0.5), None)
        assert s.mean == pytest.approx(exact.mean(), rel=1e-12, abs=1e-15)
        assert s.std == pytest.approx(exact.std(), rel=1e-12)
        assert (s.minimum, s.maximum) == (exact.min(), exact.max())
        assert s.n_zero == np.count_nonzero(exact == 0)
        assert sum(s.histogram) == pytest.approx(values.size, rel=1e-3)
        if DTYPES[dtype].itemsize <= 2:
            assert s.n_past == np.count_nonzero(np.abs(exact) > 0.5)
            assert s.n_distinct == np.unique(exact).size

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_special_values_are_counted_but_not_averaged(self, dtype: str) -> None:
        values = weights(dtype)
        clean = values[100:].astype(np.float64)
        values[:100] = np.nan
        if dtype != "float8_e4m3fn":  # float8_e4m3fn has no infinities
            values[:30] = np.inf
            values[:10] = -np.inf
        tally = counted(values, dtype, (50, 60))
        s = measure(tally, Sample(tally), EVERYTHING, None)
        assert (s.n_nan, s.n_infinite) == ((100, 0) if dtype == "float8_e4m3fn" else (70, 30))
        assert s.n_finite == clean.size
        assert s.mean == pytest.approx(clean.mean())
        assert s.std == pytest.approx(clean.std())

    def test_all_nan_has_no_statistics(self) -> None:
        tally = counted(np.full(10, np.nan, np.float32), "float32")
        s = measure(tally, Sample(tally), EVERYTHING, None)
        assert s.n_nan == 10
        assert np.isnan([s.mean, s.std, s.minimum, s.maximum]).all()

    @pytest.mark.parametrize("dtype", ["int64", "uint8", "int8", "bool"])
    def test_integers_are_counted_as_numbers(self, dtype: str) -> None:
        values = np.arange(100).astype(dtype)
        tally = counted(values, dtype, (33,))
        s = measure(tally, Sample(tally), EVERYTHING, None)
        assert (s.mean, s.minimum, s.maximum) == (values.mean(), values.min(), values.max())
        assert s.n_distinct == np.unique(values).size

    @pytest.mark.parametrize("offset", [0.0, 1.0, 1e6])
    def test_a_small_std_around_a_large_mean_is_accurate(self, offset: float) -> None:
        values = np.random.default_rng(0).standard_normal(300_000) * 1e-3 + offset
        tally = counted(values, "float64", (7, 150_000))
        s = measure(tally, Sample(tally), EVERYTHING, None)
        assert s.std == pytest.approx(values.std(), rel=1e-9)

    def test_values_past_the_limits_are_counted_exactly(self) -> None:
        values = weights("float32")
        result = tally_values(values, "float32", Scratch(), limits=(-0.5, 0.4), distinct=True)
        assert result.n_past == np.count_nonzero((values < np.float32(-0.5)) | (values > np.float32(0.4)))


class TestDistinct:
    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            (np.zeros(100_000, np.float32), 1),
            (np.tile(np.array([0.1, 0.2, 0.3], np.float32), 50_000), 3),
            (
                np.repeat(np.arange(500, dtype=np.float32), 400),
                500,
            ),  # short: the leading 16 bits determine the value
            (np.repeat(np.arange(500, dtype=np.float32) / 7, 400), 500),
            (np.arange(200_000, dtype=np.float32) / 7, None),
            (np.arange(8000, dtype=np.float64) / 7, 8000),
        ],
        ids=["one", "three", "short", "long", "many", "all of a small tensor"],
    )
    def test_values_of_wide_dtypes_are_counted_up_to_a_limit(
        self, values: NDArray[Any], expected: int | None
    ) -> None:
        tally = counted(values, str(values.dtype))
        s = measure(tally, Sample(tally), EVERYTHING, None)
        assert s.n_distinct == expected

    def test_values_of_chunks_are_united(self) -> None:
        values = np.concatenate(
            [np.tile(np.array([0.1, 0.2], np.float32), 9000), np.tile(np.array([0.2, 0.3], np.float32), 9000)]
        )
        assert counted(values, "float32", (9000, 18_000)).distinct is not None
        tally = counted(values, "float32", (9000, 18_000))
        assert tally.distinct is not None
        assert tally.distinct.size == 3

    def test_limit_applies_to_all_chunks_together(self) -> None:
        values = np.repeat(np.arange(2 * MAX_DISTINCT, dtype=np.float32) / 7, 10)
        assert counted(values, "float32", (values.size // 2,)).distinct is None
