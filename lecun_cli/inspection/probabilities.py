"""Tail probabilities of test statistics, for scalars, without scipy."""

from __future__ import annotations

import math


def normal_tail(z: float) -> float:
    """Return the probability that a standard normal value is farther from zero than z."""
    return math.erfc(abs(z) / math.sqrt(2.0))


def chi_square_tail(x: float, degrees: int) -> float:
    """Return the probability that a chi-square variable with `degrees` degrees of freedom is at least x."""
    return upper_gamma(degrees / 2, x / 2)


def upper_gamma(a: float, x: float) -> float:
    """Return the regularized upper incomplete gamma function Q(a, x) for a > 0 and x >= 0.

    Below x = a + 1, it sums the series of P; above, it evaluates the continued fraction of Q by Lentz's
    method (Press et al., Numerical Recipes, section 6.2).
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
