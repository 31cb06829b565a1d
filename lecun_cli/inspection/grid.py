"""Cells of a dtype: values are counted by their leading 16 bits, in cells with exact edges.

For dtypes of up to 16 bits, a cell is one value, and its edges are the midpoints to its neighbors, where
rounding to nearest changes. A wider value is counted in the cell of its leading 16 bits: sign, exponent and
7 (float32) or 4 (float64) bits of the mantissa.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lecun_cli.dtypes import DTYPES

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grid:
    """The cells of a dtype, in ascending order.

    Attributes:
        dtype: A key of `DTYPES`.
        n_codes: Number of codes: 256 or 65,536.
        is_exact: If true, each cell is one value.
        order: Code of each finite cell, ascending by value, shape (cells,).
        edges: Edges of the cells, shape (cells + 1,), from -inf to inf.
        values: Value of each cell if exact, else its edge nearer to zero, shape (cells,).
        special: Mask of the codes that are not finite, shape (codes,); for wider dtypes, infinities and NaN
            share some codes.
        is_nan: Mask of the codes of NaN, shape (codes,); all false unless exact.
    """

    dtype: str
    n_codes: int
    is_exact: bool
    order: NDArray[np.intp]
    edges: Floats
    values: Floats
    special: NDArray[np.bool_]
    is_nan: NDArray[np.bool_]

    def ascending(self, counts: Counts) -> Counts:
        """Convert counts by code to counts by cell, shape (cells,).

        If the grid is exact, minus zeros count as zeros.
        """
        cells = counts[self.order]
        if self.is_exact:
            zero = int(np.searchsorted(self.values, 0.0))  # the first of the two: minus zero
            cells[zero + 1] += cells[zero]
            cells[zero] = 0
        return cells


@cache
def grid_of(dtype: str) -> Grid:
    """Return the cells of a float dtype.

    Args:
        dtype: A key of `DTYPES` for a float.
    """
    return _exact(dtype) if DTYPES[dtype].itemsize <= 2 else _leading(dtype)


def _exact(dtype: str) -> Grid:
    itemsize = DTYPES[dtype].itemsize
    n_codes = 256**itemsize
    codes = np.arange(n_codes, dtype=np.uint8 if itemsize == 1 else np.uint16)
    with np.errstate(invalid="ignore"):  # signaling NaN
        values = codes.view(DTYPES[dtype].numpy()).astype(np.float64)
    special = ~np.isfinite(values)
    half = n_codes // 2
    order = np.concatenate([np.arange(n_codes - 1, half - 1, -1), np.arange(half)])
    order = order[~special[order]]
    ascending = values[order]
    middles = (ascending[1:] + ascending[:-1]) / 2
    zero = int(np.searchsorted(ascending, 0.0))
    middles[zero] = middles[zero - 1]  # minus zero has an empty cell
    edges = np.concatenate([[-np.inf], middles, [np.inf]])
    return Grid(dtype, n_codes, True, order, edges, ascending, special, np.isnan(values))


def _leading(dtype: str) -> Grid:
    n_codes, half = 2**16, 2**15
    leading = np.arange(half, dtype=np.uint64)
    if dtype == "float32":
        with np.errstate(invalid="ignore"):  # signaling NaN
            ends = (leading.astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
    else:
        ends = (leading << np.uint64(48)).view(np.float64)
    n_finite = int(np.count_nonzero(np.isfinite(ends)))
    special = np.zeros(n_codes, bool)
    special[n_finite:half] = special[half + n_finite :] = True
    order = np.concatenate([np.arange(half + n_finite - 1, half - 1, -1), np.arange(n_finite)])
    near = ends[:n_finite]
    edges = np.concatenate([[-np.inf], -near[:0:-1], near, [np.inf]])
    values = np.concatenate([-near[::-1], near])
    return Grid(dtype, n_codes, False, order, edges, values, special, np.zeros(n_codes, bool))


def codes_of(values: NDArray[Any]) -> NDArray[Any]:
    """Return the code of every value as a view: uint8 or uint16, with any stride.

    Args:
        values: Floats, little-endian, contiguous, shape (elements,).
    """
    if values.itemsize <= 2:
        return values.view(np.uint8 if values.itemsize == 1 else np.uint16)
    n_halves = values.itemsize // 2
    return values.view(np.uint16)[n_halves - 1 :: n_halves]  # little-endian: the leading half comes last
