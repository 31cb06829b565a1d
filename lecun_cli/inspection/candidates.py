"""Known laws that a tensor may follow in place of the one that was expected, with their names."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from lecun_cli.initializers.distributions import TRUNCATED_STD, Distribution, Normal, TruncatedNormal, Uniform
from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.inspection.expected import Expected
from lecun_cli.inspection.measured import Sample, Statistics

Candidate = tuple[str, Distribution]

_FAMILY = ("lecun_normal", "lecun_uniform", "he_normal", "he_uniform", "glorot_normal", "glorot_uniform")
_NEAR = 0.05
"""Laws whose std is farther from the tensor's, by this share, need no test."""
_CLOSE = 0.01
"""A law with such a p-value is taken; one with less only where nothing is nearer."""


def identify(
    sample: Sample, statistics: Statistics, expected: Expected, shape: Shape, least_p: float
) -> tuple[str, Distribution, float] | None:
    """The first known law that a tensor follows closely: its name, the law and the p-value.

    Where there is none, the nearest that it does not contradict.

    Args:
        sample: The tensor's values.
        statistics: Its statistics.
        expected: What it was held against, and does not follow.
        shape: Its shape.
        least_p: A smaller p-value contradicts.
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
    """Known laws, the more particular first."""
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
            yield f"{name} without a cut", Normal(math.sqrt(variance))
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
        cut = _rounded(statistics.std / TRUNCATED_STD, digits)
        bound = _rounded(max(abs(statistics.minimum), abs(statistics.maximum)), digits)
        if std > 0:
            yield f"normal({std:g}) without a cut", Normal(std)
            yield f"normal({cut:g}) cut at two sigma", TruncatedNormal(cut)
            yield f"normal({std:g}) cut at two sigma, std after the cut", TruncatedNormal(std / TRUNCATED_STD)
        if bound > 0:
            yield f"uniform within {bound:g}", _uniform(bound)


def _uniform(bound: float) -> Uniform:
    return Uniform(-bound, bound)


def _rounded(value: float, digits: int) -> float:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else 0.0


def _other_fans(shape: Shape, fan_in: float | None) -> list[tuple[int, str]]:
    """Products of some of the sizes, and the sizes as text: what a wrong fan is made of."""
    products: dict[int, str] = {}
    axes = [n for n in shape if n > 1][:6]
    for count in range(1, len(axes) + 1):
        for chosen in itertools.combinations(axes, count):
            product = math.prod(chosen)
            if product != fan_in:
                products.setdefault(product, f" ({' x '.join(map(str, chosen))})" if count > 1 else "")
    return sorted(products.items())
