"""Expansion of groups, repeats and templates into layers with full paths."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest

from lecun_cli.errors import Diagnostic, SpecError
from lecun_cli.spec import expand as expand_module
from lecun_cli.spec.load import parse_spec

ONE = "{type: rms_normalization, name: NAME, features: 1}"


def layer(name: str) -> str:
    return ONE.replace("NAME", f'"{name}"')


def paths(text: str) -> list[str]:
    """Return the paths of the layers; the name of a raw tensor follows a colon."""
    paths_of_layers = []
    for expanded in parse_spec(text).layers:
        path = "/".join(expanded.path)
        paths_of_layers.append(f"{path}:{expanded.layer.name}" if expanded.layer_type == "tensor" else path)
    return paths_of_layers


def diagnostics_of(text: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml")
    return caught.value.diagnostics


@dataclass(frozen=True)
class Expect:
    id: str
    text: str
    paths: list[str]


class TestPaths:
    @pytest.mark.parametrize(
        "case",
        [
            Expect("a layer", f"layers: [{layer('a')}]", ["a"]),
            Expect("dots and slashes nest", f"layers: [{layer('a.b/c')}]", ["a/b/c"]),
            Expect("a group", f"layers: [{{name: g, layers: [{layer('a')}, {layer('b')}]}}]", ["g/a", "g/b"]),
            Expect(
                "a group with a type", f"layers: [{{type: group, name: g, layers: [{layer('a')}]}}]", ["g/a"]
            ),
            Expect(
                "groups in groups",
                f"layers: [{{name: g.h, layers: [{{name: k, layers: [{layer('a')}]}}]}}]",
                ["g/h/k/a"],
            ),
            Expect("a repeat", f"layers: [{{repeat: 3, layers: [{layer('a{i}')}]}}]", ["a0", "a1", "a2"]),
            Expect(
                "a repeat with a name",
                f"layers: [{{repeat: 2, name: 'h.{{i}}', layers: [{layer('a')}, {layer('b')}]}}]",
                ["h/0/a", "h/0/b", "h/1/a", "h/1/b"],
            ),
            Expect(
                "an index with another name",
                f"layers: [{{repeat: 2, index: block, layers: [{layer('a{block}')}]}}]",
                ["a0", "a1"],
            ),
            Expect(
                "templates that compute",
                f"layers: [{{repeat: 2, name: 'l{{i + 1}}', layers: [{layer('{10 - i}')}]}}]",
                ["l1/10", "l2/9"],
            ),
            Expect(
                "an empty repeat", f"layers: [{{repeat: 0, layers: [{layer('a')}]}}, {layer('b')}]", ["b"]
            ),
            Expect(
                "a repeat of a param",
                f"params: {{n: 4}}\nlayers: [{{repeat: n // 2, layers: [{layer('a{i}')}]}}]",
                ["a0", "a1"],
            ),
            Expect(
                "a repeat in a repeat",
                "layers: [{repeat: 2, name: 's{i}', layers: [{repeat: 2, index: j, name: 'b{j}', "
                f"layers: [{layer('a{i}{j}')}]}}]}}]",
                ["s0/b0/a00", "s0/b1/a01", "s1/b0/a10", "s1/b1/a11"],
            ),
            Expect(
                "a repeat as often as the outer index says",
                f"layers: [{{repeat: 3, index: s, layers: [{{repeat: s, layers: [{layer('{s}.{i}')}]}}]}}]",
                ["1/0", "2/0", "2/1"],
            ),
            Expect(
                "the same index twice in a row",
                f"layers: [{{repeat: 1, layers: [{layer('a{i}')}]}}, "
                f"{{repeat: 1, layers: [{layer('b{i}')}]}}]",
                ["a0", "b0"],
            ),
            Expect(
                "an alias",
                f"layers: [{{name: g, layers: &x [{layer('a')}]}}, {{name: h, layers: *x}}]",
                ["g/a", "h/a"],
            ),
            Expect("a raw tensor", "tensors: [{name: 'a.b/c', shape: [2], initializer: zeros}]", [":a.b/c"]),
            Expect(
                "a raw tensor in a group",
                "layers: [{name: g.h, layers: [{type: tensor, name: a.w, shape: [], initializer: ones}]}]",
                ["g/h:a.w"],
            ),
            Expect(
                "a raw tensor in a repeat",
                "layers: [{repeat: 2, name: 'g{i}', layers: "
                "[{type: tensor, name: 'w{i}', shape: [i + 1], initializer: ones}]}]",
                ["g0:w0", "g1:w1"],
            ),
            Expect(
                "layers before tensors",
                f"tensors: [{{name: t, shape: [], initializer: ones}}]\nlayers: [{layer('z')}]",
                ["z", ":t"],
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_follow_from_groups_and_repeats(self, case: Expect) -> None:
        assert paths(case.text + "\n") == case.paths

    def test_sizes_see_the_index(self) -> None:
        text = (
            "params: {d: 8}\n"
            "layers:\n"
            "  - repeat: 3\n"
            "    layers:\n"
            "      - {type: dense, name: 'a{i}', in_features: d * 2 ** i, out_features: d * 2 ** (i + 1)}\n"
        )
        shapes = [expanded.layer.parameters()[0].shape for expanded in parse_spec(text).layers]
        assert shapes == [(16, 8), (32, 16), (64, 32)]

    def test_spans_are_those_of_the_names(self) -> None:
        spec = parse_spec(f"layers:\n  - repeat: 2\n    layers:\n      - {layer('a{i}')}\n")
        assert [(p.span.line, p.span.column) for p in spec.layers if p.span] == [(4, 41), (4, 41)]


class TestShadowing:
    @pytest.mark.parametrize(
        "text",
        [
            f"params: {{i: 3}}\nlayers: [{{repeat: 2, layers: [{layer('a{i}')}]}}]\n",
            f"layers: [{{repeat: 2, layers: [{{repeat: 2, layers: [{layer('a{i}')}]}}]}}]\n",
            f"params: {{k: 3}}\nlayers: [{{repeat: 2, index: k, layers: [{layer('a{k}')}]}}]\n",
        ],
        ids=["a param", "an outer index", "a param with another name"],
    )
    def test_an_index_must_not_hide_a_name(self, text: str) -> None:
        (diagnostic,) = diagnostics_of(text)
        assert diagnostic.message.endswith("is already defined")
        assert diagnostic.help == "choose another name with `index:`"

    def test_an_index_is_undefined_after_its_repeat(self) -> None:
        (diagnostic,) = diagnostics_of(
            f"layers: [{{repeat: 1, layers: [{layer('a{i}')}]}}, {layer('b{i}')}]\n"
        )
        assert diagnostic.message == 'unknown param "i"'


class TestBounds:
    @dataclass(frozen=True)
    class ExpectFail:
        id: str
        text: str

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail("10**9 layers", f"layers: [{{repeat: 10**9, layers: [{layer('a{i}')}]}}]"),
            ExpectFail("10**18 iterations of nothing", "layers: [{repeat: 10**18, layers: []}]"),
            ExpectFail(
                "1000 * 1000 * 1000 layers",
                "layers: [{repeat: 1000, index: a, layers: [{repeat: 1000, index: b, layers: "
                f"[{{repeat: 1000, layers: [{layer('{a}.{b}.{i}')}]}}]}}]}}]",
            ),
            ExpectFail(
                "10**9 iterations of an empty repeat",
                f"layers: [{{repeat: 10**9, layers: [{{repeat: 0, index: j, layers: [{layer('a')}]}}]}}]",
            ),
            ExpectFail("10**9 invalid layers", "layers: [{repeat: 10**9, layers: [{type: dense, name: a}]}]"),
            ExpectFail(
                "10**9 layers in a group",
                "params: {n: 10**9}\n"
                f"layers: [{{name: g, layers: [{{repeat: n, layers: [{layer('a{i}')}]}}]}}]",
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_too_many_layers_are_refused_at_once(self, case: ExpectFail) -> None:
        started = time.perf_counter()
        (diagnostic,) = diagnostics_of(case.text + "\n")
        assert diagnostic.message == "the spec has too many layers: expected at most 1,000,000"
        assert time.perf_counter() - started < 1

    def test_counts_that_depend_on_an_index_are_checked_during_expansion(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(expand_module, "MAX_LAYERS", 100)
        inner = f"{{repeat: s, layers: [{layer('{s}.{i}')}]}}"
        (diagnostic,) = diagnostics_of(f"layers: [{{repeat: 50, index: s, layers: [{inner}]}}]\n")
        assert diagnostic.message == "the spec has too many layers: expected at most 100"

    def test_an_error_in_many_iterations_stops_early(self) -> None:
        started = time.perf_counter()
        (diagnostic,) = diagnostics_of(
            "layers: [{repeat: 10**6, layers: [{type: dense, name: 'a{i}', in_features: 1}]}]\n"
        )
        assert diagnostic.message == 'missing key "out_features" in a dense layer'
        assert time.perf_counter() - started < 5

    def test_thousands_of_layers_are_allowed(self) -> None:
        assert len(paths(f"layers: [{{repeat: 5000, layers: [{layer('a{i}')}]}}]\n")) == 5000


class TestIterations:
    def test_that_differ_in_more_than_the_name_are_validated_one_by_one(self) -> None:
        text = (
            "layers:\n"
            "  - repeat: 3\n"
            "    layers:\n"
            "      - {type: dense, name: 'a{i}', in_features: 2, out_features: i + 1}\n"
            "      - {type: dense, name: 'b{i}', in_features: 2, out_features: 2, stream: 'shared{i}'}\n"
            "      - {type: dense, name: 'c{i}', in_features: 2, out_features: 2}\n"
        )
        layers = parse_spec(text).layers
        assert [getattr(expanded.layer, "out_features", None) for expanded in layers[::3]] == [1, 2, 3]
        assert [expanded.layer.stream for expanded in layers[1::3]] == ["shared0", "shared1", "shared2"]
        assert [expanded.name for expanded in layers[2::3]] == ["c0", "c1", "c2"]

    def test_an_invalid_name_in_a_later_iteration_is_reported_with_its_span(self) -> None:
        layer = "{type: dense, name: 'a{1 // (1 - i)}', in_features: 2, out_features: 2}"
        text = f"layers:\n  - repeat: 2\n    layers: [{layer}]\n"
        with pytest.raises(SpecError, match=r"3:34: error: .* divides by zero"):
            parse_spec(text)
