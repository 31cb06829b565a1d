"""Tail probabilities agree with SciPy's."""

from __future__ import annotations

import pytest
import scipy.special
import scipy.stats

from lecun_cli.inspection.probabilities import chi_square_tail, normal_tail, upper_gamma


@pytest.mark.parametrize("a", [0.5, 1.0, 1.5, 7.0, 49.5, 250.0])
@pytest.mark.parametrize("x", [0.0, 1e-3, 0.7, 3.0, 40.0, 60.0, 300.0, 5000.0])
def test_upper_gamma_agrees_with_scipy(a: float, x: float) -> None:
    assert upper_gamma(a, x) == pytest.approx(float(scipy.special.gammaincc(a, x)), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("degrees", [1, 7, 99])
def test_chi_square_tail_agrees_with_scipy(degrees: int) -> None:
    assert chi_square_tail(50.0, degrees) == pytest.approx(
        float(scipy.stats.chi2.sf(50.0, degrees)), rel=1e-9
    )


@pytest.mark.parametrize("z", [-3.0, 0.0, 1.0, 8.0])
def test_normal_tail_counts_both_sides(z: float) -> None:
    assert normal_tail(z) == pytest.approx(2 * float(scipy.stats.norm.sf(abs(z))), rel=1e-9)
