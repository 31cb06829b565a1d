"""The values of a tensor in units of the std that its law asks for: what a picture of many tensors needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution
from lecun_cli.inspection.measured import Sample

N_BINS = 128
REACH = 2.0 / TRUNCATED_STD / 36 * (N_BINS // 2)
"""About 4; the bound of the truncated normal is an edge of bins, also of bins two and four times as wide."""
_RARE = (1e-6, 1e-5, 1e-4, 1e-3, 0.003)
SHARES = (*_RARE, *(k / 100 for k in range(1, 100)), *(1.0 - p for p in reversed(_RARE)))


@dataclass(frozen=True)
class Standardized:
    """A tensor's values over the std of its law.

    Attributes:
        density: Density in `N_BINS` equal bins from -`REACH` to `REACH`; what lies outside is left out.
        shares: Those of `SHARES` that so many values tell something about.
        asked: Quantiles of the law at these shares.
        observed: Quantiles of the values at these shares.
    """

    density: tuple[float, ...]
    shares: tuple[float, ...]
    asked: tuple[float, ...]
    observed: tuple[float, ...]


def standardize(sample: Sample, distribution: Distribution) -> Standardized:
    """The values of a tensor that holds at least one finite value, over the std of its law."""
    points = np.linspace(-REACH, REACH, N_BINS + 1)
    under = sample.values_below(points * distribution.std)
    density = np.diff(under) / sample.n * (N_BINS / (2 * REACH))
    shares = tuple(p for p in SHARES if min(p, 1 - p) * sample.n >= 0.5) or (0.5,)
    quantiles = sample.quantiles(np.array(shares)) / distribution.std
    asked = tuple(distribution.quantile(p) / distribution.std for p in shares)
    return Standardized(tuple(density.tolist()), shares, asked, tuple(quantiles.tolist()))
