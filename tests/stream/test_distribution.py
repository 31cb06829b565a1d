"""The distribution of 10^8 weights. The bits are fixed, so these tests cannot fail by chance."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy import stats

from lecun_cli.dtypes import DTYPES
from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution, TruncatedNormal, Uniform
from tests.stream.cases import drawn

PARENT = stats.truncnorm(-2, 2)
SEEDS = (0, 42, 2**63 + 11)
COUNT = 100_000_000  # weights per seed
CHUNK = 1 << 20

BINS = 256
EDGES = PARENT.ppf(np.arange(1, BINS) / BINS)

# A cell of the fine histogram is a range of 2^-14 in z. Edges are float32 numbers, and z * 2^14 is exact.
CELLS = 1 << 16
CELL_EDGES = np.arange(CELLS + 1) / (CELLS // 4) - 2
CELL_CDF = PARENT.cdf(CELL_EDGES)

SIGNIFICANCE = 1e-3
WIDEST_Z = 4.5  # one in 150 000


def chunks(
    seed: int, count: int, distribution: Distribution, dtype: str = "float32", identity: str = "a/kernel"
) -> Iterator[Any]:
    for start in range(0, count, CHUNK):
        yield drawn(seed, identity, start, min(CHUNK, count - start), distribution, dtype)


@cache
def fine_histogram(seed: int) -> Any:
    """Return the counts of z in each cell, of `COUNT` weights with sigma 1."""
    counts = np.zeros(CELLS + 1, dtype=np.int64)
    for z in chunks(seed, COUNT, TruncatedNormal(1)):
        # Truncation equals floor here, because z + 2 is not negative; the sum is exact in float64.
        cells = (z.astype(np.float64) * (CELLS // 4) + CELLS // 2).astype(np.int32)
        counts += np.bincount(cells, minlength=CELLS + 1)
    counts[CELLS - 1] += counts[CELLS]  # z = 2 belongs to the last cell
    return counts[:CELLS]


def chi_square_p(counts: Any, probabilities: Any) -> float:
    expected = counts.sum() * probabilities
    statistic = float(((counts - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(statistic, len(counts) - 1))


def ks_limit(count: int) -> float:
    return float(np.sqrt(-np.log(SIGNIFICANCE / 2) / 2 / count))


def counts_in_bins(values: Any, edges: Any) -> Any:
    return np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)


class TestTruncatedNormal:
    @pytest.mark.parametrize("seed", SEEDS)
    def test_chi_square_over_equiprobable_bins(self, seed: int) -> None:
        # Each of the 255 edges moves to the nearest edge of a fine cell, and the probabilities follow.
        nearest = np.rint((EDGES + 2) * (CELLS // 4)).astype(int)
        cuts = np.concatenate([[0], nearest, [CELLS]])
        counts = np.add.reduceat(fine_histogram(seed), cuts[:-1])
        probabilities = np.diff(CELL_CDF[cuts])
        assert np.abs(probabilities * BINS - 1).max() < 0.006
        assert SIGNIFICANCE < chi_square_p(counts, probabilities) < 1 - SIGNIFICANCE

    @pytest.mark.parametrize("seed", SEEDS)
    def test_kolmogorov_smirnov(self, seed: int) -> None:
        # Within a cell, the two functions differ by at most the difference at its edges plus its probability.
        at_edges = np.abs(np.cumsum(fine_histogram(seed)) / COUNT - CELL_CDF[1:]).max()
        assert at_edges + np.diff(CELL_CDF).max() < ks_limit(COUNT)

    def test_all_seeds_together(self) -> None:
        together = sum(fine_histogram(s) for s in SEEDS)
        total = COUNT * len(SEEDS)
        assert together.sum() == total
        at_edges = np.abs(np.cumsum(together) / total - CELL_CDF[1:]).max()
        assert at_edges + np.diff(CELL_CDF).max() < ks_limit(total)
        assert SIGNIFICANCE < chi_square_p(together, np.diff(CELL_CDF)) < 1 - SIGNIFICANCE

    @pytest.mark.parametrize("seed", SEEDS)
    def test_tails_are_full_and_end_at_the_bound(self, seed: int) -> None:
        counts = fine_histogram(seed)
        for tail in (counts[:64], counts[-64:]):
            expected = COUNT * (CELL_CDF[64] - CELL_CDF[0])
            assert abs(tail.sum() - expected) < WIDEST_Z * np.sqrt(expected)

    @pytest.mark.parametrize("sigma", [0.1 / TRUNCATED_STD, 3.0, 1e-5])
    def test_mean_std_and_bound(self, sigma: float) -> None:
        distribution = TruncatedNormal(sigma)
        count, total, squares, largest = 8 * CHUNK, 0.0, 0.0, 0.0
        for w in chunks(9, count, distribution):
            wide = w.astype(np.float64)
            total += float(wide.sum())
            squares += float((wide * wide).sum())
            largest = max(largest, float(np.abs(w).max()))
        assert abs(total / count) < WIDEST_Z * distribution.std / np.sqrt(count)
        kurtosis = 3 + float(PARENT.stats(moments="k"))
        spread = distribution.std**2 * np.sqrt((kurtosis - 1) / count)
        assert abs(squares / count - distribution.std**2) < WIDEST_Z * spread
        assert distribution.bound * 0.9999 < largest <= 2 * np.float32(sigma)

    @pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
    def test_other_dtypes_follow_the_distribution(self, dtype: str) -> None:
        edges = EDGES
        if dtype != "float64":
            # The edges move to the middle between neighbors of the dtype, where rounding separates them.
            at = EDGES.astype(DTYPES[dtype].numpy())
            bits = at.view(np.uint16)
            edges = (at.astype(np.float64) + (bits + 1).view(at.dtype).astype(np.float64)) / 2
            edges = np.unique(edges)
        probabilities = np.diff(PARENT.cdf(np.concatenate([[-2], edges, [2]])))
        count, total = 4 * CHUNK, 0.0
        counts = np.zeros(len(edges) + 1, dtype=np.int64)
        for w in chunks(5, count, TruncatedNormal(1), dtype):
            wide = w.astype(np.float64)
            assert np.abs(wide).max() <= 2
            total += float(wide.sum())
            counts += counts_in_bins(wide, edges)
        assert SIGNIFICANCE < chi_square_p(counts, probabilities) < 1 - SIGNIFICANCE
        assert abs(total / count) < WIDEST_Z * TRUNCATED_STD / np.sqrt(count)

    def test_bfloat16_has_every_possible_value(self) -> None:
        values = np.unique(
            np.concatenate([w.view(np.uint16) for w in chunks(5, CHUNK, TruncatedNormal(1), "bfloat16")])
        )
        # There are 128 values per binade. From 2 down to 2^-10, each of them occurs on both sides.
        assert len(values) > 2 * 11 * 128


class TestUniform:
    @pytest.mark.parametrize(
        "distribution", [Uniform(-0.5, 0.5), Uniform(0.25, 4.0), Uniform(-1.0, 0.0)], ids=str
    )
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_follows_the_distribution(self, distribution: Uniform, dtype: str) -> None:
        edges = distribution.minval + (distribution.maxval - distribution.minval) * np.arange(1, BINS) / BINS
        count, total = 4 * CHUNK, 0.0
        counts = np.zeros(BINS, dtype=np.int64)
        for w in chunks(6, count, distribution, dtype):
            assert distribution.minval <= w.min()
            assert w.max() <= distribution.maxval
            counts += counts_in_bins(w, edges)
            total += float(w.astype(np.float64).sum())
        assert SIGNIFICANCE < chi_square_p(counts, np.full(BINS, 1 / BINS)) < 1 - SIGNIFICANCE
        middle = (distribution.minval + distribution.maxval) / 2
        assert abs(total / count - middle) < WIDEST_Z * distribution.std / np.sqrt(count)


class TestIndependence:
    COUNT = 4_000_000

    def weights(
        self, seed: int = 42, identity: str = "a/kernel", dtype: str = "float32", start: int = 0
    ) -> Any:
        return drawn(seed, identity, start, self.COUNT, TruncatedNormal(1), dtype).astype(np.float64)

    @staticmethod
    def assert_apart(a: Any, b: Any) -> None:
        for x, y in ((a, b), (a * a - TRUNCATED_STD**2, b * b - TRUNCATED_STD**2)):
            r = float((x * y).mean() / np.sqrt((x * x).mean() * (y * y).mean()))
            assert abs(r) < WIDEST_Z / np.sqrt(len(x))

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("lag", [1, 2, 3, 4, 7, 8, 16, 64, 1024])
    def test_neighbors(self, dtype: str, lag: int) -> None:
        w = self.weights(dtype=dtype)
        self.assert_apart(w[:-lag], w[lag:])

    @pytest.mark.parametrize(
        ("first", "second"), [("a/kernel", "b/kernel"), ("a", "a/"), ("layer/1", "layer/11")]
    )
    def test_tensors(self, first: str, second: str) -> None:
        self.assert_apart(self.weights(identity=first), self.weights(identity=second))

    @pytest.mark.parametrize(
        ("first", "second"), [(0, 1), (1, 2), (41, 42), (1, 256), (2**64 - 2, 2**64 - 1)]
    )
    def test_consecutive_seeds(self, first: int, second: int) -> None:
        self.assert_apart(self.weights(seed=first), self.weights(seed=second))

    def test_ranges_of_one_tensor_that_are_far_apart(self) -> None:
        self.assert_apart(self.weights(), self.weights(start=2**32))
