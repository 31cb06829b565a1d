"""The moments of a unit-variance signal at each depth, and the verdict."""

from __future__ import annotations

import json
import math
import tracemalloc
from typing import TYPE_CHECKING

import numpy as np
import pytest

import lecun_cli
from lecun_cli.errors import UsageError
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation import propagator as propagation
from lecun_cli.propagation.chain import chain
from lecun_cli.propagation.propagator import propagate
from lecun_cli.propagation.result import Propagation
from lecun_cli.propagation.signal_verdict import judge
from lecun_cli.propagation.walk import inputs, moments
from lecun_cli.spec.load import Spec, load_spec, parse_spec
from lecun_cli.spec.samples import sample_names, sample_path

if TYPE_CHECKING:
    from pathlib import Path

SELU = "sample_specs/selu_32.yaml"


def deep(activation: str, depth: int = 16, width: int = 128, initializer: str = "lecun_normal") -> Spec:
    layer = (
        f'{{type: dense, name: "h{{i}}", in_features: {width}, out_features: {width}, '
        f"activation: {activation}, kernel_initializer: {initializer}}}"
    )
    return parse_spec(f"seed: 5\nlayers: [{{repeat: {depth}, layers: [{layer}]}}]")


def verdicts(propagation: Propagation) -> dict[str, str]:
    return {run.initializer: run.verdict.kind for run in propagation.runs}


class TestSelfNormalization:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_lecun_normal_keeps_mean_0_and_variance_1_through_32_selu_layers(self, seed: int) -> None:
        (run,) = propagate(load_spec(SELU, seed=seed)).runs
        hidden = [layer for layer in run.layers if layer.activation == "selu"]
        assert len(hidden) == 32
        assert all(abs(layer.mean) < 0.1 for layer in hidden)
        assert all(0.8 < layer.variance < 1.25 for layer in hidden)
        assert run.verdict.kind == "stays"

    def test_others_visibly_explode_or_vanish(self) -> None:
        propagation = propagate(load_spec(SELU), compare=["he_normal", "truncated_normal"])
        assert verdicts(propagation) == {
            "lecun_normal": "stays",
            "he_normal": "explodes",
            "truncated_normal": "vanishes",
        }
        assert propagation.runs[1].verdict.highest > 50
        assert propagation.runs[2].verdict.lowest < 0.02

    def test_relu_needs_he_normal(self) -> None:
        propagation = propagate(deep("relu"), compare=["he_normal"])
        assert verdicts(propagation)["lecun_normal"] == "vanishes"
        assert propagation.runs[0].verdict.factor == pytest.approx(0.5, rel=0.1)
        assert propagation.runs[1].verdict.factor == pytest.approx(1.0, rel=0.1)

    def test_linear_layers_double_the_variance_under_he_normal(self) -> None:
        (run,) = propagate(deep("linear", initializer="he_normal")).runs
        assert run.initializer == "he_normal"
        assert run.verdict.factor == pytest.approx(2.0, rel=0.05)
        assert "times" in run.verdict.said or "doubles every 1" in run.verdict.said

    def test_a_wrong_fan_rule_changes_the_variance(self) -> None:
        layer = "{type: depthwise_conv2d, name: a, in_channels: 64, kernel_size: 3, bias: false}"
        spec = parse_spec(f"seed: 1\nlayers: [{layer}]")
        wrong = parse_spec(f"seed: 1\nfan_rule: keras\nlayers: [{layer}]")
        assert propagate(spec).runs[0].layers[0].variance == pytest.approx(1.0, rel=0.15)
        assert propagate(wrong).runs[0].layers[0].variance == pytest.approx(1 / 64, rel=0.15)


class TestSamples:
    @pytest.mark.parametrize("name", [name for name in sample_names() if name not in {"gpt2", "resnet50"}])
    def test_can_be_propagated_through(self, name: str) -> None:
        spec = load_spec(str(sample_path(name)))
        (run,) = propagate(spec).runs
        assert [layer.depth for layer in run.layers] == [*range(1, len(spec.layers) + 1)]
        assert all(math.isfinite(layer.variance) for layer in run.layers)

    def test_gpt2_uses_only_its_matrices(self) -> None:
        spec = load_spec(str(sample_path("gpt2")), params={"d": 32, "vocab": 90, "positions": 40})
        propagation = propagate(spec, samples=64)
        assert len(propagation.runs[0].layers) == 2 + 12 * 6 + 1
        assert any("48 raw tensors are left out" in note for note in propagation.notes)

    def test_resnet50_uses_few_images(self) -> None:
        (run,) = propagate(load_spec(str(sample_path("resnet50"))), samples=2).runs
        assert len(run.layers) == 107
        assert run.layers[-1].entry == "flattened"


