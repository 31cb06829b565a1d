"""The laws' distribution functions and the chi-square tail, held against scipy."""

from __future__ import annotations

import math

import pytest
import scipy.special
import scipy.stats

from lecun_cli.initializers.distributions import (
    TRUNCATED_STD,
    Constant,
    Distribution,
    TruncatedNormal,
    Uniform,
)
from lecun_cli.inspection import probabilities
from lecun_cli.inspection.probabilities import AnyDistribution, Mixture, Normal, mixture

DISTRIBUTIONS: list[tuple[AnyDistribution, object]] = [
    (TruncatedNormal(0.5), scipy.stats.truncnorm(-2, 2, scale=0.5)),
    (Normal(0.02), scipy.stats.norm(scale=0.02)),
    (Uniform(-0.5, 1.5), scipy.stats.uniform(-0.5, 2.0)),
]


@pytest.mark.parametrize(("distribution", "theirs"), DISTRIBUTIONS, ids=lambda v: type(v).__name__)
class TestDistributions:
    @pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6])
    def test_quantiles_and_cdf_are_scipys(
        self, distribution: AnyDistribution, theirs: scipy.stats.rv_frozen, p: float
    ) -> None:
        x = theirs.ppf(p)
        assert probabilities.quantile(distribution, p) == pytest.approx(x, rel=1e-7, abs=1e-9)
        assert probabilities.cdf(distribution, x) == pytest.approx(p, rel=1e-7)

    def test_moments_are_scipys(self, distribution: AnyDistribution, theirs: scipy.stats.rv_frozen) -> None:
        mean, variance, excess = theirs.stats(moments="mvk")[0:3]
        assert probabilities.mean_of(distribution) == pytest.approx(float(mean), abs=1e-12)
        assert distribution.std == pytest.approx(math.sqrt(variance), rel=1e-9)
        assert probabilities.kurtosis_of(distribution) == pytest.approx(float(excess) + 3, rel=1e-9)


def test_nothing_lies_past_the_bound() -> None:
    distribution = TruncatedNormal(1.0)
    assert (probabilities.cdf(distribution, -2.0), probabilities.cdf(distribution, 2.0)) == (0.0, 1.0)
    assert distribution.std == pytest.approx(TRUNCATED_STD)


@pytest.mark.parametrize("a", [0.5, 1.0, 1.5, 7.0, 49.5, 250.0])
@pytest.mark.parametrize("x", [0.0, 1e-3, 0.7, 3.0, 40.0, 60.0, 300.0, 5000.0])
def test_upper_gamma_is_scipys(a: float, x: float) -> None:
    assert probabilities.upper_gamma(a, x) == pytest.approx(
        float(scipy.special.gammaincc(a, x)), rel=1e-9, abs=1e-300
    )


@pytest.mark.parametrize(
    ("parts", "mean", "std"),
    [
        ([(10, Constant(0)), (10, Constant(1))], 0.5, 0.5),
        ([(30, Uniform(-1, 1)), (10, Uniform(-1, 1))], 0.0, 1 / math.sqrt(3)),
        ([(1, TruncatedNormal(1.0)), (1, TruncatedNormal(3.0))], 0.0, TRUNCATED_STD * math.sqrt(5)),
    ],
)
def test_a_mixture_has_the_moments_of_its_parts(
    parts: list[tuple[int, Distribution]], mean: float, std: float
) -> None:
    distribution = mixture(parts)
    assert probabilities.mean_of(distribution) == pytest.approx(mean)
    assert distribution.std == pytest.approx(std)


def test_parts_alike_are_no_mixture() -> None:
    assert mixture([(3, Uniform(-1, 1)), (4, Uniform(-1, 1))]) == Uniform(-1, 1)


def test_a_mixtures_quantile_inverts_its_cdf() -> None:
    distribution = Mixture(((0.25, TruncatedNormal(1.0)), (0.75, Uniform(-4, 4))))
    assert probabilities.cdf(distribution, probabilities.quantile(distribution, 0.9)) == pytest.approx(0.9)
