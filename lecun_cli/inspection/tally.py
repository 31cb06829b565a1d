"""Count values and moments of a chunk of a tensor, and merge the tallies of consecutive chunks.

The tally of a chunk does not depend on the thread, and chunks are merged in file order, so the result is the
same for any number of threads.
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
"""Elements per block, small enough that the scratch buffers stay in the cache."""
PROBE = 8192
"""Number of first elements of a tensor with a wide dtype whose distinct values are always counted."""
MAX_DISTINCT = 4096
"""Maximum number of distinct values that are counted for a wide dtype; unlimited for up to 16 bits."""


class Scratch:
    """Buffers of one thread: 2 MiB."""

    def __init__(self) -> None:
        self.index = np.empty(_BLOCK, np.intp)
        self.wide = np.empty(_BLOCK, np.float64)


@dataclass
class Tally:
    """Counts and moments of a chunk, or of all chunks of a tensor so far.

    "Wide" dtypes have more than 16 bits. For narrow ones, everything follows from `counts`, so only that
    and `n_elements` are filled in.

    Attributes:
        dtype: The key of `DTYPES` as which values are counted; integers and bool are counted as float64.
        n_elements: Number of elements, finite or not.
        counts: Number of values with each code, shape (codes,) int64; see `grid`.
        n_nan: Number of NaNs; wide dtypes only.
        n_infinite: Number of infinities; wide dtypes only.
        n_zero: Number of zeros of either sign; wide dtypes only.
        n_past: Number of values outside the limits; wide dtypes only.
        minimum: Smallest finite value; wide dtypes only.
        maximum: Largest finite value; wide dtypes only.
        mean: Mean of the finite values; wide dtypes only.
        square: Sum of squared differences from the mean; wide dtypes only.
        distinct: Distinct values, sorted; None if there are too many, and for narrow dtypes.
        is_short: If true, all values of a wide dtype are zero beyond their leading 16 bits, so a code
            determines its value.
        head: Digest of the first bytes of the tensor.
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
        """Number of finite elements; wide dtypes only."""
        return self.n_elements - self.n_nan - self.n_infinite

    def add(self, other: Tally) -> None:
        """Merge the tally of the next chunk into this one (Chan et al., 1983, for the moments)."""
        n, m = self.n_finite, other.n_finite
        if m and not n:
            self.mean, self.square = other.mean, other.square
        elif m:
            difference = other.mean - self.mean
            self.square += other.square + difference * difference * (n * m / (n + m))
            self.mean += difference * (m / (n + m))
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
    """Return the tally of a chunk.

    Args:
        values: Contiguous values of the NumPy type of the dtype, shape (elements,).
        dtype: A key of `DTYPES`.
        scratch: Buffers of this thread.
        limits: Smallest and largest allowed value; used for wide dtypes only.
        distinct: If true, count the distinct values of a wide dtype.
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
    """Return the number of times that each code occurs, shape (codes,)."""
    if n_codes == 2**8:  # count pairs: a pair takes as long as a single code
        even = codes.size // 2 * 2
        pairs = _count(codes[:even].view(np.uint16), 2**16, scratch).reshape(n_codes, n_codes)
        counts = np.bincount(codes[even:], minlength=n_codes).astype(np.int64)
        counts += pairs.sum(axis=0)
        counts += pairs.sum(axis=1)
        return counts
    counts = np.zeros(n_codes, np.int64)
    for start in range(0, codes.size, _BLOCK):
        block = codes[start : start + _BLOCK]
        # bincount needs intp; a buffer avoids an allocation per block
        index = scratch.index[: block.size]
        np.copyto(index, block)
        counts += np.bincount(index, minlength=n_codes)
    return counts


def _measure(values: AnyArray, tally: Tally, scratch: Scratch, limits: tuple[float, float]) -> None:
    """Fill in the moments, extremes and special counts of a wide dtype."""
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
    with np.errstate(over="ignore"):  # the variance of huge values is infinite
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
    """Fill in the distinct values of a wide dtype, unless there are too many.

    A probe settles most tensors; sorting all values would take longer than everything else.
    """
    if tally.minimum == tally.maximum and tally.n_finite == values.size:
        tally.distinct = values[:1].copy()
        tally.is_short = not np.any(_trailing(values[:1]))
        return
    tally.is_short = not any(  # the first block settles most tensors
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
    """Return all but the leading 16 bits of wide values as uint16, shape (values, 1 or 3)."""
    n_halves = values.itemsize // 2
    return values.view(np.uint16).reshape(-1, n_halves)[:, : n_halves - 1]
