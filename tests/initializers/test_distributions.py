"""The numbers of a law: its std and its bound."""

from __future__ import annotations

import math

import mpmath
import pytest

from lecun_cli.initializers.distributions import (
    TRUNCATED_STD,
    Constant,
    Distribution,
    TruncatedNormal,
    Uniform,
)


class TestTruncatedNormal:
    def test_constant_is_the_std_of_a_normal_cut_at_two(self) -> None:
        with mpmath.workdps(30):
            density = mpmath.npdf(2) / (2 * mpmath.ncdf(2) - 1)
            assert abs(TRUNCATED_STD - mpmath.sqrt(1 - 4 * density)) < 1e-16

    def test_std_is_that_of_the_result_and_bound_is_two_sigma(self) -> None:
        distribution = TruncatedNormal(1 / TRUNCATED_STD)
        assert distribution.std == pytest.approx(1, rel=1e-15)
        assert distribution.bound == pytest.approx(2.2737, abs=1e-4)


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
    ],
)
def test_std_and_bound(distribution: Distribution, std: float, bound: float) -> None:
    assert distribution.std == pytest.approx(std)
    assert distribution.bound == bound
