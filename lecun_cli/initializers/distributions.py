"""The laws that a part of a tensor can follow: plain values, no arrays.

A law is what is left of an initializer when its fans are known: everything that the stream needs
besides the key.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of N(0, 1) cut at [-2, 2] (the constant of Keras, JAX and timm)."""


@dataclass(frozen=True)
class TruncatedNormal:
    """N(0, sigma) cut at two sigma.

    Attributes:
        sigma: Standard deviation *before* the cut; that of the result is `sigma * TRUNCATED_STD`.
    """

    sigma: float

    @property
    def std(self) -> float:
        """Standard deviation of the result."""
        return self.sigma * TRUNCATED_STD

    @property
    def bound(self) -> float:
        """No weight is larger in magnitude."""
        return 2.0 * self.sigma


@dataclass(frozen=True)
class Uniform:
    """Uniform on [minval, maxval], both ends included."""

    minval: float
    maxval: float

    @property
    def std(self) -> float:
        """Standard deviation of the law."""
        return (self.maxval - self.minval) / math.sqrt(12.0)

    @property
    def bound(self) -> float:
        """No weight is larger in magnitude."""
        return max(abs(self.minval), abs(self.maxval))


@dataclass(frozen=True)
class Constant:
    """Every element is `value`, rounded once to the dtype (integers are exact)."""

    value: float

    @property
    def std(self) -> float:
        """Zero: the law has one value."""
        return 0.0

    @property
    def bound(self) -> float:
        """No weight is larger in magnitude."""
        return abs(self.value)


Distribution = TruncatedNormal | Uniform | Constant
