"""Loading of specs: the message, span and advice of every kind of error."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from lecun_cli.errors import Diagnostic, SpecError, UsageError
from lecun_cli.spec.load import Spec, load_spec, parse_spec

DTYPES = (
    "dtypes are: float64, float32, bfloat16, float16, float8_e4m3fn, float8_e5m2; for constants also uint64, "
    "int64, uint32, int32, uint16, int16, int8, uint8, bool"
)
EXAMPLE = (
    "start with `layers:`, and under it `- {type: dense, name: hidden, in_features: 100, out_features: 64}`"
)
LAYER_LIST = "put each item under `layers:` on a line of its own, after a dash: `- {type: dense, ...}`"
GRAMMAR = "an expression consists of integers, params, + - * // % ** and parentheses"
LAYERS = "layers: [{type: dense, name: a, in_features: 2, out_features: 3}]\n"


def diagnostics_of(text: str, **overrides: Mapping[str, int | str]) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml", **overrides)  # type: ignore[arg-type]
    return caught.value.diagnostics


def dense(fields: str) -> str:
    """Return a spec of one layer with these fields, which start at line 2, column 6."""
    return f"layers:\n  - {{{fields}}}\n"


@dataclass(frozen=True)
class ExpectFail:
    id: str
    text: str
    message: str
    at: tuple[int, int] | None
    help: str | None = None


TOP = [
    ExpectFail(
        "an unknown key",
        f"tesnors: []\n{LAYERS}",
        'unknown key "tesnors" in a spec',
        (1, 1),
        "did you mean tensors?",
    ),
    ExpectFail(
        "another tool's key",
        f"variables: {{}}\n{LAYERS}",
        'unknown key "variables" in a spec',
        (1, 1),
        "did you mean params?",
    ),
    ExpectFail(
        "a key without a similar one",
        f"zzz: 1\n{LAYERS}",
        'unknown key "zzz" in a spec',
        (1, 1),
        "the keys are: seed, framework, dtype, fan_rule, params, layers, tensors, rules",
    ),
    ExpectFail("no layers", "seed: 1\n", "the spec has neither layers nor tensors", (1, 1), EXAMPLE),
    ExpectFail(
        "empty lists",
        "layers: []\ntensors: []\n",
        "the spec has no tensors: its lists are empty",
        (1, 1),
        EXAMPLE,
    ),
    ExpectFail("layers of nothing", "layers:\n", "layers: expected a list, got no value", (1, 8), LAYER_LIST),
    ExpectFail(
        "layers that are a mapping",
        "layers: {a: 1}\n",
        "layers: expected a list, got a mapping",
        (1, 9),
        LAYER_LIST,
    ),
    ExpectFail(
        "an unknown dtype",
        f"dtype: float31\n{LAYERS}",
        'unknown dtype "float31"',
        (1, 8),
        "did you mean float32?",
    ),
    ExpectFail(
        "a dtype that is a number",
        f"dtype: 32\n{LAYERS}",
        "dtype: expected a name, got the number 32",
        (1, 8),
        DTYPES,
    ),
    ExpectFail(
        "a negative seed", f"seed: -1\n{LAYERS}", "seed: expected at least 0, got the number -1", (1, 7)
    ),
    ExpectFail(
        "a seed of 65 bits",
        f"seed: {2**64}\n{LAYERS}",
        f"seed: expected at most {2**64 - 1}, got the number {2**64}",
        (1, 7),
    ),
    ExpectFail(
        "a seed with an exponent",
        f"seed: 1e3\n{LAYERS}",
        "seed: expected an integer or an expression over params, got the number 1000.0",
        (1, 7),
        "write 1000",
    ),
    ExpectFail(
        "params that are a list", f"params: [1]\n{LAYERS}", "params: expected a mapping, got a list", (1, 9)
    ),
    ExpectFail(
        "a param that is not an integer",
        f"params: {{d: 1.5}}\n{LAYERS}",
        'param "d": expected an integer or an expression, got the number 1.5',
        (1, 13),
    ),
    ExpectFail(
        "a param with an unknown name",
        f"params: {{width: 3, b: widht * 2}}\n{LAYERS}",
        'param "b": unknown param "widht"',
        (1, 23),
        "did you mean width?",
    ),
    ExpectFail(
        "rules that are a mapping",
        f"{LAYERS}rules: {{match: a}}\n",
        "rules: expected a list, got a mapping",
        (2, 8),
        "put each item under `rules:` on a line of its own, after a dash: `- ...`",
    ),
    ExpectFail(
        "a rule without match",
        f"{LAYERS}rules:\n  - {{dtype: float16}}\n",
        'missing key "match" in a rule',
        (3, 5),
    ),
    ExpectFail(
        "a rule with an unknown key",
        f"{LAYERS}rules:\n  - {{match: a, dtyp: float16}}\n",
        'unknown key "dtyp" in a rule',
        (3, 16),
        "did you mean dtype?",
    ),
]

FIELDS = [
    ExpectFail(
        "a missing key",
        dense("type: dense, name: a, in_features: 2"),
        'missing key "out_features" in a dense layer',
        (2, 25),
        "out_features: width of the output",
    ),
    ExpectFail(
        "no name",
        dense("type: dense, in_features: 2, out_features: 3"),
        'missing key "name" in a dense layer',
        (2, 5),
        "name: the layer's name",
    ),
    ExpectFail(
        "no type",
        dense("name: a, in_features: 2"),
        'missing key "type" in a layer',
        (2, 12),
        "the layer types are: ",
    ),
    ExpectFail(
        "a misspelled key",
        dense("type: dense, name: a, in_features: 2, out_features: 3, bais: true"),
        'unknown key "bais" in a dense layer',
        (2, 61),
        "did you mean bias?",
    ),
    ExpectFail(
        "the name of a key in Keras, which is not reported as missing",
        dense("type: dense, name: a, in_features: 2, units: 3"),
        'unknown key "units" in a dense layer',
        (2, 44),
        "did you mean out_features?",
    ),
    ExpectFail(
        "a key without effect",
        dense("type: conv2d, name: a, in_channels: 2, out_channels: 3, kernel_size: 3, stride: 2"),
        'unknown key "stride" in a conv2d layer',
        (2, 78),
        "remove it: stride has no effect on initial weights",
    ),
    ExpectFail(
        "a merge key",
        "layers:\n  - &a {type: dense, name: a, in_features: 2, out_features: 3}\n  - {<<: *a, name: b}\n",
        'unsupported key "<<": YAML 1.2 has no merge keys',
        (3, 6),
        "write the keys out, or use `repeat:`",
    ),
    ExpectFail(
        "a boolean of YAML 1.1",
        dense("type: dense, name: a, in_features: 2, out_features: 3, bias: no"),
        'bias: expected true or false, got the string "no"',
        (2, 67),
        "write true or false",
    ),
    ExpectFail(
        "a boolean that is a number",
        dense("type: dense, name: a, in_features: 2, out_features: 3, bias: 0"),
        "bias: expected true or false, got the number 0",
        (2, 67),
    ),
    ExpectFail(
        "an unknown activation",
        dense("type: dense, name: a, in_features: 2, out_features: 3, activation: sellu"),
        "activation: expected one of linear, relu, relu6, leaky_relu, elu, selu, gelu, silu, sigmoid, tanh, "
        'softmax, softplus, softsign, mish, exponential, got the string "sellu"',
        (2, 73),
        "did you mean selu?",
    ),
    ExpectFail(
        "a size of zero",
        dense("type: dense, name: a, in_features: 0, out_features: 3"),
        "in_features: expected at least 1, got the number 0",
        (2, 41),
    ),
    ExpectFail(
        "an expression below one",
        dense("type: dense, name: a, in_features: 3 - 5, out_features: 3"),
        'in_features: expected at least 1, got "3 - 5" = -2',
        (2, 41),
    ),
    ExpectFail(
        "a size with a fraction",
        dense("type: dense, name: a, in_features: 2.0, out_features: 3"),
        "in_features: expected an integer or an expression over params, got the number 2.0",
        (2, 41),
        "write 2",
    ),
    ExpectFail(
        "a size of nothing",
        dense("type: dense, name: a, in_features: , out_features: 3"),
        "in_features: expected an integer or an expression over params, got no value",
        (2, 41),
    ),
    ExpectFail(
        "a size beyond the limit of safetensors",
        dense("type: dense, name: a, in_features: 2**48, out_features: 3"),
        f'in_features: expected at most {2**48 - 1}, got "2**48" = {2**48}',
        (2, 41),
    ),
    ExpectFail(
        "a size beyond 64 bits",
        dense("type: dense, name: a, in_features: 2**64, out_features: 3"),
        '"2**64" overflows: its value does not fit in 64 bits',
        (2, 41),
    ),
    ExpectFail(
        "a size that divides",
        dense("type: dense, name: a, in_features: 4 / 2, out_features: 3"),
        '"4 / 2" contains the operator /',
        (2, 41),
        "use // for integer division",
    ),
    ExpectFail(
        "a size that calls",
        dense("type: dense, name: a, in_features: max(1), out_features: 3"),
        '"max(1)" is not arithmetic',
        (2, 41),
        GRAMMAR,
    ),
    ExpectFail(
        "a name that is a number",
        dense("type: dense, name: 7, in_features: 2, out_features: 3"),
        "name: expected a string, got the number 7",
        (2, 25),
        'write it as "7"',
    ),
    ExpectFail(
        "an empty name",
        dense("type: dense, name: '', in_features: 2, out_features: 3"),
        'name: expected a nonempty string, got ""',
        (2, 25),
    ),
    ExpectFail(
        "a name with an empty part",
        dense("type: dense, name: a..b, in_features: 2, out_features: 3"),
        'name: "a..b" has an empty part',
        (2, 25),
        "`.` and `/` separate the parts of a name; remove the extra one",
    ),
    ExpectFail(
        "a name with a newline",
        dense('type: dense, name: "a\\nb", in_features: 2, out_features: 3'),
        "name: control characters are not allowed",
        (2, 25),
    ),
    ExpectFail(
        "a name of 1025 characters",
        dense(f"type: dense, name: {'a' * 1025}, in_features: 2, out_features: 3"),
        "name: expected at most 1024 characters, got 1025",
        (2, 25),
    ),
    ExpectFail(
        "a single brace",
        dense("type: dense, name: 'a{', in_features: 2, out_features: 3"),
        'unmatched { in "a{"',
        (2, 25),
        "write {{ for a literal brace",
    ),
    ExpectFail(
        "an index outside its repeat",
        dense("type: dense, name: 'a{i}', in_features: 2, out_features: 3"),
        'unknown param "i"',
        (2, 25),
        "the spec has no params",
    ),
    ExpectFail(
        "groups that do not divide",
        dense("type: conv2d, name: a, in_channels: 2, out_channels: 3, kernel_size: 3, groups: 2"),
        "groups: expected a divisor of out_channels = 3, got 2",
        (2, 86),
    ),
    ExpectFail(
        "a window of too many axes",
        dense("type: conv2d, name: a, in_channels: 2, out_channels: 3, kernel_size: [3, 3, 3]"),
        "kernel_size: expected one size or 2 for conv2d, got 3",
        (2, 75),
    ),
    ExpectFail(
        "a window with a zero",
        dense("type: conv2d, name: a, in_channels: 2, out_channels: 3, kernel_size: [3, 0]"),
        "kernel_size: expected at least 1, got the number 0",
        (2, 75),
    ),
    ExpectFail(
        "an unsupported initializer",
        dense("type: dense, name: a, in_features: 2, out_features: 3, kernel_initializer: orthogonal"),
        'unknown initializer "orthogonal"',
        (2, 81),
        "the nearest one is lecun_normal",
    ),
    ExpectFail(
        "an initializer's unknown argument",
        dense(
            "type: dense, name: a, in_features: 2, out_features: 3, "
            "kernel_initializer: {name: truncated_normal, std: 1}"
        ),
        'truncated_normal has no argument "std"',
        (2, 81),
        "it takes stddev",
    ),
    ExpectFail(
        "an initializer without a name",
        dense("type: dense, name: a, in_features: 2, out_features: 3, kernel_initializer: {stddev: 1}"),
        "invalid initializer: expected a name, or a mapping with a name, got a mapping",
        (2, 81),
        "for example lecun_normal, or {name: truncated_normal, stddev: 0.02}",
    ),
    ExpectFail(
        "a layer that is a string",
        "layers:\n  - dense\n",
        'invalid layer: expected a mapping, got the string "dense"',
        (2, 5),
    ),
    ExpectFail(
        "a misspelled layer type",
        dense("type: dens, name: a"),
        'unknown layer type "dens"',
        (2, 12),
        "did you mean dense?",
    ),
    ExpectFail(
        "the name of a layer type in PyTorch",
        dense("type: Linear, name: a"),
        'unknown layer type "Linear"',
        (2, 12),
        "did you mean dense?",
    ),
    ExpectFail(
        "another name in PyTorch",
        dense("type: BatchNorm2d, name: a"),
        'unknown layer type "BatchNorm2d"',
        (2, 12),
        "did you mean batch_normalization?",
    ),
    ExpectFail(
        "the name of a layer type in Keras",
        dense("type: Conv2D, name: a"),
        'unknown layer type "Conv2D"',
        (2, 12),
        "did you mean conv2d?",
    ),
    ExpectFail(
        "a layer without parameters",
        dense("type: MaxPooling2D, name: a"),
        'unknown layer type "MaxPooling2D"',
        (2, 12),
        "remove it: it has no weights",
    ),
    ExpectFail(
        "a layer type without a similar one",
        dense("type: xyzzy, name: a"),
        'unknown layer type "xyzzy"',
        (2, 12),
        "the layer types are: ",
    ),
    ExpectFail(
        "a layer type that is a list",
        dense("type: [1], name: a"),
        "type: expected a layer type, got a list",
        (2, 12),
        "the layer types are: ",
    ),
]

TENSORS = [
    ExpectFail(
        "a string", "tensors: [t]\n", 'invalid raw tensor: expected a mapping, got the string "t"', (1, 11)
    ),
    ExpectFail(
        "no shape",
        "tensors: [{name: t}]\n",
        'missing key "shape" in a raw tensor',
        (1, 18),
        "shape: the shape, outermost axis first; [] is a scalar",
    ),
    ExpectFail(
        "a type",
        "tensors: [{type: tensor, name: t, shape: [2], initializer: zeros}]\n",
        'unknown key "type" in a raw tensor',
        (1, 12),
        "did you mean dtype?",
    ),
    ExpectFail(
        "a repeat",
        "tensors: [{repeat: 2, layers: []}]\n",
        "`repeat:` is not supported in `tensors:`",
        (1, 12),
        "use layers of `type: tensor` under `layers:`",
    ),
    ExpectFail(
        "an axis after the shape",
        "tensors: [{name: t, shape: [2, 3], in_axes: [2]}]\n",
        "in_axes: axis 2 is out of range for a shape of 2 axes",
        (1, 45),
    ),
    ExpectFail(
        "an axis before the shape",
        "tensors: [{name: t, shape: [2, 3], in_axes: [-3]}]\n",
        "in_axes: axis -3 is out of range for a shape of 2 axes",
        (1, 45),
    ),
    ExpectFail(
        "an axis of a scalar",
        "tensors: [{name: t, shape: [], in_axes: [0]}]\n",
        "in_axes: axis 0 is out of range for a shape of 0 axes",
        (1, 41),
    ),
    ExpectFail(
        "axes that are a number",
        "tensors: [{name: t, shape: [2, 3], in_axes: 0}]\n",
        "in_axes: expected a list of axes, got the number 0",
        (1, 45),
        "write it as [1]",
    ),
    ExpectFail(
        "an axis twice",
        "tensors: [{name: t, shape: [2, 3], in_axes: [0, -2]}]\n",
        "in_axes: expected different axes, got 0 twice",
        (1, 45),
    ),
    ExpectFail(
        "an axis in two roles",
        "tensors: [{name: t, shape: [2, 3], in_axes: [0], batch_axes: [-2]}]\n",
        "batch_axes: axis 0 is also in in_axes",
        (1, 62),
    ),
    ExpectFail(
        "axes without inputs",
        "tensors: [{name: t, shape: [2, 3], out_axes: [0]}]\n",
        "out_axes requires in_axes",
        (1, 46),
        "give in_axes too",
    ),
    ExpectFail(
        "two values of one fan",
        "tensors: [{name: t, shape: [2, 3], fan_in: 3, in_axes: [1]}]\n",
        "in_axes: expected either fan_in or in_axes, got both",
        (1, 56),
        "remove one of them",
    ),
]

GROUPS = [
    ExpectFail(
        "no name",
        "layers: [{layers: []}]\n",
        'missing key "name" in a group',
        (1, 10),
        "name: the name of the group, a prefix of the names of its layers",
    ),
    ExpectFail(
        "layers of a number",
        "layers: [{name: g, layers: 3}]\n",
        "layers: expected a list, got the number 3",
        (1, 28),
        LAYER_LIST,
    ),
    ExpectFail(
        "no layers",
        "layers: [{type: group, name: g}]\n",
        'missing key "layers" in a group',
        (1, 30),
        "layers: the layers of the group",
    ),
    ExpectFail(
        "another type",
        "layers: [{type: dense, name: g, layers: []}]\n",
        'type: expected group, got the string "dense"',
        (1, 17),
    ),
    ExpectFail(
        "repeat below zero",
        "layers: [{repeat: -1, layers: []}]\n",
        "repeat: expected at least 0, got the number -1",
        (1, 19),
    ),
    ExpectFail(
        "repeat of a fraction",
        "layers: [{repeat: 1.5, layers: []}]\n",
        "repeat: expected an integer or an expression over params, got the number 1.5",
        (1, 19),
    ),
    ExpectFail(
        "repeat of nothing",
        "layers: [{repeat: 3}]\n",
        'missing key "layers" in a repeat',
        (1, 10),
        "layers: the layers of one iteration",
    ),
    ExpectFail(
        "an index that is not a name",
        "layers: [{repeat: 3, index: 1x, layers: []}]\n",
        'index: expected a name of letters, digits and _, got the string "1x"',
        (1, 29),
    ),
    ExpectFail(
        "an index that is a param",
        "params: {i: 3}\nlayers: [{repeat: 3, layers: []}]\n",
        'the index "i" is already defined',
        (2, 10),
        "choose another name with `index:`",
    ),
]


class TestDiagnostics:
    @pytest.mark.parametrize("case", [*TOP, *FIELDS, *TENSORS, *GROUPS], ids=lambda case: case.id)
    def test_have_a_rule_a_span_and_advice(self, case: ExpectFail) -> None:
        (diagnostic,) = diagnostics_of(case.text)
        assert diagnostic.message == case.message
        assert (diagnostic.span and (diagnostic.span.line, diagnostic.span.column)) == case.at
        if case.help is not None and case.help.endswith(": "):
            assert (diagnostic.help or "").startswith(case.help)
        else:
            assert diagnostic.help == case.help

    def test_are_all_reported_in_the_order_of_the_text(self) -> None:
        text = (
            "seed: -1\n"
            "params: {d: e}\n"
            "dtype: half\n"
            "layers:\n"
            "  - {type: dense, name: a, in_features: 0, out_features: x}\n"
            "  - {type: linear, name: b}\n"
            "  - 3\n"
            "  - name: g\n"
            "    layers:\n"
            "      - {type: embedding, name: c, num_embeddings: 2}\n"
            "tensors:\n"
            "  - {name: t}\n"
            "rules:\n"
            "  - {match: ''}\n"
        )
        diagnostics = diagnostics_of(text)
        assert [(f.span.line, f.span.column) for f in diagnostics if f.span] == [
            (1, 7), (2, 13), (3, 8), (5, 41), (5, 58), (6, 12), (7, 5), (10, 33), (12, 12), (14, 13),
        ]  # fmt: skip

    def test_a_repeated_block_reports_its_errors_once(self) -> None:
        text = (
            "layers:\n"
            "  - repeat: 50\n"
            "    layers:\n"
            "      - {type: dense, name: 'a{i}', in_features: i, out_features: 0}\n"
        )
        messages = [diagnostic.message for diagnostic in diagnostics_of(text)]
        assert messages == [
            'in_features: expected at least 1, got "i" = 0',
            "out_features: expected at least 1, got the number 0",
        ]

    def test_are_limited_in_number(self) -> None:
        text = "layers:\n" + "  - {type: dense, name: a, in_features: 0, out_features: 0}\n" * 5000
        assert 100 <= len(diagnostics_of(text)) <= 102

    def test_show_the_line_with_a_caret(self) -> None:
        with pytest.raises(SpecError) as caught:
            parse_spec("seed: 1\nlayers:\n  - {type: dens, name: a}\n", "net.yaml")
        assert str(caught.value) == (
            'net.yaml:3:12: error: unknown layer type "dens"\n'
            "  |\n"
            "3 |   - {type: dens, name: a}\n"
            "  |            ^^^^\n"
            "  = help: did you mean dense?"
        )
        assert caught.value.exit_code == 2
        assert isinstance(caught.value, ValueError)


class TestOverrides:
    TEXT = (
        "seed: 1\n"
        "params: {d: 8, f: d * 4}\n"
        "layers: [{type: dense, name: a, in_features: d, out_features: f}]\n"
    )

    @staticmethod
    def sizes(spec: Spec) -> tuple[int, int]:
        (expanded,) = spec.layers
        (kernel, _) = expanded.layer.parameters()
        return kernel.shape[1], kernel.shape[0]

    @pytest.mark.parametrize(
        ("params", "sizes"),
        [
            ({}, (8, 32)),
            ({"d": 2}, (2, 8)),
            ({"d": "2 ** 4"}, (16, 64)),
            ({"f": "d + 1"}, (8, 9)),
            ({"d": 3, "f": 1}, (3, 1)),
        ],
    )
    def test_params_override_those_of_the_spec(
        self, params: dict[str, int | str], sizes: tuple[int, int]
    ) -> None:
        assert self.sizes(parse_spec(self.TEXT, params=params)) == sizes

    def test_params_are_recorded_by_value_and_in_order(self) -> None:
        spec = parse_spec(self.TEXT, params={"f": "d + 1", "d": 4})
        assert spec.overrides == (("d", 4), ("f", 5))

    def test_an_unknown_param_is_refused_without_a_span(self) -> None:
        (diagnostic,) = diagnostics_of(self.TEXT, params={"g": 3})
        assert diagnostic.message == '--set: unknown param "g"'
        assert diagnostic.span is None
        assert diagnostic.help == "the params are: d, f"

    def test_overriding_an_invalid_param_repairs_it(self) -> None:
        text = self.TEXT.replace("d: 8", "d: huge")
        assert self.sizes(parse_spec(text, params={"d": 2})) == (2, 8)

    def test_other_values_override_those_of_the_spec(self) -> None:
        spec = parse_spec(self.TEXT, seed=2**64 - 1, framework="torch", dtype="bfloat16", fan_rule="keras")
        assert (spec.seed, spec.framework, spec.dtype, spec.fan_rule) == (
            2**64 - 1,
            "torch",
            "bfloat16",
            "keras",
        )

    def test_seed_zero_is_a_seed(self) -> None:
        assert parse_spec(self.TEXT, seed=0).seed == 0

    def test_an_invalid_value_is_refused(self) -> None:
        with pytest.raises(SpecError, match="framework: expected one of keras, torch"):
            parse_spec(self.TEXT, framework="caffe")


class TestSpec:
    def test_has_the_documented_defaults(self) -> None:
        spec = parse_spec(LAYERS)
        assert (spec.seed, spec.framework, spec.dtype, spec.fan_rule) == (None, "keras", "float32", "exact")
        assert (spec.rules, spec.overrides, spec.source) == ((), (), "<spec>")

    def test_json_gives_the_same_layers(self) -> None:
        json_text = '{"layers": [{"type": "dense", "name": "a", "in_features": 2, "out_features": 3}]}'
        assert [p.layer for p in parse_spec(json_text).layers] == [p.layer for p in parse_spec(LAYERS).layers]

    def test_has_the_digest_of_its_bytes(self, tmp_path: Path) -> None:
        data = LAYERS.encode() + b"# \xc3\xa9\r\n"
        path = tmp_path / "spec.yaml"
        path.write_bytes(data)
        spec = load_spec(str(path))
        assert spec.sha256 == hashlib.sha256(data).hexdigest()
        assert spec.source == str(path)

    def test_a_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="does not exist"):
            load_spec(str(tmp_path / "spec.yaml"))

    def test_a_seed_can_be_an_expression(self) -> None:
        assert parse_spec(f"params: {{run: 3}}\nseed: 1000 + run\n{LAYERS}").seed == 1003
