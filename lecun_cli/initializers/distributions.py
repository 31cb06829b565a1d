"""Probability distributions of weights, as plain values without arrays.

An initializer becomes a distribution once its fans are known. Each class holds everything that the
package knows about its distribution: moments, support, cumulative distribution function and quantiles.
"""

# ruff: noqa: D102 (Distribution documents the methods that its subclasses implement)

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

TRUNCATED_STD = 0.87962566103423978
"""Standard deviation of N(0, 1) truncated to [-2, 2] (the constant of Keras, JAX and timm)."""

_SQRT2 = math.sqrt(2.0)
_BELOW_TRUNCATION = 0.5 * math.erfc(2.0 / _SQRT2)
_WITHIN_TRUNCATION = 1.0 - 2.0 * _BELOW_TRUNCATION


class Distribution(ABC):
    """A one-dimensional probability distribution.

    A subclass is a frozen dataclass, because distributions are keys of caches.

    Example:
        >>> Uniform(-0.5, 0.5).cdf(0.25)
        0.75
    """

    @property
    @abstractmethod
    def mean(self) -> float:
        """Expected value."""

    @property
    @abstractmethod
    def std(self) -> float:
        """Standard deviation."""

    @property
    @abstractmethod
    def kurtosis(self) -> float:
        """Fourth central moment over the squared variance: 3 for a normal distribution, NaN for a constant.

        The standard error of the std of n samples is `std * sqrt((kurtosis - 1) / (4 * n))`.
        """

    @property
    @abstractmethod
    def support(self) -> tuple[float, float]:
        """Smallest and largest value."""

    @property
    def bound(self) -> float:
        """Largest magnitude of a value."""
        low, high = self.support
        return max(abs(low), abs(high))

    @property
    def components(self) -> tuple[Distribution, ...]:
        """Distributions that this one mixes; the distribution itself if it is not a mixture."""
        return (self,)

    @property
    def is_continuous(self) -> bool:
        """If true, every single value has probability 0."""
        return True

    @abstractmethod
    def cdf(self, x: float) -> float:
        """Return the probability of a value of at most `x`."""

    @abstractmethod
    def quantile(self, p: float) -> float:
        """Return the value that a share `p` of the distribution lies below, for 0 < p < 1."""


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """N(0, sigma) truncated at two sigma.

    Attributes:
        sigma: Standard deviation *before* truncation; after it, `sigma * TRUNCATED_STD`.
    """

    sigma: float

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def std(self) -> float:
        return self.sigma * TRUNCATED_STD

    @property
    def kurtosis(self) -> float:
        return _truncated_kurtosis()

    @property
    def support(self) -> tuple[float, float]:
        return -2.0 * self.sigma, 2.0 * self.sigma

    def cdf(self, x: float) -> float:
        z = min(2.0, max(-2.0, x / self.sigma))
        return min(1.0, (0.5 * math.erfc(-z / _SQRT2) - _BELOW_TRUNCATION) / _WITHIN_TRUNCATION)

    def quantile(self, p: float) -> float:
        return self.sigma * _normal_quantile(_BELOW_TRUNCATION + p * _WITHIN_TRUNCATION)


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform on [minval, maxval], both ends included."""

    minval: float
    maxval: float

    @property
    def mean(self) -> float:
        return (self.minval + self.maxval) / 2

    @property
    def std(self) -> float:
        return (self.maxval - self.minval) / math.sqrt(12.0)

    @property
    def kurtosis(self) -> float:
        return 1.8

    @property
    def support(self) -> tuple[float, float]:
        return self.minval, self.maxval

    def cdf(self, x: float) -> float:
        return min(1.0, max(0.0, (x - self.minval) / (self.maxval - self.minval)))

    def quantile(self, p: float) -> float:
        return self.minval + p * (self.maxval - self.minval)


@dataclass(frozen=True)
class Constant(Distribution):
    """One value with probability 1, rounded once to the dtype (integers are exact)."""

    value: float

    @property
    def mean(self) -> float:
        return self.value

    @property
    def std(self) -> float:
        return 0.0

    @property
    def kurtosis(self) -> float:
        return math.nan

    @property
    def support(self) -> tuple[float, float]:
        return self.value, self.value

    @property
    def is_continuous(self) -> bool:
        return False

    def cdf(self, x: float) -> float:
        return 1.0 if x >= self.value else 0.0

    def quantile(self, p: float) -> float:
        return self.value


@dataclass(frozen=True)
class Normal(Distribution):
    """N(0, sigma) without truncation, which other tools draw from; the stream does not.

    Attributes:
        sigma: Standard deviation.
    """

    sigma: float

    @property
    def mean(self) -> float:
        return 0.0

    @property
    def std(self) -> float:
        return self.sigma

    @property
    def kurtosis(self) -> float:
        return 3.0

    @property
    def support(self) -> tuple[float, float]:
        return -math.inf, math.inf

    def cdf(self, x: float) -> float:
        return 0.5 * math.erfc(-x / (self.sigma * _SQRT2))

    def quantile(self, p: float) -> float:
        return self.sigma * _normal_quantile(p)


@dataclass(frozen=True)
class Mixture(Distribution):
    """Distribution of a stored tensor that packs parameters with several distributions.

    Attributes:
        parts: (share of the elements, distribution) pairs; the shares add up to 1.
    """

    parts: tuple[tuple[float, Distribution], ...]

    @property
    def mean(self) -> float:
        return sum(w * part.mean for w, part in self.parts)

    @property
    def std(self) -> float:
        mean = self.mean
        return math.sqrt(sum(w * (part.std**2 + (part.mean - mean) ** 2) for w, part in self.parts))

    @property
    def kurtosis(self) -> float:
        # Every component is symmetric about its mean, so its third central moment is 0.
        mean, std = self.mean, self.std
        total = 0.0
        for w, part in self.parts:
            scale, offset = part.std / std, (part.mean - mean) / std
            fourth = part.kurtosis * scale**4 if scale else 0.0
            total += w * (fourth + 6.0 * (offset * scale) ** 2 + offset**4)
        return total

    @property
    def support(self) -> tuple[float, float]:
        ends = [part.support for _, part in self.parts]
        return min(low for low, _ in ends), max(high for _, high in ends)

    @property
    def components(self) -> tuple[Distribution, ...]:
        return tuple(part for _, part in self.parts)

    @property
    def is_continuous(self) -> bool:
        return all(part.is_continuous for _, part in self.parts)

    def cdf(self, x: float) -> float:
        return sum(w * part.cdf(x) for w, part in self.parts)

    def quantile(self, p: float) -> float:
        """Invert the CDF by bisection."""
        low, high = self.support
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if self.cdf(middle) < p else (low, middle)
        return high


def mix(parts: Iterable[tuple[int, Distribution]]) -> Distribution:
    """Return the distribution of a tensor from the distributions of its parts.

    Args:
        parts: (element count, distribution) of each part; at least one.

    Returns:
        A `Mixture`, or the parts' own distribution if all of them share one.

    Example:
        >>> mix([(30, Uniform(-1, 1)), (10, Uniform(-1, 1))])
        Uniform(minval=-1, maxval=1)
    """
    counts: dict[Distribution, int] = {}
    for n_elements, distribution in parts:
        counts[distribution] = counts.get(distribution, 0) + n_elements
    if len(counts) == 1:
        return next(iter(counts))
    total = sum(counts.values())
    return Mixture(tuple((n / total, distribution) for distribution, n in counts.items()))


@cache
def _truncated_kurtosis() -> float:
    # Integration by parts: E z^2 = 1 - 2*2*phi(2)/W and E z^4 = 3 E z^2 - 2*2^3*phi(2)/W.
    density = math.exp(-2.0) / math.sqrt(math.tau)
    tail = density / _WITHIN_TRUNCATION
    second = 1.0 - 4.0 * tail
    return (3.0 * second - 16.0 * tail) / second**2


@cache
def _normal_quantile(p: float) -> float:
    from statistics import NormalDist  # slow to import, and only inspection needs it

    return NormalDist().inv_cdf(p)
