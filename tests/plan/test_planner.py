"""Tests of the planner: names, shapes, identities, rules, fans, and values that do not fit."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from dataclasses import dataclass, replace

import pytest

from lecun_cli.errors import Diagnostic, PlanError, Span, SpecError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.distributions import Constant, TruncatedNormal
from lecun_cli.initializers.fans import Fans
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import PackedParameter, Plan, TensorPlan
from lecun_cli.spec.load import parse_spec

DENSE = "{type: dense, name: NAME, in_features: 100, out_features: 64}"


def plan_of(text: str, framework: str = "keras", fan_rule: str = "exact") -> Plan:
    return make_plan(parse_spec(text, "spec.yaml", framework=framework, fan_rule=fan_rule))


def one(layer: str, framework: str = "keras", fan_rule: str = "exact") -> Plan:
    return plan_of(f"layers: [{layer}]\n", framework, fan_rule)


def tensor_of(plan: Plan, name: str) -> TensorPlan:
    tensor = plan.tensor(name)
    assert tensor is not None
    return tensor


def part_of(plan: Plan, name: str) -> PackedParameter:
    (part,) = tensor_of(plan, name).parts
    return part


def diagnostics_of(text: str, framework: str = "keras", fan_rule: str = "exact") -> tuple[Diagnostic, ...]:
    with pytest.raises(PlanError) as caught:
        plan_of(text, framework, fan_rule)
    return caught.value.diagnostics


Row = tuple[str, tuple[int, ...], tuple[int, ...] | None]


@dataclass(frozen=True)
class Expect:
    """A layer, and the name, shape and axes of each tensor that each framework stores for it."""

    layer: str
    keras: tuple[Row, ...]
    torch: tuple[Row, ...]


LAYER_TYPES = [
    Expect(
        "{type: dense, name: x, in_features: 5, out_features: 7}",
        (("x/kernel", (5, 7), (1, 0)), ("x/bias", (7,), None)),
        (("x.weight", (7, 5), None), ("x.bias", (7,), None)),
    ),
    Expect(
        "{type: dense, name: x, in_features: 5, out_features: 7, bias: false}",
        (("x/kernel", (5, 7), (1, 0)),),
        (("x.weight", (7, 5), None),),
    ),
    Expect(
        "{type: experts, name: x, num_experts: 3, in_features: 5, out_features: 7, bias: true}",
        (("x/kernel", (3, 5, 7), (0, 2, 1)), ("x/bias", (3, 7), None)),
        (("x.weight", (3, 7, 5), None), ("x.bias", (3, 7), None)),
    ),
    Expect(
        "{type: conv1d, name: x, in_channels: 4, out_channels: 6, kernel_size: 3}",
        (("x/kernel", (3, 4, 6), (2, 1, 0)), ("x/bias", (6,), None)),
        (("x.weight", (6, 4, 3), None), ("x.bias", (6,), None)),
    ),
    Expect(
        "{type: conv2d, name: x, in_channels: 4, out_channels: 6, kernel_size: [3, 5], groups: 2}",
        (("x/kernel", (3, 5, 2, 6), (2, 3, 1, 0)), ("x/bias", (6,), None)),
        (("x.weight", (6, 2, 3, 5), None), ("x.bias", (6,), None)),
    ),
    Expect(
        "{type: conv3d, name: x, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3], bias: false}",
        (("x/kernel", (1, 2, 3, 4, 6), (2, 3, 4, 1, 0)),),
        (("x.weight", (6, 4, 1, 2, 3), None),),
    ),
    Expect(
        "{type: embedding, name: x, num_embeddings: 11, embedding_dim: 5}",
        (("x/embeddings", (11, 5), None),),
        (("x.weight", (11, 5), None),),
    ),
    Expect(
        "{type: layer_normalization, name: x, features: [4, 5]}",
        (("x/gamma", (4, 5), None), ("x/beta", (4, 5), None)),
        (("x.weight", (4, 5), None), ("x.bias", (4, 5), None)),
    ),
    Expect(
        "{type: layer_normalization, name: x, features: 4, center: false}",
        (("x/gamma", (4,), None),),
        (("x.weight", (4,), None),),
    ),
    Expect(
        "{type: rms_normalization, name: x, features: 4}",
        (("x/scale", (4,), None),),
        (("x.weight", (4,), None),),
    ),
    Expect(
        "{type: batch_normalization, name: x, features: 4}",
        (
            ("x/gamma", (4,), None),
            ("x/beta", (4,), None),
            ("x/moving_mean", (4,), None),
            ("x/moving_variance", (4,), None),
        ),
        (
            ("x.weight", (4,), None),
            ("x.bias", (4,), None),
            ("x.running_mean", (4,), None),
            ("x.running_var", (4,), None),
            ("x.num_batches_tracked", (), None),
        ),
    ),
    Expect(
        "{type: batch_normalization, name: x, features: 4, scale: false, center: false}",
        (("x/moving_mean", (4,), None), ("x/moving_variance", (4,), None)),
        (
            ("x.running_mean", (4,), None),
            ("x.running_var", (4,), None),
            ("x.num_batches_tracked", (), None),
        ),
    ),
    Expect(
        "{type: group_normalization, name: x, features: 32, groups: 4}",
        (("x/gamma", (32,), None), ("x/beta", (32,), None)),
        (("x.weight", (32,), None), ("x.bias", (32,), None)),
    ),
    Expect(
        "{type: tensor, name: a.b/c, shape: [3, 2], in_axes: [0]}",
        (("a.b/c", (3, 2), None),),
        (("a.b/c", (3, 2), None),),
    ),
]


def rows_of(plan: Plan) -> set[Row]:
    return {(tensor.name, tensor.shape, tensor.parts[0].axes) for tensor in plan.tensors}


class TestLayerTypes:
    @pytest.mark.parametrize("case", LAYER_TYPES, ids=lambda case: case.layer)
    def test_are_stored_as_each_framework_stores_them(self, case: Expect) -> None:
        assert rows_of(one(case.layer, "keras")) == set(case.keras)
        assert rows_of(one(case.layer, "torch")) == set(case.torch)

    @pytest.mark.parametrize("case", LAYER_TYPES, ids=lambda case: case.layer)
    def test_are_the_same_parameters_in_every_framework(self, case: Expect) -> None:
        canonical = {}
        for framework in FRAMEWORKS:
            parts = [part for tensor in one(case.layer, framework).tensors for part in tensor.parts]
            canonical[framework] = {
                part.identity: (part.canonical_shape, part.initializer, part.fans, part.distribution)
                for part in parts
                if not part.identity.endswith("num_batches_tracked")  # a counter that only torch has
            }
        first, *others = canonical.values()
        assert all(other == first for other in others)

    @pytest.mark.parametrize("case", LAYER_TYPES, ids=lambda case: case.layer)
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_stored_axes_follow_from_the_canonical_ones(self, framework: str, case: Expect) -> None:
        for tensor in one(case.layer, framework).tensors:
            for part in tensor.parts:
                axes = range(len(part.shape)) if part.axes is None else part.axes
                assert tuple(part.canonical_shape[axis] for axis in axes) == part.shape

    @pytest.mark.parametrize(
        ("layer", "fans"),
        [
            ("{type: dense, name: x, in_features: 5, out_features: 7}", Fans(5, 7)),
            ("{type: experts, name: x, num_experts: 3, in_features: 5, out_features: 7}", Fans(5, 7)),
            ("{type: conv1d, name: x, in_channels: 4, out_channels: 6, kernel_size: 3}", Fans(12, 18)),
            (
                "{type: conv2d, name: x, in_channels: 4, out_channels: 8, kernel_size: 3, groups: 4}",
                Fans(9, 18),
            ),
            (
                "{type: conv3d, name: x, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3]}",
                Fans(24, 36),
            ),
        ],
    )
    def test_exact_fan_in_is_the_inputs_of_one_output(self, layer: str, fans: Fans) -> None:
        for framework, name in (("keras", "x/kernel"), ("torch", "x.weight")):
            part = part_of(one(layer, framework), name)
            assert (part.fans, part.exact) == (fans, fans)
            assert part.distribution.std == pytest.approx(math.sqrt(1 / fans.fan_in))

    def test_an_embedding_has_its_width_as_fan(self) -> None:
        plan = one("{type: embedding, name: x, num_embeddings: 11, embedding_dim: 5}")
        assert part_of(plan, "x/embeddings").fans == Fans(5, 11)

    def test_a_batch_normalization_counts_in_int64_regardless_of_the_dtype(self) -> None:
        plan = plan_of(
            "dtype: float16\nlayers: [{type: batch_normalization, name: x, features: 4}]\n", "torch"
        )
        assert {t.name: t.dtype for t in plan.tensors} == {
            "x.num_batches_tracked": "int64",
            "x.weight": "float16",
            "x.bias": "float16",
            "x.running_mean": "float16",
            "x.running_var": "float16",
        }
        assert part_of(plan, "x.running_var").distribution == Constant(1)
        assert part_of(plan, "x.num_batches_tracked").distribution == Constant(0)


class TestPackedParameter:
    @pytest.mark.parametrize("axes", [*itertools.permutations(range(3)), None])
    def test_canonical_shape_undoes_the_axes(self, axes: tuple[int, ...] | None) -> None:
        canonical = (2, 3, 5)
        stored = canonical if axes is None else tuple(canonical[axis] for axis in axes)
        template = part_of(one(DENSE), "NAME/kernel")
        assert replace(template, shape=stored, axes=axes).canonical_shape == canonical


class TestIdentities:
    def test_are_canonical_paths(self) -> None:
        plan = plan_of(f"layers: [{{name: g.h, layers: [{DENSE}]}}]\n", "torch")
        assert {part.identity for t in plan.tensors for part in t.parts} == {
            "g/h/NAME/kernel",
            "g/h/NAME/bias",
        }

    def test_of_raw_tensors_are_their_verbatim_names(self) -> None:
        text = (
            "layers: [{name: g, layers: [{type: tensor, name: a.w, shape: [2], initializer: zeros}]}]\n"
            "tensors: [{name: a.w, shape: [2], initializer: zeros}]\n"
        )
        plan = plan_of(text, "torch")
        assert {t.name: t.parts[0].identity for t in plan.tensors} == {"g.a.w": "g/a.w", "a.w": "a.w"}

    def test_clash_if_only_the_separator_differs(self) -> None:
        (first, second) = diagnostics_of(
            f"layers:\n  - {DENSE.replace('NAME', 'a.b')}\n  - {DENSE.replace('NAME', 'a/b')}\n"
        )
        assert first.message == 'two tensors have the name "a/b/kernel"'
        assert second.message == 'two tensors have the name "a/b/bias"'

    def test_a_duplicate_name_is_reported_with_both_locations(self) -> None:
        diagnostics = diagnostics_of(f"layers:\n  - {DENSE}\n  - {DENSE}\n")
        assert [diagnostic.message for diagnostic in diagnostics] == [
            'two tensors have the name "NAME/kernel"',
            'two tensors have the name "NAME/bias"',
        ]
        for diagnostic in diagnostics:
            assert diagnostic.span == Span(3, 25, 4)
            assert diagnostic.related == (Span(2, 25, 4), "the first is here")
            assert diagnostic.help == "rename one of them"

    def test_a_repeat_without_its_index_gets_advice(self) -> None:
        diagnostics = diagnostics_of(f"layers:\n  - repeat: 2\n    layers:\n      - {DENSE}\n")
        assert [diagnostic.message for diagnostic in diagnostics] == [
            'several tensors of one layer have the name "NAME/kernel"',
            'several tensors of one layer have the name "NAME/bias"',
        ]
        assert {diagnostic.help for diagnostic in diagnostics} == {
            'a repeat needs its index in a name: "block_{i}"'
        }

    def test_one_identity_under_two_names_is_reported_with_both_locations(self) -> None:
        text = (
            "layers:\n"
            "  - {type: dense, name: a, in_features: 2, out_features: 2, bias: false}\n"
            "tensors:\n"
            "  - {name: a/kernel, shape: [2], initializer: zeros}\n"
        )
        (diagnostic,) = diagnostics_of(text, "torch")
        assert (
            diagnostic.message
            == 'two parameters have the identity "a/kernel", so they would have the same weights'
        )
        assert diagnostic.span == Span(4, 12, 8)
        assert diagnostic.related == (Span(2, 25, 1), "the first is here")
        assert diagnostic.help == "rename one of them, or share the weights on purpose with `stream:`"

    @pytest.mark.parametrize("order", [(0, 1), (1, 0)])
    def test_stream_shares_weights_on_purpose(self, order: tuple[int, int]) -> None:
        layers = (
            "{type: dense, name: a.b, in_features: 2, out_features: 3}",
            "{type: dense, name: c, in_features: 2, out_features: 3, stream: a.b}",
        )
        plan = plan_of(f"layers: [{layers[order[0]]}, {layers[order[1]]}]\n")
        assert part_of(plan, "c/kernel").identity == part_of(plan, "a/b/kernel").identity == "a/b/kernel"

    def test_stream_of_a_raw_tensor_is_any_identity(self) -> None:
        text = (
            "layers: [{type: embedding, name: wte, num_embeddings: 5, embedding_dim: 3}]\n"
            "tensors: [{name: head, shape: [5, 3], in_axes: [1], stream: wte/embeddings}]\n"
        )
        assert part_of(plan_of(text), "head").identity == "wte/embeddings"

    def test_stream_does_not_excuse_a_clash_of_others(self) -> None:
        text = (
            "layers:\n"
            "  - {type: tensor, name: s, shape: [2], initializer: zeros, stream: a/kernel}\n"
            "  - {type: dense, name: a, in_features: 2, out_features: 2, bias: false}\n"
            "  - {type: tensor, name: a/kernel, shape: [2], initializer: zeros}\n"
        )
        (diagnostic,) = diagnostics_of(text, "torch")
        assert "identity" in diagnostic.message
        assert diagnostic.related == (Span(3, 25, 1), "the first is here")


class TestRules:
    LAYERS = (
        f"layers: [{{name: g, layers: [{DENSE}]}}, {{type: rms_normalization, name: norm, features: 4}}]\n"
    )

    def plan(self, rules: str, framework: str = "torch") -> Plan:
        return plan_of(f"{self.LAYERS}rules: [{rules}]\n", framework)

    def test_change_the_dtype_of_matching_tensors(self) -> None:
        plan = self.plan("{match: '*norm.weight', dtype: float16}")
        assert {t.name: t.dtype for t in plan.tensors} == {
            "norm.weight": "float16",
            "g.NAME.weight": "float32",
            "g.NAME.bias": "float32",
        }

    def test_change_the_initializer_of_matching_tensors(self) -> None:
        plan = self.plan("{match: 'g.*.weight', initializer: {name: truncated_normal, stddev: 0.02}}")
        assert part_of(plan, "g.NAME.weight").distribution == TruncatedNormal(0.02)
        assert part_of(plan, "g.NAME.bias").distribution == Constant(0)

    def test_later_ones_win_field_by_field(self) -> None:
        plan = self.plan(
            "{match: '*', dtype: float16, initializer: ones}, {match: '*bias', dtype: float64},"
            " {match: 'g*', initializer: {name: constant, value: 2}}"
        )
        assert {t.name: (t.dtype, t.parts[0].distribution) for t in plan.tensors} == {
            "norm.weight": ("float16", Constant(1)),
            "g.NAME.weight": ("float16", Constant(2)),
            "g.NAME.bias": ("float64", Constant(2)),
        }

    def test_win_over_the_layer(self) -> None:
        text = (
            f"layers: [{DENSE[:-1]}, dtype: float64, kernel_initializer: ones}}]\n"
            "rules: [{match: '*', dtype: float16, initializer: zeros}]\n"
        )
        (bias, kernel) = plan_of(text).tensors
        assert (kernel.dtype, kernel.parts[0].distribution, bias.dtype) == ("float16", Constant(0), "float16")

    @pytest.mark.parametrize(
        "match", ["g/NAME/kernel", "g/*/kernel", "*kernel", "g.NAME.weight", "?.NAME.w[e]ight"]
    )
    def test_match_a_name_or_an_identity(self, match: str) -> None:
        plan = self.plan(f"{{match: '{match}', dtype: float16}}")
        assert [t.name for t in plan.tensors if t.dtype == "float16"] == ["g.NAME.weight"]

    @pytest.mark.parametrize("match", ["NAME", "G.NAME.WEIGHT", "g.NAME", "weight"])
    def test_match_the_whole_name_in_its_case(self, match: str) -> None:
        assert self.plan(f"{{match: '{match}', dtype: float16}}").warnings == (
            f'the rule for "{match}" matches no tensor',
        )

    def test_that_match_nothing_give_a_warning(self) -> None:
        plan = self.plan(
            "{match: 'g*', dtype: float16}, {match: 'h*', dtype: float16}, {match: 'k*', dtype: float16}"
        )
        assert plan.warnings == ('the rule for "h*" matches no tensor', 'the rule for "k*" matches no tensor')

    def test_that_a_later_rule_overrides_give_no_warning(self) -> None:
        assert self.plan("{match: 'g*', dtype: float16}, {match: '*', dtype: float64}").warnings == ()


class TestDTypes:
    def test_the_layer_wins_over_the_spec(self) -> None:
        text = f"dtype: float16\nlayers: [{DENSE[:-1]}, dtype: float64}}, {DENSE.replace('NAME', 'b')}]\n"
        assert [(t.name, t.dtype) for t in plan_of(text).tensors] == [
            ("NAME/bias", "float64"),
            ("NAME/kernel", "float64"),
            ("b/bias", "float16"),
            ("b/kernel", "float16"),
        ]

    @dataclass(frozen=True)
    class ExpectFail:
        dtype: str
        initializer: str
        message: str
        help: str | None = None

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(
                "int8",
                "lecun_uniform",
                '"t": expected a float dtype for lecun_uniform, got int8',
                "give it a float dtype, or an initializer such as zeros",
            ),
            ExpectFail(
                "bool",
                "lecun_normal",
                '"t": expected a float dtype for lecun_normal, got bool',
                "give it a float dtype, or an initializer such as zeros",
            ),
            ExpectFail(
                "int8", "{name: constant, value: 0.5}", '"t": expected a whole number for int8, got 0.5'
            ),
            ExpectFail("uint8", "{name: constant, value: -1}", '"t": expected at least 0 for uint8, got -1'),
            ExpectFail(
                "int8",
                "{name: constant, value: 128}",
                '"t" overflows int8: expected magnitudes of at most 127, got 128',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "bool",
                "{name: constant, value: 2}",
                '"t" overflows bool: expected magnitudes of at most 1, got 2',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "float16",
                "{name: constant, value: -70000}",
                '"t" overflows float16: expected magnitudes of at most 65504, got 70000',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "float16",
                "{name: truncated_normal, stddev: 40000}",
                '"t" overflows float16: expected magnitudes of at most 65504, got 80000',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "float8_e4m3fn",
                "{name: uniform, minval: -500, maxval: 1}",
                '"t" overflows float8_e4m3fn: expected magnitudes of at most 448, got 500',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "float32",
                "{name: truncated_normal, stddev: 1e39}",
                '"t" overflows float32: expected magnitudes of at most 3.40282e+38, got 2e+39',
                "give it a wider dtype or a smaller scale",
            ),
            ExpectFail(
                "float64",
                "{name: truncated_normal, stddev: 1e308}",
                '"t" overflows float64: expected magnitudes of at most 1.79769e+308, got inf',
                "give it a wider dtype or a smaller scale",
            ),
        ],
        ids=lambda case: f"{case.dtype} {case.initializer}",
    )
    def test_must_fit_every_value_of_the_distribution(self, case: ExpectFail) -> None:
        fields = f"shape: [3, 2], in_axes: [0], dtype: {case.dtype}, initializer: {case.initializer}"
        text = f"tensors:\n  - {{name: t, {fields}}}\n"
        (diagnostic,) = diagnostics_of(text)
        assert (diagnostic.message, diagnostic.help) == (case.message, case.help)
        assert diagnostic.span == Span(2, 12, 1)

    @pytest.mark.parametrize(
        ("dtype", "initializer"),
        [
            ("int64", "{name: constant, value: 9223372036854775807}"),
            ("uint64", "{name: constant, value: 18446744073709551615}"),
            ("int8", "{name: constant, value: 127.0}"),
            ("bool", "ones"),
            ("bool", "{name: constant, value: true}"),
            ("float16", "{name: constant, value: 65504}"),
            ("float8_e4m3fn", "lecun_normal"),
        ],
    )
    def test_accept_the_largest_values_that_fit(self, dtype: str, initializer: str) -> None:
        fields = f"shape: [3, 2], in_axes: [0], dtype: {dtype}, initializer: {initializer}"
        text = f"tensors: [{{name: t, {fields}}}]\n"
        assert tensor_of(plan_of(text), "t").dtype == dtype

    def test_uint64_past_its_end_is_refused(self) -> None:
        initializer = f"{{name: constant, value: {2**64}}}"
        text = f"tensors: [{{name: t, shape: [1], dtype: uint64, initializer: {initializer}}}]\n"
        (diagnostic,) = diagnostics_of(text)
        assert diagnostic.message.startswith('"t" overflows uint64')


class TestFanRules:
    @dataclass(frozen=True)
    class Expect:
        id: str
        layer: str
        param_name: str
        exact: Fans
        keras: Fans
        torch: Fans

    CASES = (
        Expect(
            "dense",
            "{type: dense, name: x, in_features: 5, out_features: 7}",
            "kernel",
            Fans(5, 7),
            Fans(5, 7),
            Fans(5, 7),
        ),
        Expect(
            "experts",
            "{type: experts, name: x, num_experts: 3, in_features: 5, out_features: 7}",
            "kernel",
            Fans(5, 7),
            Fans(15, 21),
            Fans(35, 15),
        ),
        Expect(
            "conv",
            "{type: conv2d, name: x, in_channels: 4, out_channels: 6, kernel_size: 3}",
            "kernel",
            Fans(36, 54),
            Fans(36, 54),
            Fans(36, 54),
        ),
        Expect(
            "grouped conv",
            "{type: conv2d, name: x, in_channels: 4, out_channels: 8, kernel_size: 3, groups: 4}",
            "kernel",
            Fans(9, 18),
            Fans(9, 72),
            Fans(9, 72),
        ),
        Expect(
            "embedding",
            "{type: embedding, name: x, num_embeddings: 11, embedding_dim: 5}",
            "embeddings",
            Fans(5, 11),
            Fans(11, 5),
            Fans(5, 11),
        ),
        Expect(
            "raw (in, out)",
            "{type: tensor, name: x, shape: [4, 6], in_axes: [0]}",
            "",
            Fans(4, 6),
            Fans(4, 6),
            Fans(6, 4),
        ),
        Expect(
            "raw of three axes",
            "{type: tensor, name: x, shape: [2, 4, 6], in_axes: [0]}",
            "",
            Fans(2, 24),
            Fans(8, 12),
            Fans(24, 12),
        ),
    )

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_are_what_each_framework_computes_regardless_of_the_names(
        self, framework: str, case: Expect
    ) -> None:
        for rule, fans in (("exact", case.exact), ("keras", case.keras), ("torch", case.torch)):
            plan = one(case.layer, framework, rule)
            (part,) = [
                p for t in plan.tensors for p in t.parts if p.identity in {"x", f"x/{case.param_name}"}
            ]
            assert (part.fans, part.exact) == (fans, case.exact)
            assert part.distribution.std == pytest.approx(math.sqrt(1 / fans.fan_in))

    @pytest.mark.parametrize("rule", ["exact", "keras", "torch"])
    def test_keep_a_fan_in_of_the_spec(self, rule: str) -> None:
        plan = one("{type: tensor, name: x, shape: [4, 6], fan_in: 17}", "torch", rule)
        assert part_of(plan, "x").fans == Fans(17, 1)
        plan = one("{type: tensor, name: x, shape: [4, 6], fan_in: 17, fan_out: 3}", "torch", rule)
        assert part_of(plan, "x").fans == Fans(17, 3)

    def test_derive_a_fan_out_from_the_fan_in(self) -> None:
        assert part_of(one("{type: tensor, name: x, shape: [4, 6], fan_in: 4}"), "x").fans == Fans(4, 6)

    @pytest.mark.parametrize("rule", ["exact", "keras", "torch"])
    def test_do_not_apply_to_constants(self, rule: str) -> None:
        part = part_of(one(DENSE, "keras", rule), "NAME/bias")
        assert (part.fans, part.distribution) == (None, Constant(0))

    def test_an_undefined_fan_is_reported_with_advice(self) -> None:
        (diagnostic,) = diagnostics_of("tensors:\n  - {name: t, shape: [512]}\n")
        assert diagnostic.message == 'lecun_normal needs a fan-in, and that of "t" [512] is undefined'
        assert diagnostic.span == Span(2, 12, 1)
        assert (
            diagnostic.help
            == "give `fan_in:` or `in_axes:`, or an initializer without fans, such as zeros for a bias"
        )

    def test_a_bias_has_a_fan_under_keras_only(self) -> None:
        layer = f"{DENSE[:-1]}, bias_initializer: lecun_normal}}"
        (diagnostic,) = diagnostics_of(f"layers: [{layer}]\n")
        assert diagnostic.message == 'lecun_normal needs a fan-in, and that of "NAME/bias" [64] is undefined'
        (diagnostic,) = diagnostics_of(f"layers: [{layer}]\n", fan_rule="torch")
        assert (
            diagnostic.message == 'the fans of "NAME/bias" are undefined: '
            "torch has no fans for a shape of fewer than two axes, [64]"
        )
        assert part_of(one(layer, "keras", "keras"), "NAME/bias").fans == Fans(64, 64)

    def test_every_undefined_fan_is_reported(self) -> None:
        diagnostics = diagnostics_of("tensors:\n  - {name: t, shape: [5]}\n  - {name: u, shape: [6]}\n")
        assert [diagnostic.span and diagnostic.span.line for diagnostic in diagnostics] == [2, 3]


class TestSizes:
    def test_are_sizes_of_stored_bytes(self) -> None:
        plan = plan_of(f"dtype: bfloat16\nlayers: [{DENSE}]\nrules: [{{match: '*bias', dtype: float64}}]\n")
        assert (plan.n_elements, plan.nbytes) == (6464, 6400 * 2 + 64 * 8)

    def test_a_scalar_has_one_element(self) -> None:
        tensor = tensor_of(plan_of("tensors: [{name: t, shape: [], initializer: ones}]\n"), "t")
        assert (tensor.n_elements, tensor.nbytes) == (1, 4)

    def test_whose_sum_overflows_are_refused(self) -> None:
        text = "tensors: [{name: t, shape: [2**40, 2**40], in_axes: [0]}]\n"
        with pytest.raises(SpecError, match="overflow"):
            plan_of(text)

    def test_of_half_the_limit_are_planned_quickly(self) -> None:
        plan = plan_of("dtype: uint8\ntensors: [{name: t, shape: [2**31, 2**31], initializer: zeros}]\n")
        assert plan.nbytes == 2**62


class TestOrder:
    LAYERS = (
        "{type: dense, name: b, in_features: 2, out_features: 3}",
        "{type: dense, name: a, in_features: 2, out_features: 3, dtype: float16}",
        "{type: batch_normalization, name: c, features: 2}",
        "{type: tensor, name: z, shape: [2], initializer: zeros, dtype: float64}",
    )

    def test_does_not_depend_on_the_order_of_the_spec(self) -> None:
        plans = [
            plan_of(f"layers: [{', '.join(layers)}]\n", "torch")
            for layers in itertools.permutations(self.LAYERS)
        ]
        assert all(plan.tensors == plans[0].tensors for plan in plans)

    def test_is_wider_dtypes_first_and_then_by_name(self) -> None:
        plan = plan_of(f"layers: [{', '.join(self.LAYERS)}]\n", "torch")
        assert [tensor.name for tensor in plan.tensors] == [
            "c.num_batches_tracked",
            "z",
            "b.bias",
            "b.weight",
            "c.bias",
            "c.running_mean",
            "c.running_var",
            "c.weight",
            "a.bias",
            "a.weight",
        ]

    def test_other_layers_do_not_change_a_tensor(self) -> None:
        alone = plan_of(f"layers: [{self.LAYERS[0]}]\n").tensors
        among = plan_of(f"layers: [{', '.join(self.LAYERS)}]\n")
        assert all(among.tensor(tensor.name) == tensor for tensor in alone)


class TestPlan:
    def test_contains_everything_that_the_bits_depend_on(self) -> None:
        spec = parse_spec(
            f"params: {{n: 2}}\nseed: 7\nlayers: [{DENSE}]\n", framework="torch", params={"n": 3}
        )
        plan = make_plan(spec)
        assert (plan.seed, plan.framework, plan.fan_rule) == (7, "torch", "exact")
        assert (plan.spec_sha256, plan.overrides) == (spec.sha256, (("n", 3),))

    def test_with_seed_changes_the_seed_only(self) -> None:
        plan = one(DENSE)
        seeded = plan.with_seed(9)
        assert (plan.seed, seeded.seed) == (None, 9)
        assert replace(seeded, seed=None) == plan

    def test_finds_tensors_by_name(self) -> None:
        plan = one(DENSE)
        assert tensor_of(plan, "NAME/kernel").shape == (100, 64)
        assert plan.tensor("NAME/weight") is None

    def test_reports_all_errors_at_once(self) -> None:
        text = (
            "tensors:\n"
            "  - {name: t, shape: [5]}\n"
            "  - {name: u, shape: [6], dtype: int8, fan_in: 3}\n"
            "  - {name: u, shape: [6], initializer: zeros}\n"
        )
        assert [diagnostic.span and diagnostic.span.line for diagnostic in diagnostics_of(text)] == [2, 3, 4]


class TestCollections:
    TEXT = "layers: [{type: tensor, name: mean, shape: [4], initializer: zeros, collection: batch_stats}]\n"

    def test_of_a_raw_tensor_start_its_name_in_flax(self) -> None:
        assert [t.name for t in make_plan(parse_spec(self.TEXT, framework="flax")).tensors] == [
            "batch_stats/mean"
        ]

    def test_have_no_effect_in_other_frameworks(self) -> None:
        assert [t.name for t in make_plan(parse_spec(self.TEXT, framework="torch")).tensors] == ["mean"]

    def test_do_not_change_the_identity(self) -> None:
        (tensor,) = make_plan(parse_spec(self.TEXT, framework="flax")).tensors
        assert tensor.parts[0].identity == "mean"


ROUND = (
    "{type: dense, name: 'fc.N', in_features: 3, out_features: 4}",
    "{type: multi_head_attention, name: attn, embed_dim: 8, num_heads: 2}",
    "{type: gru, name: rnn, input_size: 3, hidden_size: 2}",
    "{type: batch_normalization, name: norm, features: 4}",
    "{type: tensor, name: 'w.N', shape: [3, 2], in_axes: [0]}",
    "{name: inner, layers: [{type: conv2d, name: conv, in_channels: 2, out_channels: 4, kernel_size: 3}]}",
)
RULES = (
    "rules: [{match: '*norm*', dtype: float64}, {match: 'b?1*', initializer: ones},"
    " {match: 'b/2/attn/query/kernel', initializer: uniform}, {match: 'b?2*bias*', dtype: float16}]\n"
)


class TestIterationsOfARepeat:
    """Iterations share most of the work, without any visible effect."""

    @staticmethod
    def both(head: str, framework: str, fan_rule: str = "exact") -> tuple[Plan, Plan]:
        """Return the plan of a repeat, and the plan of the same layers written out."""
        body = ", ".join(ROUND)
        repeated = f"layers: [{{repeat: 12, name: 'b.{{i}}', layers: [{body.replace('N', '{i % 5}')}]}}]\n"
        iterations = [f"{{name: b.{i}, layers: [{body.replace('N', str(i % 5))}]}}" for i in range(12)]
        written = f"layers: [{', '.join(iterations)}]\n"
        return plan_of(head + repeated, framework, fan_rule), plan_of(head + written, framework, fan_rule)

    @pytest.mark.parametrize("rules", ["", RULES], ids=["plain", "with rules"])
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_are_planned_like_layers_that_are_written_out(self, framework: str, rules: str) -> None:
        repeated, written = self.both(rules, framework)
        assert repeated.tensors == written.tensors
        assert repeated.layers == written.layers
        assert repeated.warnings == written.warnings
        assert [t.nbytes for t in repeated.tensors] == [t.nbytes for t in written.tensors]

    def test_are_planned_alike_under_the_fan_rule_of_a_framework(self) -> None:
        repeated, written = self.both("", "keras", "keras")
        assert repeated.tensors == written.tensors

    def test_share_a_template_if_they_differ_in_names_only(self) -> None:
        repeated, _ = self.both(RULES, "torch")
        forms: dict[object, set[object]] = {}
        for t in repeated.tensors:
            parts = tuple(replace(part, identity="") for part in t.parts)
            forms.setdefault(t.template, set()).add((t.dtype, t.shape, parts, t.concat_axis))
        assert len(forms) < len(repeated.tensors) / 2
        assert {len(alike) for alike in forms.values()} == {1}

    def test_have_parts_with_their_own_identities(self) -> None:
        repeated, written = self.both(RULES, "torch")
        for ours, theirs in zip(repeated.tensors, written.tensors, strict=True):
            assert ours.identities == theirs.identities
            assert pickle.loads(pickle.dumps(ours)) == copy.copy(ours) == theirs
            assert ours.identities == tuple(part.identity for part in ours.parts)
            assert ours.parts is ours.parts

    def test_layers_are_equal_regardless_of_their_span(self) -> None:
        repeated, written = self.both("", "torch")
        first, other = repeated.layers[0], written.layers[0]
        moved = first._replace(span=None)
        assert first == other == moved
        assert hash(first) == hash(moved)
        assert not first != moved  # noqa: SIM202 - a tuple has a way of its own to say so
        assert first != first._replace(name="another")
        assert first != tuple(first)

    def test_a_changed_template_changes_the_tensor(self) -> None:
        first = self.both("", "torch")[0].tensors[0]
        changed = replace(first, template=replace(first.template, shape=(5, *first.shape[1:])))
        assert changed != first
        assert changed.nbytes == math.prod(changed.shape) * changed.storage.itemsize

    def test_an_error_is_reported_for_every_iteration(self) -> None:
        layer = "{type: tensor, name: 'w{i}', shape: [2]}"
        diagnostics = diagnostics_of(f"layers: [{{repeat: 3, layers: [{layer}]}}]\n")
        assert [diagnostic.message for diagnostic in diagnostics] == [
            f'lecun_normal needs a fan-in, and that of "w{i}" [2] is undefined' for i in range(3)
        ]

    def test_a_clash_with_a_later_iteration_is_reported_with_both_locations(self) -> None:
        iteration = "{type: dense, name: 'a{i}', in_features: 2, out_features: 2, bias: false}"
        text = (
            "layers:\n"
            "  - {type: tensor, name: a1/kernel, shape: [2], initializer: zeros}\n"
            f"  - {{repeat: 3, layers: [{iteration}]}}\n"
        )
        (diagnostic,) = diagnostics_of(text, "torch")
        assert "have the identity" in diagnostic.message
        assert (diagnostic.span, diagnostic.related) == (
            Span(3, 46, 6),
            (Span(2, 26, 9), "the first is here"),
        )
