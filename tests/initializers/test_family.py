"""The family of initializers follows the formulas of Keras's documentation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from lecun_cli.initializers.distributions import Constant, TruncatedNormal, Uniform
from lecun_cli.initializers.family import FAMILY, REFUSED, InitializerError, make
from lecun_cli.initializers.fans import Fans

FANS = Fans(100, 44)
CUT = 0.87962566103423978  # std of N(0, 1) cut at [-2, 2]


@dataclass(frozen=True)
class Expect:
    """Expected distribution of an initializer: its std after truncation and its largest weight."""

    name: str
    std: float
    bound: float
    arguments: Mapping[str, object] = field(default_factory=dict)
    distribution: type = TruncatedNormal


# keras.io/api/layers/initializers: "stddev = sqrt(1 / fan_in)", "limit = sqrt(6 / fan_in)", ...
DISTRIBUTIONS = [
    Expect("lecun_normal", 0.1, 0.2273694468677113),
    Expect("lecun_uniform", 0.1, math.sqrt(3 / 100), distribution=Uniform),
    Expect("he_normal", math.sqrt(2 / 100), 2 * math.sqrt(2 / 100) / CUT),
    Expect("he_uniform", math.sqrt(2 / 100), math.sqrt(6 / 100), distribution=Uniform),
    Expect("glorot_normal", math.sqrt(2 / 144), 2 * math.sqrt(2 / 144) / CUT),
    Expect("glorot_uniform", math.sqrt(2 / 144), math.sqrt(6 / 144), distribution=Uniform),
    Expect("variance_scaling", 0.1, 0.2 / CUT),
    Expect(
        "variance_scaling", math.sqrt(3 / 44), 2 * math.sqrt(3 / 44) / CUT, {"scale": 3, "mode": "fan_out"}
    ),
    Expect("variance_scaling", math.sqrt(1 / 72), 2 * math.sqrt(1 / 72) / CUT, {"mode": "fan_avg"}),
    Expect("variance_scaling", 0.1, math.sqrt(3 / 100), {"distribution": "uniform"}, Uniform),
    Expect("truncated_normal", 0.05 * CUT, 0.1),
    Expect("truncated_normal", 0.02 * CUT, 0.04, {"stddev": 0.02}),
    Expect("truncated_normal", 2 * CUT, 4, {"stddev": 2}),
    Expect("uniform", 0.1 / math.sqrt(12), 0.05, distribution=Uniform),
    Expect("uniform", 4 / math.sqrt(12), 3, {"minval": -3, "maxval": 1}, Uniform),
    Expect("zeros", 0, 0, distribution=Constant),
    Expect("ones", 0, 1, distribution=Constant),
    Expect("constant", 0, 0.5, {"value": -0.5}, Constant),
]


class TestDistributions:
    @pytest.mark.parametrize("case", DISTRIBUTIONS, ids=lambda case: f"{case.name} {dict(case.arguments)}")
    def test_agree_with_the_documentation(self, case: Expect) -> None:
        distribution = make(case.name, case.arguments).distribution(FANS)
        assert type(distribution) is case.distribution
        assert distribution.std == pytest.approx(case.std, rel=1e-15)
        assert distribution.bound == pytest.approx(case.bound, rel=1e-15)

    def test_every_row_is_in_the_table(self) -> None:
        assert {case.name for case in DISTRIBUTIONS} == set(FAMILY)

    @pytest.mark.parametrize("fan_in", [1, 2, 9, 4096, 2**40])
    def test_lecun_normal_has_variance_one_over_fan_in(self, fan_in: int) -> None:
        distribution = make("lecun_normal").distribution(Fans(fan_in, 3))
        assert distribution.std**2 * fan_in == pytest.approx(1, rel=1e-14)
        assert distribution.bound * math.sqrt(fan_in) == pytest.approx(2.273694468677113, rel=1e-14)

    def test_lecun_normal_is_variance_scaling_with_its_defaults(self) -> None:
        assert make("lecun_normal").distribution(FANS) == make("variance_scaling").distribution(FANS)

    @pytest.mark.parametrize("name", [name for name, row in FAMILY.items() if not row.needs_fans])
    def test_fans_are_needed_only_if_the_distribution_depends_on_them(self, name: str) -> None:
        initializer = make(name, {"value": 3} if name == "constant" else {})
        assert not initializer.needs_fans
        assert initializer.distribution(None) == initializer.distribution(FANS)

    @pytest.mark.parametrize(("value", "kept"), [(2**53 + 1, 2**53 + 1), (True, 1), (0.5, 0.5), (-3, -3)])
    def test_a_constant_keeps_its_integers_exact(self, value: float, kept: float) -> None:
        distribution = make("constant", {"value": value}).distribution(None)
        assert isinstance(distribution, Constant)
        assert distribution.value == kept
        assert type(distribution.value) is type(kept)

    def test_only_constants_are_not_random(self) -> None:
        assert {name for name, row in FAMILY.items() if not row.is_random} == {"zeros", "ones", "constant"}


class TestValues:
    def test_equal_arguments_make_equal_initializers(self) -> None:
        assert make("truncated_normal") == make("truncated_normal", {"stddev": 0.05})
        assert make("uniform", {"maxval": 1, "minval": 0}) == make("uniform", {"minval": 0.0, "maxval": 1.0})

    def test_json_holds_the_name_and_every_argument(self) -> None:
        assert make("lecun_normal").to_json() == {"name": "lecun_normal"}
        assert make("variance_scaling", {"scale": 2}).to_json() == {
            "name": "variance_scaling",
            "scale": 2.0,
            "mode": "fan_in",
            "distribution": "truncated_normal",
        }

    @pytest.mark.parametrize("case", DISTRIBUTIONS, ids=lambda case: f"{case.name} {dict(case.arguments)}")
    def test_json_makes_the_same_initializer_again(self, case: Expect) -> None:
        initializer = make(case.name, case.arguments)
        document = dict(initializer.to_json())
        assert make(str(document.pop("name")), document) == initializer


@dataclass(frozen=True)
class ExpectFail:
    name: str
    arguments: Mapping[str, object]
    message: str
    help: str | None = None


class TestErrors:
    @pytest.mark.parametrize(
        ("name", "nearest"),
        [
            *REFUSED.items(),
            ("LecunNormal", "lecun_normal"),
            ("HeUniform", "he_uniform"),
            ("lecun_norml", "lecun_normal"),
            ("kaiming_normal_", "he_normal"),
            ("xavier_uniform_", "glorot_uniform"),
            ("trunc_normal_", "truncated_normal"),
            ("RandomNormal", "truncated_normal"),
            ("OrthogonalInitializer", "lecun_normal"),
            ("zeros_", "zeros"),
            ("zero", "zeros"),
        ],
    )
    def test_an_unknown_name_gets_the_nearest_one(self, name: str, nearest: str) -> None:
        with pytest.raises(InitializerError) as caught:
            make(name)
        assert caught.value.message == f'unknown initializer "{name}"'
        assert caught.value.help == f"the nearest one is {nearest}"

    def test_a_name_without_a_similar_one_gets_the_list(self) -> None:
        with pytest.raises(InitializerError) as caught:
            make("xyzzy")
        assert caught.value.help == f"choose one of {', '.join(FAMILY)}"

    @pytest.mark.parametrize("nearest", sorted(set(REFUSED.values())))
    def test_the_replacement_of_a_refused_name_exists(self, nearest: str) -> None:
        assert nearest in FAMILY

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(
                "lecun_normal", {"seed": 1}, 'lecun_normal has no argument "seed"', "it takes no arguments"
            ),
            ExpectFail(
                "truncated_normal", {"mean": 1}, 'truncated_normal has no argument "mean"', "it takes stddev"
            ),
            ExpectFail("uniform", {"low": 1}, 'uniform has no argument "low"', "it takes minval, maxval"),
            ExpectFail("constant", {}, 'missing argument "value" of constant'),
            ExpectFail("constant", {"value": "one"}, "value of constant: expected a number, got 'one'"),
            ExpectFail(
                "constant", {"value": math.nan}, "value of constant: expected a finite number, got nan"
            ),
            ExpectFail(
                "truncated_normal",
                {"stddev": 0},
                "stddev of truncated_normal: expected a positive number, got 0",
            ),
            ExpectFail(
                "truncated_normal",
                {"stddev": -1.0},
                "stddev of truncated_normal: expected a positive number, got -1.0",
            ),
            ExpectFail(
                "truncated_normal",
                {"stddev": True},
                "stddev of truncated_normal: expected a number, got True",
            ),
            ExpectFail(
                "truncated_normal",
                {"stddev": math.inf},
                "stddev of truncated_normal: expected a finite number, got inf",
            ),
            ExpectFail(
                "truncated_normal", {"stddev": 10**400}, "stddev of truncated_normal overflows a float"
            ),
            ExpectFail(
                "variance_scaling",
                {"scale": 0},
                "scale of variance_scaling: expected a positive number, got 0",
            ),
            ExpectFail(
                "variance_scaling",
                {"mode": "fan"},
                "mode of variance_scaling: expected one of fan_in, fan_out, fan_avg, got 'fan'",
            ),
            ExpectFail(
                "variance_scaling",
                {"mode": ["fan_in"]},
                "mode of variance_scaling: expected one of fan_in, fan_out, fan_avg, got ['fan_in']",
            ),
            ExpectFail(
                "variance_scaling",
                {"distribution": "normal"},
                "distribution of variance_scaling: expected one of truncated_normal, uniform, got 'normal'",
            ),
            ExpectFail(
                "uniform", {"minval": 1}, "range of uniform: expected minval < maxval, got 1.0 and 0.05"
            ),
            ExpectFail(
                "uniform",
                {"minval": 0, "maxval": 0},
                "range of uniform: expected minval < maxval, got 0.0 and 0.0",
            ),
        ],
        ids=lambda case: f"{case.name} {dict(case.arguments)}"[:60],
    )
    def test_an_invalid_argument_is_an_error_with_the_rule(self, case: ExpectFail) -> None:
        with pytest.raises(InitializerError) as caught:
            make(case.name, case.arguments)
        assert caught.value.message == case.message
        assert caught.value.help == case.help
