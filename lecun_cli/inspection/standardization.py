"""Standardize the values of a tensor by the expected std, for plots of many tensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution
from lecun_cli.inspection.tensor_statistics import Sample

N_BINS = 128
REACH = 2.0 / TRUNCATED_STD / 36 * (N_BINS // 2)
"""About 4; chosen so that the bound of the truncated normal is an edge of bins of width 1, 2 and 4."""
_RARE = (1e-6, 1e-5, 1e-4, 1e-3, 0.003)
SHARES = (*_RARE, *(k / 100 for k in range(1, 100)), *(1.0 - p for p in reversed(_RARE)))


@dataclass(frozen=True)
class Standardized:
    """Values of a tensor, divided by the std of the expected distribution.

    Attributes:
        density: Density in `N_BINS` equal bins from -`REACH` to `REACH`; values outside are omitted.
        shares: The elements of `SHARES` that the number of values can resolve.
        expected: Quantiles of the expected distribution at these shares.
        observed: Quantiles of the values at these shares.
    """

    density: tuple[float, ...]
    shares: tuple[float, ...]
    expected: tuple[float, ...]
    observed: tuple[float, ...]


def standardize(sample: Sample, distribution: Distribution) -> Standardized:
    """Standardize the values of a tensor.

    Args:
        sample: The values, of which at least one is finite.
        distribution: The expected distribution.
    """
    points = np.linspace(-REACH, REACH, N_BINS + 1)
    under = sample.values_below(points * distribution.std)
    density = np.diff(under) / sample.n * (N_BINS / (2 * REACH))
    shares = tuple(p for p in SHARES if min(p, 1 - p) * sample.n >= 0.5) or (0.5,)
    quantiles = sample.quantiles(np.array(shares)) / distribution.std
    expected = tuple(distribution.quantile(p) / distribution.std for p in shares)
    return Standardized(tuple(density.tolist()), shares, expected, tuple(quantiles.tolist()))
