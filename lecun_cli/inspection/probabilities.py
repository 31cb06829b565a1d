"""Distribution functions of the laws, and the chi-square test against them: scalars, no arrays, no scipy."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

from lecun_cli.initializers.distributions import Constant, Distribution, TruncatedNormal, Uniform

_STANDARD = NormalDist()
_BELOW_CUT = 0.5 * math.erfc(2.0 / math.sqrt(2.0))
_WITHIN_CUT = 1.0 - 2.0 * _BELOW_CUT


@dataclass(frozen=True)
class Normal:
    """N(0, sigma) without a cut: what others draw, and no initializer of ours."""

    sigma: float

    @property
    def std(self) -> float:
        """Standard deviation of the law."""
        return self.sigma

    @property
    def bound(self) -> float:
        """It has none."""
        return math.inf


@dataclass(frozen=True)
class Mixture:
    """What a stored tensor follows that packs parameters of several laws.

    Attributes:
        parts: (share of the elements, law), the shares adding up to 1.
    """

    parts: tuple[tuple[float, Distribution], ...]

    @property
    def std(self) -> float:
        """Standard deviation of the whole."""
        mean = mean_of(self)
        return math.sqrt(
            sum(
                w * (distribution.std**2 + (mean_of(distribution) - mean) ** 2)
                for w, distribution in self.parts
            )
        )

    @property
    def bound(self) -> float:
        """No weight is larger in magnitude."""
        return max(distribution.bound for _, distribution in self.parts)


AnyDistribution = Distribution | Normal | Mixture


def mixture(parts: list[tuple[int, Distribution]]) -> AnyDistribution:
    """The law of a tensor, from (elements, law) of its parts; a plain law where all are alike."""
    counts: dict[Distribution, int] = {}
    for n_elements, distribution in parts:
        counts[distribution] = counts.get(distribution, 0) + n_elements
    if len(counts) == 1:
        return parts[0][1]
    total = sum(counts.values())
    return Mixture(tuple((n / total, distribution) for distribution, n in counts.items()))


def mean_of(distribution: AnyDistribution) -> float:
    """The mean of a law."""
    match distribution:
        case Uniform():
            return (distribution.minval + distribution.maxval) / 2
        case Constant():
            return distribution.value
        case Mixture():
            return sum(w * mean_of(part) for w, part in distribution.parts)
        case _:
            return 0.0


def kurtosis_of(distribution: AnyDistribution) -> float:
    """Fourth central moment over the square of the variance; it says how well a std is known."""
    match distribution:
        case TruncatedNormal():
            return _truncated_kurtosis()
        case Uniform():
            return 1.8
        case _:
            return 3.0


@cache
def _truncated_kurtosis() -> float:
    # Integration by parts: E z^2 = 1 - 2*2*phi(2)/W and E z^4 = 3 E z^2 - 2*2^3*phi(2)/W.
    tail = _STANDARD.pdf(2.0) / _WITHIN_CUT
    second = 1.0 - 4.0 * tail
    return (3.0 * second - 16.0 * tail) / second**2


def support_of(distribution: AnyDistribution) -> tuple[float, float]:
    """The smallest and the largest value of a law."""
    match distribution:
        case Uniform():
            return distribution.minval, distribution.maxval
        case Constant():
            return distribution.value, distribution.value
        case Mixture():
            ends = [support_of(part) for _, part in distribution.parts]
            return min(low for low, _ in ends), max(high for _, high in ends)
        case _:
            return -distribution.bound, distribution.bound


def is_continuous(distribution: AnyDistribution) -> bool:
    """Whether it has a density: no part of it is a constant."""
    if isinstance(distribution, Mixture):
        return all(is_continuous(part) for _, part in distribution.parts)
    return not isinstance(distribution, Constant)


def cdf(distribution: AnyDistribution, x: float) -> float:
    """The probability of a value up to x."""
    match distribution:
        case TruncatedNormal():
            z = min(2.0, max(-2.0, x / distribution.sigma))
            return min(1.0, (0.5 * math.erfc(-z / math.sqrt(2.0)) - _BELOW_CUT) / _WITHIN_CUT)
        case Normal():
            return 0.5 * math.erfc(-x / (distribution.sigma * math.sqrt(2.0)))
        case Uniform():
            return min(1.0, max(0.0, (x - distribution.minval) / (distribution.maxval - distribution.minval)))
        case Constant():
            return 1.0 if x >= distribution.value else 0.0
        case Mixture():
            return sum(w * cdf(part, x) for w, part in distribution.parts)


def quantile(distribution: AnyDistribution, p: float) -> float:
    """The value that a share p, above 0 and below 1, of a law lies below."""
    match distribution:
        case TruncatedNormal():
            return distribution.sigma * _standard_quantile(_BELOW_CUT + p * _WITHIN_CUT)
        case Normal():
            return distribution.sigma * _standard_quantile(p)
        case Uniform():
            return distribution.minval + p * (distribution.maxval - distribution.minval)
        case Constant():
            return distribution.value
        case Mixture():
            low, high = support_of(distribution)
            for _ in range(60):
                middle = (low + high) / 2
                low, high = (middle, high) if cdf(distribution, middle) < p else (low, middle)
            return high


@cache
def _standard_quantile(p: float) -> float:
    return _STANDARD.inv_cdf(p)


def normal_tail(z: float) -> float:
    """The probability that a standard normal value is farther from zero than z."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def chi_square_tail(x: float, degrees: int) -> float:
    """The probability that a chi-square value of so many degrees of freedom is x or larger."""
    return upper_gamma(degrees / 2, x / 2)


def upper_gamma(a: float, x: float) -> float:
    """The regularised upper incomplete gamma function Q(a, x), for a > 0 and x >= 0.

    The series of P below a + 1 and Lentz's continued fraction of Q above (Numerical Recipes, 6.2).
    """
    if x <= 0:
        return 1.0
    front = math.exp(max(-745.0, a * math.log(x) - x - math.lgamma(a)))
    if front <= 5e-324:
        return 0.0 if x > a else 1.0
    if x < a + 1:
        term = total = 1.0 / a
        k = a
        while abs(term) > abs(total) * 1e-16:
            k += 1.0
            term *= x / k
            total += term
        return max(0.0, 1.0 - front * total)
    tiny = 1e-300
    b = x + 1.0 - a
    c = 1.0 / tiny
    d = 1.0 / b
    h = d
    for i in range(1, 10_000):
        step = -i * (i - a)
        b += 2.0
        d = 1.0 / (step * d + b or tiny)
        c = b + step / c or tiny
        h *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return front * h
