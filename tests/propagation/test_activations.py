"""Activations equal those of Keras, computed in place with exact constants."""

from __future__ import annotations

import typing

import numpy as np
import pytest
from scipy import special

from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.layers.fields import Activation
from lecun_cli.propagation.activations import ACTIVATIONS, SELU_ALPHA, SELU_SCALE, activate, normal_cdf

X = np.linspace(-9.0, 9.0, 3001 * 7, dtype=np.float32).reshape(-1, 7)


def activated(name: str, framework: str = "keras") -> np.ndarray[typing.Any, np.dtype[np.float32]]:
    x = X.copy()
    activate(name, x, FRAMEWORKS[framework])
    return x


def test_are_those_that_a_spec_can_name() -> None:
    assert set(ACTIVATIONS) == set(typing.get_args(Activation))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_equal_those_of_keras(name: str) -> None:
    import keras

    theirs = np.asarray(keras.activations.get(name)(X))
    assert activated(name) == pytest.approx(theirs, rel=2e-6, abs=2e-6)


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_keep_the_shape_and_the_dtype(name: str, framework: str) -> None:
    y = activated(name, framework)
    assert y.shape == X.shape
    assert y.dtype == np.float32
    assert np.isfinite(y).all()


def test_the_normal_distribution_function_has_an_error_below_1e_7() -> None:
    x = np.linspace(-12.0, 12.0, 100_001)
    assert np.abs(normal_cdf(x) - special.ndtr(x)).max() < 1.5e-7


def test_selu_has_the_constants_that_make_zero_and_one_a_fixed_point() -> None:
    # Klambauer et al., arXiv:1706.02515: the moments of selu(z), z standard normal, in closed form.
    root = np.sqrt(2.0 / np.pi)
    half = np.exp(0.5) * special.erfc(np.sqrt(0.5))
    whole = np.exp(2.0) * special.erfc(np.sqrt(2.0))
    mean = 0.5 * SELU_SCALE * (root + SELU_ALPHA * (half - 1.0))
    square = 0.5 * SELU_SCALE**2 * (1.0 + SELU_ALPHA**2 * (whole - 2.0 * half + 1.0))
    assert mean == pytest.approx(0.0, abs=1e-12)
    assert square == pytest.approx(1.0, abs=1e-12)


def test_softmax_sums_to_one_over_the_last_axis_whatever_the_blocks() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5, 200_001)).astype(np.float32)
    activate("softmax", x, FRAMEWORKS["keras"])
    assert x.sum(axis=-1) == pytest.approx(np.ones((3, 5)), abs=1e-5)


def test_gelu_is_approximated_by_tanh_only_in_flax() -> None:
    assert (activated("gelu", "keras") == activated("gelu", "torch")).all()
    assert 1e-5 < np.abs(activated("gelu", "flax") - activated("gelu", "keras")).max() < 1e-3


def test_leaky_relu_has_the_slope_of_the_framework() -> None:
    for framework, slope in (("keras", 0.2), ("torch", 0.01), ("flax", 0.01)):
        y = np.full((1, 1), -1.0, np.float32)
        activate("leaky_relu", y, FRAMEWORKS[framework])
        assert y[0, 0] == np.float32(-slope)