class TestInputs:
    def test_equal_lecun_normal_of_the_public_api_with_fan_in_1(self) -> None:
        spec = deep("relu", depth=1)
        (link,) = chain(spec.layers, make_plan(spec).layers, "keras").links
        x = inputs(link, 500, 9)
        same = lecun_cli.lecun_normal((500, 128), fan_in=1, seed=9, identity="propagate/h0")
        assert (x == same).all()
        assert moments(x) == pytest.approx((0.0, 1.0), abs=0.02)

    def test_of_an_embedding_are_uniform_token_ids(self) -> None:
        spec = parse_spec("layers: [{type: embedding, name: e, num_embeddings: 10, embedding_dim: 4}]")
        (link,) = chain(spec.layers, make_plan(spec).layers, "keras").links
        counts = np.bincount(inputs(link, 20_000, 0), minlength=10)
        assert len(counts) == 10
        assert np.abs(counts - 2000).max() < 250

    def test_of_another_seed_differ(self) -> None:
        a, b = (propagate(deep("selu"), input_seed=seed).runs[0].layers[0].mean for seed in (0, 1))
        assert a != b

    def test_of_the_same_seed_are_the_same(self) -> None:
        assert propagate(deep("selu")) == propagate(deep("selu"))


class TestRuns:
    def test_are_named_after_the_initializer_of_the_spec(self) -> None:
        assert propagate(deep("relu", initializer="he_uniform")).runs[0].initializer == "he_uniform"

    def test_of_a_spec_with_several_initializers_are_named_spec(self) -> None:
        text = ", ".join(
            f"{{type: dense, name: {name}, in_features: 4, out_features: 4, kernel_initializer: {name}}}"
            for name in ("he_normal", "lecun_normal")
        )
        propagation = propagate(
            parse_spec(f"seed: 1\nlayers: [{text}]"), compare=["he_normal", "lecun_normal"]
        )
        assert [run.initializer for run in propagation.runs] == ["spec", "he_normal", "lecun_normal"]

    def test_the_initializer_of_the_spec_is_not_compared_twice(self) -> None:
        assert len(propagate(deep("relu"), compare=["lecun_normal", "he_normal", "he_normal"]).runs) == 2

    def test_of_a_file_compare_with_the_seed_of_its_manifest(self, tmp_path: Path) -> None:
        spec = deep("linear", depth=3)
        lecun_cli.generate(make_plan(spec), tmp_path / "w.safetensors")
        propagation = propagate(tmp_path / "w.safetensors", compare=["lecun_normal"], activation="linear")
        spec_run, other = propagation.runs
        assert propagation.seed == 5
        assert [layer.variance for layer in spec_run.layers] == [layer.variance for layer in other.layers]

    def test_a_spec_without_a_seed_uses_0_with_a_note(self) -> None:
        propagation = propagate(
            parse_spec("layers: [{type: dense, name: a, in_features: 4, out_features: 4}]")
        )
        assert propagation.seed == 0
        assert "the spec has no seed: seed 0 is used" in propagation.notes

    def test_progress_counts_the_bytes_of_weights(self) -> None:
        calls: list[tuple[int, str]] = []
        spec = deep("relu", depth=2, width=8)
        propagate(spec, compare=["he_normal"], progress=lambda n, name: calls.append((n, name)))
        one = (8 * 8 + 8) * 4
        assert calls == [(one, "h0"), (2 * one, "h1"), (3 * one, "h0"), (4 * one, "h1")]

    def test_each_expert_gets_a_share_of_the_samples(self) -> None:
        layer = "{type: experts, name: a, num_experts: 3, in_features: 64, out_features: 48, bias: true}"
        propagation = propagate(parse_spec(f"seed: 1\nlayers: [{layer}]"))
        assert propagation.runs[0].layers[0].variance == pytest.approx(1.0, rel=0.1)
        assert any("experts" in note for note in propagation.notes)


