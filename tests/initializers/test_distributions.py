"""Moments, support, CDF and quantiles of the distributions."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import pytest
import scipy.stats

from lecun_cli.initializers.distributions import (
    TRUNCATED_STD,
    Constant,
    Distribution,
    Mixture,
    Normal,
    TruncatedNormal,
    Uniform,
    mix,
)

PEERS: list[tuple[Distribution, Any]] = [
    (TruncatedNormal(0.5), scipy.stats.truncnorm(-2, 2, scale=0.5)),
    (Normal(0.02), scipy.stats.norm(scale=0.02)),
    (Uniform(-0.5, 1.5), scipy.stats.uniform(-0.5, 2.0)),
]


@pytest.mark.parametrize(("distribution", "peer"), PEERS, ids=lambda value: type(value).__name__)
class TestAgainstScipy:
    @pytest.mark.parametrize("p", [1e-6, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6])
    def test_quantiles_and_cdf_agree(self, distribution: Distribution, peer: Any, p: float) -> None:
        x = float(peer.ppf(p))
        assert distribution.quantile(p) == pytest.approx(x, rel=1e-7, abs=1e-9)
        assert distribution.cdf(x) == pytest.approx(p, rel=1e-7)

    def test_moments_agree(self, distribution: Distribution, peer: Any) -> None:
        mean, variance, _, excess = peer.stats(moments="mvsk")
        assert distribution.mean == pytest.approx(float(mean), abs=1e-12)
        assert distribution.std == pytest.approx(math.sqrt(variance), rel=1e-9)
        assert distribution.kurtosis == pytest.approx(float(excess) + 3, rel=1e-9)

    def test_support_agrees(self, distribution: Distribution, peer: Any) -> None:
        assert distribution.support == pytest.approx(tuple(map(float, peer.support())))


class TestTruncatedNormal:
    def test_constant_is_the_std_of_a_normal_truncated_at_two(self) -> None:
        with mpmath.workdps(30):
            density = mpmath.npdf(2) / (2 * mpmath.ncdf(2) - 1)
            assert abs(TRUNCATED_STD - mpmath.sqrt(1 - 4 * density)) < 1e-16

    def test_std_is_that_of_the_result_and_bound_is_two_sigma(self) -> None:
        distribution = TruncatedNormal(1 / TRUNCATED_STD)
        assert distribution.std == pytest.approx(1, rel=1e-15)
        assert distribution.bound == pytest.approx(2.2737, abs=1e-4)

    def test_no_probability_is_past_the_bound(self) -> None:
        distribution = TruncatedNormal(1.0)
        assert (distribution.cdf(-2.0), distribution.cdf(2.0)) == (0.0, 1.0)


class TestConstant:
    def test_all_probability_is_at_the_value(self) -> None:
        distribution = Constant(2)
        assert (distribution.cdf(1.999), distribution.cdf(2)) == (0.0, 1.0)
        assert distribution.quantile(0.3) == distribution.mean == 2
        assert not distribution.is_continuous
        assert math.isnan(distribution.kurtosis)


class TestMixture:
    @pytest.mark.parametrize(
        ("parts", "mean", "std"),
        [
            ([(10, Constant(0)), (10, Constant(1))], 0.5, 0.5),
            ([(30, Uniform(-1, 1)), (10, Uniform(-1, 1))], 0.0, 1 / math.sqrt(3)),
            ([(1, TruncatedNormal(1.0)), (1, TruncatedNormal(3.0))], 0.0, TRUNCATED_STD * math.sqrt(5)),
        ],
    )
    def test_has_the_moments_of_its_parts(
        self, parts: list[tuple[int, Distribution]], mean: float, std: float
    ) -> None:
        distribution = mix(parts)
        assert distribution.mean == pytest.approx(mean)
        assert distribution.std == pytest.approx(std)

    def test_kurtosis_is_exact(self) -> None:
        assert mix([(1, Uniform(-1, 0)), (1, Uniform(0, 1))]).kurtosis == pytest.approx(1.8)
        assert mix([(1, Constant(-1)), (1, Constant(1))]).kurtosis == pytest.approx(1.0)

    def test_equal_parts_are_not_a_mixture(self) -> None:
        assert mix([(3, Uniform(-1, 1)), (4, Uniform(-1, 1))]) == Uniform(-1, 1)

    def test_quantile_inverts_the_cdf(self) -> None:
        distribution = Mixture(((0.25, TruncatedNormal(1.0)), (0.75, Uniform(-4, 4))))
        assert distribution.cdf(distribution.quantile(0.9)) == pytest.approx(0.9)

    def test_is_continuous_if_every_part_is(self) -> None:
        assert mix([(1, Uniform(-1, 1)), (1, Uniform(0, 1))]).is_continuous
        assert not mix([(1, Uniform(-1, 1)), (1, Constant(0))]).is_continuous


@pytest.mark.parametrize(
    ("distribution", "std", "bound"),
    [
        (TruncatedNormal(0.0), 0, 0),
        (Uniform(-3, 3), math.sqrt(3), 3),
        (Uniform(-1, 0.5), 1.5 / math.sqrt(12), 1),
        (Uniform(2, 4), 2 / math.sqrt(12), 4),
        (Constant(-7), 0, 7),
        (Constant(0), 0, 0),
        (Constant(2**64 - 1), 0, 2**64 - 1),
        (Normal(0.5), 0.5, math.inf),
    ],
)
def test_std_and_bound(distribution: Distribution, std: float, bound: float) -> None:
    assert distribution.std == pytest.approx(std)
    assert distribution.bound == bound
