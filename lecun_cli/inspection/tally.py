"""Counts and moments of a stretch of a tensor, and how those of neighbouring stretches merge.

A stretch has the same tally whoever makes it, and stretches merge in the order of the file, so nothing
depends on threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lecun_cli.inspection.grid import Counts, codes_of, grid_of

AnyArray = NDArray[Any]

_BLOCK = 2**17
"""Elements at a time: the scratch stays in the cache."""
PROBE = 8192
"""Elements at the start of a tensor of a wide dtype whose distinct values are counted in any case."""
MAX_DISTINCT = 4096
"""Distinct values of a wide dtype are counted up to here; up to 16 bits there is no limit."""


class Scratch:
    """Buffers of one thread: 2 MiB."""

    def __init__(self) -> None:
        self.index = np.empty(_BLOCK, np.intp)
        self.wide = np.empty(_BLOCK, np.float64)


@dataclass
class Tally:
    """What was counted.

    Attributes:
        dtype: The key of `DTYPES` under which it is counted; integers and bool are counted as float64.
        n_elements: Elements, finite or not.
        counts: By code, shape (codes,) int64; see `grid`.
        n_nan, n_infinite, n_zero, n_past: How many are NaN, infinite, zero of either sign, or outside
            the limits that were given; known at once for wide dtypes, else found in `counts` at the end.
        minimum, maximum: Of the finite values; wide dtypes only.
        mean, square: Mean, and sum of squares of distances from it, of the finite values; wide only.
        distinct: Distinct values, sorted; None where there are too many to count, or for narrow dtypes.
        is_short: Whether every value of a wide dtype has trailing zeros, so that its code says it whole.
        head: A digest of the first bytes of the tensor.
    """

    dtype: str
    n_elements: int
    counts: Counts
    n_nan: int = 0
    n_infinite: int = 0
    n_zero: int = 0
    n_past: int = 0
    minimum: float = math.inf
    maximum: float = -math.inf
    mean: float = 0.0
    square: float = 0.0
    distinct: AnyArray | None = None
    is_short: bool = True
    head: bytes = b""

    @property
    def n_finite(self) -> int:
        """Elements that are finite; for wide dtypes, where they are counted at once."""
        return self.n_elements - self.n_nan - self.n_infinite

    def add(self, other: Tally) -> None:
        """Take in the stretch that follows."""
        n, m = self.n_finite, other.n_finite
        if m and not n:
            self.mean, self.square = other.mean, other.square
        elif m:
            apart = other.mean - self.mean
            self.square += other.square + apart * apart * (n * m / (n + m))
            self.mean += apart * (m / (n + m))
        self.n_elements += other.n_elements
        self.counts += other.counts
        self.n_nan += other.n_nan
        self.n_infinite += other.n_infinite
        self.n_zero += other.n_zero
        self.n_past += other.n_past
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)
        self.is_short = self.is_short and other.is_short
        if self.distinct is not None and other.distinct is not None:
            both = np.union1d(self.distinct, other.distinct)
            self.distinct = both if both.size <= MAX_DISTINCT else None
        else:
            self.distinct = None


def tally_values(
    values: AnyArray, dtype: str, scratch: Scratch, *, limits: tuple[float, float], distinct: bool
) -> Tally:
    """Count a stretch.

    Args:
        values: One axis, contiguous, of the dtype's own NumPy type.
        dtype: A key of `DTYPES`.
        scratch: Buffers of this thread.
        limits: Values outside are counted; wide dtypes only.
        distinct: Whether the distinct values of a wide dtype are still wanted.
    """
    if values.dtype.kind in "iub":
        values, dtype = values.astype(np.float64), "float64"
    codes = codes_of(values)
    grid = grid_of(dtype)
    result = Tally(dtype, values.size, _count(codes, grid.n_codes, scratch))
    if not grid.is_exact:
        _measure(values, result, scratch, limits)
        if distinct:
            _distinct(values, result)
    return result


def _count(codes: AnyArray, n_codes: int, scratch: Scratch) -> Counts:
    """How often each code stands, shape (codes,)."""
    if n_codes == 2**8:  # two at a time: a pair takes no longer than one
        even = codes.size // 2 * 2
        pairs = _count(codes[:even].view(np.uint16), 2**16, scratch).reshape(n_codes, n_codes)
        counts = np.bincount(codes[even:], minlength=n_codes).astype(np.int64)
        counts += pairs.sum(axis=0)
        counts += pairs.sum(axis=1)
        return counts
    counts = np.zeros(n_codes, np.int64)
    for start in range(0, codes.size, _BLOCK):
        block = codes[start : start + _BLOCK]
        # bincount wants intp; into a buffer, or it would take fresh memory each time
        index = scratch.index[: block.size]
        np.copyto(index, block)
        counts += np.bincount(index, minlength=n_codes)
    return counts


def _measure(values: AnyArray, tally: Tally, scratch: Scratch, limits: tuple[float, float]) -> None:
    """Moments, extremes and what is not finite, of a wide dtype."""
    grid = grid_of(tally.dtype)
    if np.any(tally.counts[grid.special]):
        tally.n_nan = int(np.count_nonzero(np.isnan(values)))
        tally.n_infinite = int(np.count_nonzero(np.isinf(values)))
        values = values[np.isfinite(values)]
    if not values.size:
        return
    tally.minimum, tally.maximum = float(values.min()), float(values.max())
    half = grid.n_codes // 2
    if tally.counts[0] + tally.counts[half]:
        tally.n_zero = values.size - int(np.count_nonzero(values))
    low, high = limits
    if tally.minimum < low or tally.maximum > high:
        tally.n_past = int(np.count_nonzero(values < low) + np.count_nonzero(values > high))
    if tally.minimum == tally.maximum:
        tally.mean = tally.minimum
        return
    means, squares, sizes = [], [], []
    with np.errstate(over="ignore"):  # values near the largest: the variance is infinite, and said to be
        for start in range(0, values.size, _BLOCK):
            block = values[start : start + _BLOCK]
            wide = scratch.wide[: block.size]
            np.copyto(wide, block)
            mean = float(wide.sum()) / block.size
            np.subtract(wide, mean, out=wide)
            np.multiply(wide, wide, out=wide)
            means.append(mean)
            squares.append(float(wide.sum()))
            sizes.append(block.size)
    tally.mean = math.fsum(m * n for m, n in zip(means, sizes, strict=True)) / values.size
    tally.square = math.fsum(
        s + n * (m - tally.mean) ** 2 for m, s, n in zip(means, squares, sizes, strict=True)
    )


def _distinct(values: AnyArray, tally: Tally) -> None:
    """The distinct values of a wide dtype, where they are not too many.

    A probe settles most tensors: sorting all would take longer than all the rest.
    """
    if tally.minimum == tally.maximum and tally.n_finite == values.size:
        tally.distinct = values[:1].copy()
        tally.is_short = not np.any(_trailing(values[:1]))
        return
    tally.is_short = not any(  # most tensors are settled by the first block
        np.any(_trailing(values[start : start + _BLOCK])) for start in range(0, values.size, _BLOCK)
    )
    few = np.unique(values[:PROBE])
    if few.size > MAX_DISTINCT and values.size > PROBE:
        return
    if tally.is_short:  # each cell is one value
        grid = grid_of(tally.dtype)
        few = grid.values[np.flatnonzero(grid.ascending(tally.counts))].astype(values.dtype)
    elif values.size > PROBE:
        few = np.unique(values)
    tally.distinct = few if few.size <= max(MAX_DISTINCT, PROBE) else None


def _trailing(values: AnyArray) -> AnyArray:
    """All but the leading half words of wide values, shape (values, 1 or 3)."""
    n_halves = values.itemsize // 2
    return values.view(np.uint16).reshape(-1, n_halves)[:, : n_halves - 1]
