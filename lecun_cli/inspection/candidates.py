"""Named distributions that a tensor may follow instead of the expected one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution, Normal, TruncatedNormal, Uniform
from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.inspection.expected import Expected
from lecun_cli.inspection.tensor_statistics import Sample, Statistics

Candidate = tuple[str, Distribution]

_FAMILY = ("lecun_normal", "lecun_uniform", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform")
_NEAR = 0.05
"""Maximum relative difference of the std; candidates beyond it are not tested."""
_CLOSE = 0.01
"""A candidate with at least this p-value is accepted; one with less only if no other fits better."""


def identify(
    sample: Sample, statistics: Statistics, expected: Expected, shape: Shape, least_p: float
) -> tuple[str, Distribution, float] | None:
    """Identify the distribution that a tensor follows.

    Args:
        sample: Values of the tensor.
        statistics: Statistics of the tensor.
        expected: The expected distribution, which the tensor does not follow.
        shape: Shape of the tensor.
        least_p: Candidates with a smaller p-value are rejected.

    Returns:
        The name, distribution and p-value of the first candidate that fits closely, else of the best
        candidate that is not rejected, else None.
    """
    second: tuple[str, Distribution, float] | None = None
    for name, distribution in candidates(statistics, expected, shape):
        if distribution == expected.distribution or abs(statistics.std / distribution.std - 1.0) > _NEAR:
            continue
        p = sample.p_value(distribution)
        if p is not None and p >= _CLOSE:
            return name, distribution, p
        if p is not None and p >= least_p and (second is None or p > second[2]):
            second = name, distribution, p
    return second


def candidates(statistics: Statistics, expected: Expected, shape: Shape) -> Iterator[Candidate]:
    """Yield named distributions, the most specific first."""
    fan_in, fan_out = expected.fan_in, expected.fan_out
    if fan_in and fan_out:
        fans = Fans(fan_in, fan_out)
        for name in _FAMILY:
            yield name, make(name).distribution(fans)
        yield "uniform within 1/sqrt(fan_in), PyTorch's default", _uniform(1 / math.sqrt(fan_in))
        for name, variance in (
            ("lecun_normal", 1 / fan_in),
            ("he_normal", 2 / fan_in),
            ("glorot_normal", 2 / (fan_in + fan_out)),
        ):
            yield f"{name} without truncation", Normal(math.sqrt(variance))
    for fan, factors in _other_fans(shape, fan_in):
        yield (
            f"lecun_normal with the fan-in {fan:,}{factors}",
            make("lecun_normal").distribution(Fans(fan, 1)),
        )
        yield (
            f"uniform within 1/sqrt(n), PyTorch's default, with n = {fan:,}{factors}",
            _uniform(1 / math.sqrt(fan)),
        )
    for digits in (1, 2, 3):
        std = _rounded(statistics.std, digits)
        sigma = _rounded(statistics.std / TRUNCATED_STD, digits)
        bound = _rounded(max(abs(statistics.minimum), abs(statistics.maximum)), digits)
        if std > 0:
            yield f"normal({std:g}) without truncation", Normal(std)
            yield f"normal({sigma:g}) truncated at two sigma", TruncatedNormal(sigma)
            name = f"normal truncated at two sigma with a std of {std:g}"
            yield name, TruncatedNormal(std / TRUNCATED_STD)
        if bound > 0:
            yield f"uniform within {bound:g}", _uniform(bound)


def _uniform(bound: float) -> Uniform:
    return Uniform(-bound, bound)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else 0.0


def _other_fans(shape: Shape, fan_in: float | None) -> list[tuple[int, str]]:
    """Return products of some sizes, which a wrong fan may be, each with its factors as text."""
    products: dict[int, str] = {}
    axes = [n for n in shape if n > 1][:6]
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            product = math.prod(chosen)
            if product != fan_in:
                products.setdefault(product, f" ({' x '.join(map(str, chosen))})" if count > 1 else "")
    return sorted(products.items())
