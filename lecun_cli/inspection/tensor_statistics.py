"""Compute the statistics of a tensor from its tally, and compare its values with a distribution."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from lecun_cli.initializers.distributions import Distribution
from lecun_cli.inspection.grid import Counts, Floats, Grid, grid_of
from lecun_cli.inspection.probabilities import chi_square_tail
from lecun_cli.inspection.tally import MAX_DISTINCT, Tally

HISTOGRAM_BINS = 32
LEAST_EXPECTED = 5.0
"""Minimum expected number of values in a group of the chi-square test."""
MAX_GROUPS = 100
"""Maximum number of groups of the chi-square test."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of a tensor.

    Attributes:
        n_elements: Number of elements.
        n_nan: Number of NaNs.
        n_infinite: Number of infinities.
        n_zero: Number of zeros of either sign.
        n_distinct: Number of distinct finite values; None if a wide dtype has more than are counted.
        mean: Mean of the finite values; like the next three, NaN if no value is finite.
        std: Standard deviation of the finite values.
        minimum: Smallest finite value.
        maximum: Largest finite value.
        n_past: Number of finite values outside the support of the expected distribution; 0 if unknown.
        histogram: Counts of finite values in `HISTOGRAM_BINS` equal bins over `span`; empty if all values
            are equal.
        span: Ends of the histogram.
    """

    n_elements: int
    n_nan: int
    n_infinite: int
    n_zero: int
    n_distinct: int | None
    mean: float
    std: float
    minimum: float
    maximum: float
    n_past: int
    histogram: tuple[float, ...]
    span: tuple[float, float]

    @property
    def n_finite(self) -> int:
        """Number of elements that are neither NaN nor infinite."""
        return self.n_elements - self.n_nan - self.n_infinite


class Sample:
    """The values of a tensor, counted by the cells of its dtype; empty cells are omitted.

    Args:
        tally: The complete tally of a tensor.

    Attributes:
        grid: The cells of the dtype.
        cells: Indices of the cells with values, ascending, shape (k,).
        counts: Number of values in each of these cells, shape (k,).
        below: Number of values below each of these cells, and the total, shape (k + 1,).
        n: Number of finite values.
    """

    def __init__(self, tally: Tally) -> None:
        self.grid: Grid = grid_of(tally.dtype)
        counts = self.grid.ascending(tally.counts)
        self.cells = np.flatnonzero(counts)
        self.counts: Counts = counts[self.cells]
        self.below: Counts = np.concatenate([np.zeros(1, np.int64), np.cumsum(self.counts)])
        self.n = int(self.below[-1])

    @cached_property
    def _knots(self) -> tuple[Floats, Floats]:
        """Both ends of every cell with values, ascending, and the number of values below each end."""
        ends = np.column_stack([self.grid.edges[self.cells], self.grid.edges[self.cells + 1]]).reshape(-1)
        largest = np.abs(self.grid.values[self.cells[[0, -1]]]) * 1.01 + 1e-300
        ends[0], ends[-1] = max(ends[0], -largest[0]), min(ends[-1], largest[1])
        under = np.column_stack([self.below[:-1], self.below[1:]]).reshape(-1)
        return ends, under.astype(np.float64)

    def values_below(self, points: Floats) -> Floats:
        """Return the number of values below each point, as if they were uniform within a cell."""
        ends, under = self._knots
        return np.asarray(np.interp(points, ends, under))

    def quantiles(self, shares: Floats) -> Floats:
        """Return the values below which the given shares of all values lie."""
        ends, under = self._knots
        return np.asarray(np.interp(shares * self.n, under, ends))

    def p_value(self, distribution: Distribution) -> float | None:
        """Return the p-value of a chi-square test against a distribution, or None for too few values.

        The groups have about equal expected counts and end at edges of cells, so the rounding of a coarse
        dtype does not affect the test.
        """
        n_groups = min(MAX_GROUPS, self.n // 8)
        if n_groups < 4:
            return None
        edges = self.grid.edges
        targets = [distribution.quantile(k / n_groups) for k in range(1, n_groups)]
        cuts = np.searchsorted(edges, targets)
        nearer = np.abs(edges[cuts - 1] - targets) < np.abs(edges[cuts] - targets)
        inner = np.unique(cuts - nearer)
        inner = inner[(inner > 0) & (inner < edges.size - 1)]
        under = [0.0, *(distribution.cdf(float(edge)) for edge in edges[inner]), 1.0]
        at = np.concatenate([[0], inner, [edges.size - 1]])
        expected = np.diff(under) * self.n
        observed = np.diff(self.below[np.searchsorted(self.cells, at)])
        return _p_value(expected.tolist(), observed.tolist())

    def expected_distinct(self, distribution: Distribution) -> float:
        """Return the expected number of distinct values among as many draws from a distribution."""
        if not self.grid.is_exact:
            return float(self.n)
        low, high = distribution.support
        edges = np.clip(self.grid.edges, max(low, -1e300), min(high, 1e300))
        share = np.diff(np.array(_coarse_cdf(distribution, edges)))
        return float(-np.expm1(-self.n * share).sum())

    def rounded_std(self, distribution: Distribution) -> float:
        """Return the std of a distribution after rounding to the dtype, which matters for 8-bit dtypes."""
        if self.grid.n_codes > 256:
            return distribution.std
        share = np.diff([distribution.cdf(float(edge)) for edge in self.grid.edges])
        mean = float((share * self.grid.values).sum())
        return math.sqrt(float((share * (self.grid.values - mean) ** 2).sum()))


def _coarse_cdf(distribution: Distribution, points: Floats) -> Floats:
    """Return the CDF, interpolated between 1,001 points because 65,536 calls of erf would be slow."""
    low = max(float(points[0]), -1e300)
    high = min(float(points[-1]), 1e300)
    if math.isinf(distribution.bound):
        low, high = -8.0 * distribution.std, 8.0 * distribution.std
    knots = np.linspace(low, high, 1001)
    values = [distribution.cdf(x) for x in knots.tolist()]
    return np.interp(points, knots, values)


def _p_value(expected: list[float], observed: list[int]) -> float | None:
    groups: list[tuple[float, int]] = []
    want, have = 0.0, 0
    for e, o in zip(expected, observed, strict=True):
        want, have = want + e, have + o
        if want >= LEAST_EXPECTED:
            groups.append((want, have))
            want, have = 0.0, 0
    if groups and (want or have):
        last = groups.pop()
        groups.append((last[0] + want, last[1] + have))
    if len(groups) < 3:
        return None
    distance = math.fsum((o - e) ** 2 / e for e, o in groups)
    return chi_square_tail(distance, len(groups) - 1)


def measure(tally: Tally, sample: Sample, limits: tuple[float, float], reach: float | None) -> Statistics:
    """Return the statistics of a tensor.

    Args:
        tally: The complete tally.
        sample: The same values by cell.
        limits: Smallest and largest allowed value.
        reach: Minimum extent of the histogram on both sides of zero; if None, it spans the values.
    """
    grid = sample.grid
    if grid.is_exact:
        values, counts = grid.values[sample.cells], sample.counts
        n = sample.n
        n_nan = int(tally.counts[grid.is_nan].sum())
        n_infinite = int(tally.counts[grid.special].sum()) - n_nan
        mean = float((values * counts).sum()) / n if n else math.nan
        square = float(((values - mean) ** 2 * counts).sum()) if n else 0.0
        low, high = (float(values[0]), float(values[-1])) if n else (math.nan, math.nan)
        n_zero = int(counts[values == 0].sum())
        n_past = int(counts[(values < limits[0]) | (values > limits[1])].sum())
        n_distinct: int | None = int(values.size)
    else:
        n, n_nan, n_infinite = tally.n_finite, tally.n_nan, tally.n_infinite
        mean, square = tally.mean if n else math.nan, tally.square
        low, high = (tally.minimum, tally.maximum) if n else (math.nan, math.nan)
        n_zero, n_past = tally.n_zero, tally.n_past
        n_distinct = None if tally.distinct is None else int(tally.distinct.size)
    std = math.sqrt(square / n) if n else math.nan
    varies = n > 0 and low < high
    span = _span(low, high, std, reach) if varies else (low, high)
    return Statistics(
        n_elements=tally.n_elements,
        n_nan=n_nan,
        n_infinite=n_infinite,
        n_zero=n_zero,
        n_distinct=n_distinct,
        mean=mean,
        std=std,
        minimum=low,
        maximum=high,
        n_past=n_past,
        histogram=_histogram(sample, span) if varies else (),
        span=span,
    )


def _span(low: float, high: float, std: float, reach: float | None) -> tuple[float, float]:
    if reach is None:
        return low, high
    # Clip, so that one outlier does not squeeze all other values into one bin.
    far = min(max(abs(low), abs(high), reach), 2.0 * max(reach, 2.5 * std))
    return -far, far


def _histogram(sample: Sample, span: tuple[float, float]) -> tuple[float, ...]:
    points = np.linspace(span[0], span[1], HISTOGRAM_BINS + 1)
    under = sample.values_below(points)
    under[0], under[-1] = 0, sample.n  # values outside count in the outer bins
    return tuple(np.diff(under).round(1).tolist())


def fingerprint(tally: Tally, sample: Sample) -> bytes:
    """Return a digest that is equal for tensors with equal bytes and, in practice, for no others."""
    moments = (tally.n_elements, tally.mean, tally.square, tally.minimum, tally.maximum, tally.n_nan)
    digest = hashlib.blake2b(repr((tally.dtype, *moments)).encode(), digest_size=16)
    digest.update(tally.head)
    if sample.grid.is_exact:  # an exact tally has no moments
        digest.update(sample.cells.tobytes())
        digest.update(sample.counts.tobytes())
    return digest.digest()


def shown_distinct(n_distinct: int | None) -> str:
    """Return a number of distinct values as text."""
    return f">{MAX_DISTINCT:,}" if n_distinct is None else f"{n_distinct:,}"