class TestExtremes:
    def test_a_signal_that_overflows_float32_is_reported_and_the_rest_is_not_finite(self) -> None:
        propagation = propagate(
            deep("linear", depth=8, initializer="{name: uniform, minval: -1e9, maxval: 1e9}")
        )
        (run,) = propagation.runs
        assert run.verdict.kind == "overflows"
        assert run.layers[-1].variance == math.inf
        text = json.dumps(propagation.to_json(), allow_nan=False)
        assert json.loads(text)["runs"][0]["layers"][-1]["variance"] is None

    def test_a_signal_that_dies_is_reported(self) -> None:
        (run,) = propagate(deep("relu", initializer="{name: uniform, minval: -1e-9, maxval: 1e-9}")).runs
        assert run.verdict.kind == "dies"
        assert run.layers[-1].variance == 0.0

    def test_memory_stays_flat_whatever_the_size_of_a_kernel(self) -> None:
        layer = "{type: dense, name: a, in_features: 40000, out_features: 10000, bias: false}"  # 1.6 GB
        spec = parse_spec(f"seed: 1\nlayers: [{layer}]")
        tracemalloc.start()
        try:
            (run,) = propagate(spec, samples=4).runs
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert run.layers[0].variance == pytest.approx(1.0, rel=0.1)
        assert peak < 160 * 2**20

    def test_memory_stays_flat_whatever_the_size_of_an_image(self) -> None:
        layer = "{type: conv2d, name: a, in_channels: 32, out_channels: 4, kernel_size: 7, bias: false}"
        spec = parse_spec(f"seed: 1\nlayers: [{layer}]")
        tracemalloc.start()
        try:
            propagate(spec, samples=2, image_size=(160,))  # all windows together take 300 MB
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 160 * 2**20

    def test_samples_that_do_not_fit_in_memory_are_reduced_with_a_note(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(propagation, "MOST_SIGNAL_NBYTES", 2 * 4 * 128 * 10)
        result = propagate(deep("relu", depth=2), samples=1000)
        assert result.runs[0].layers[0].samples == 10
        assert "10 samples instead of 1,000 where more do not fit in memory" in result.notes

    def test_one_sample_that_does_not_fit_is_refused(self) -> None:
        layer = "{type: conv2d, name: a, in_channels: 512, out_channels: 512, kernel_size: 1}"
        with pytest.raises(UsageError, match='memory for one sample of the chain from "a"'):
            propagate(parse_spec(f"layers: [{layer}]"), image_size=(4096,))


class TestVerdict:
    @pytest.mark.parametrize(
        ("variances", "kind", "message"),
        [
            ([1.0, 0.9, 1.1, 1.0], "stays", "stays: variance from 0.9 to 1.1 over 4 layers"),
            ([1.0], "stays", "stays: variance from 1 to 1 over 1 layer"),
            (
                [2.0, 4.0, 8.0, 16.0],
                "explodes",
                "explodes: variance 16 after 4 layers, doubles every 1 layers",
            ),
            ([8.0, 64.0, 512.0], "explodes", "explodes: variance 512 after 3 layers, times 8 in every layer"),
            (
                [0.5, 0.25, 0.125],
                "vanishes",
                "vanishes: variance 0.125 after 3 layers, halves every 1 layers",
            ),
            ([9.0, 9.0, 9.0], "drifts", "drifts: variance from 9 to 9 over 3 layers"),
            ([0.3, 0.6, 1.2], "drifts", "drifts: variance from 0.3 to 1.2 over 3 layers"),
            ([1.0, 0.0, 0.0], "dies", "dies: all outputs are one value from layer 2 of 3"),
            ([1e9, 1e20, math.inf], "overflows", "explodes: past float32 in layer 3 of 3"),
            ([], "stays", "stays: variance from 0 to 0 over 0 layers"),
        ],
    )
    def test_describes_how_the_variance_changes(
        self, variances: list[float], kind: str, message: str
    ) -> None:
        verdict = judge(variances)
        assert verdict.kind == kind
        assert verdict.said.startswith(message)

    def test_is_about_the_longest_chain_without_softmax(self) -> None:
        (run,) = propagate(load_spec(SELU)).runs
        assert run.layers[-1].activation == "softmax"
        assert run.verdict.n_layers == 32


class TestMoments:
    def test_are_computed_over_all_elements_in_float64(self) -> None:
        x = (np.random.default_rng(0).standard_normal(3_000_000) + 1000).astype(np.float32).reshape(3, -1)
        assert moments(x) == pytest.approx((x.mean(dtype=np.float64), x.var(dtype=np.float64)), rel=1e-9)

    @pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
    def test_are_not_finite_where_an_element_is_not(self, bad: float) -> None:
        mean, variance = moments(np.array([1.0, bad, math.inf], np.float32))
        assert math.isnan(mean)
        assert variance == math.inf


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"activation": "rleu"}, 'unknown activation "rleu"'),
            ({"samples": 1}, "samples: expected 2 to"),
            ({"image_size": (0,)}, "image size: expected at least 1, got 0"),
            ({"input_seed": -1}, r"input seed: expected 0 to 2\*\*64 - 1, got -1"),
            ({"compare": ["kaiming_normal"]}, "the nearest one is he_normal"),
            ({"compare": ["zeros"]}, "cannot compare zeros"),
        ],
    )
    def test_out_of_range_are_refused(self, arguments: dict[str, object], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            propagate(deep("relu", depth=1, width=4), **arguments)  # type: ignore[arg-type]

    def test_invalid_groups_are_reported_with_the_layer(self) -> None:
        with pytest.raises(UsageError, match='groups of "n": expected a divisor of features = 12, got 32'):
            propagate(parse_spec("layers: [{type: group_normalization, name: n, features: 12}]"))
