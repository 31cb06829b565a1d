from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy.special import erfinv

from lecun_cli.stream import coefficients, derive_coefficients
from lecun_cli.stream.derive_coefficients import mp
from lecun_cli.stream.truncated_normal import evaluate
from tests.stream import reference

ERF_CUT = float(mp.erf(mp.sqrt(2)))


def evaluated(u: Any) -> Any:
    return evaluate(u, np.empty_like(u), np.empty_like(u), np.empty_like(u))


def exact(u: float) -> Any:
    return mp.sqrt(2) * mp.erfinv(mp.mpf(u) * mp.erf(mp.sqrt(2)))


@dataclass(frozen=True)
class Approximant:
    """A pair P, Q with its type and the limits of its relative errors."""

    name: str
    p: tuple[float, ...]
    q: tuple[float, ...]
    scalar: type[np.float32 | np.float64]
    approximation: float
    evaluation: float


APPROXIMANTS = (
    Approximant("float32", coefficients.FLOAT32_P, coefficients.FLOAT32_Q, np.float32, 8e-8, 5e-7),
    Approximant("float64", coefficients.FLOAT64_P, coefficients.FLOAT64_Q, np.float64, 2e-17, 1.1e-15),
)
each = pytest.mark.parametrize("case", APPROXIMANTS, ids=lambda c: c.name)


class TestApproximant:
    @each
    def test_is_near_the_inverse_cdf_on_a_dense_grid(self, case: Approximant) -> None:
        points = [mp.mpf(i) / 1600 for i in range(1601)]
        points += [t * t / 100 for t in points]
        worst = max(abs(derive_coefficients.relative_error(case.p, case.q, t)) for t in points)
        assert worst < case.approximation

    @each
    def test_is_exactly_two_at_the_ends(self, case: Approximant) -> None:
        assert case.p[0] == 2 * case.q[0]
        assert evaluated(np.array([-1, 0, 1], dtype=case.scalar)).tolist() == [-2, 0, 2]

    @each
    def test_has_positive_coefficients_of_the_type(self, case: Approximant) -> None:
        for c in (*case.p, *case.q):
            assert c > 0
            assert float(case.scalar(c)) == c

    @each
    def test_readme_has_the_same_coefficients(self, case: Approximant) -> None:
        assert reference.rational(case.name) == reference.Rational(case.p, case.q)


class TestEvaluation:
    @each
    def test_is_near_the_inverse_cdf(self, case: Approximant) -> None:
        u = np.concatenate(
            [np.linspace(-1, 1, 1001), 1 - np.geomspace(1e-7, 0.1, 500), np.geomspace(1e-9, 0.1, 500)]
        ).astype(case.scalar)
        worst = max(
            abs(mp.mpf(z) / exact(x) - 1) for x, z in zip(u.tolist(), evaluated(u).tolist(), strict=True) if x
        )
        assert worst < case.evaluation

    @each
    def test_is_odd(self, case: Approximant) -> None:
        u: Any = np.linspace(0, 1, 10_001, dtype=case.scalar)
        assert (evaluated(-u) == -evaluated(u)).all()

    def test_float32_keeps_the_bound_and_the_distribution_at_every_number_above_a_half(self) -> None:
        half, one = (int(np.float32(v).view(np.int32)) for v in (0.5, 1))
        u = np.arange(half, one + 1, dtype=np.int32).view(np.float32)
        z = evaluated(u)
        assert z.max() == 2
        assert np.abs(z / (np.sqrt(2) * erfinv(u.astype(np.float64) * ERF_CUT)) - 1).max() < 5e-7

    def test_float64_keeps_the_bound_next_to_one(self) -> None:
        one = int(np.float64(1).view(np.int64))
        u = np.arange(one - 2**20, one + 1).view(np.float64)
        assert evaluated(u).max() == 2
        # Further away, the true z is less than 2 by more than the error of the evaluation.
        assert exact(float(u[0])) < 2 * (1 - 1e-10)


class TestDerivation:
    def test_derives_the_file(self) -> None:
        assert derive_coefficients.main(["--check"]) == 0

    def test_a_changed_file_is_reported(self, tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
        changed = tmp_path / "coefficients.py"
        changed.write_text("FLOAT32_P = ()\n")
        monkeypatch.setattr(derive_coefficients, "TARGET", changed)
        monkeypatch.setattr(derive_coefficients, "render", lambda: "FLOAT32_P = (1.0,)\n")
        assert derive_coefficients.main(["--check"]) == 1
        assert "contents differ from the derived ones" in capsys.readouterr().err
        assert derive_coefficients.main([]) == 0
        assert derive_coefficients.main(["--check"]) == 0

    def test_unknown_arguments_are_an_error(self, capsys: Any) -> None:
        assert derive_coefficients.main(["--frob"]) == 2
        assert "usage" in capsys.readouterr().err
