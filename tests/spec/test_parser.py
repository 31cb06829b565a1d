"""Parsing: the meanings of YAML 1.2, JSON, and limits of size and depth."""

from __future__ import annotations

import io
import json
import math
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lecun_cli.errors import Diagnostic, Span, SpecError, UsageError
from lecun_cli.spec.nodes import plain
from lecun_cli.spec.parser import MAX_DEPTH, decode, read_bytes, read_nodes

BEGIN = "lecun-init samples selu_mlp > spec.yaml writes one to start from"


def read(data: bytes | str) -> Any:
    data = data.encode() if isinstance(data, str) else data
    return plain(read_nodes(decode(data, "spec.yaml"), "spec.yaml"))


def diagnostics_of(data: bytes | str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as caught:
        read(data)
    return caught.value.diagnostics


@dataclass(frozen=True)
class Expect:
    text: str
    value: object


class TestScalars:
    @pytest.mark.parametrize(
        "case",
        [
            Expect("1e-3", 0.001),
            Expect("1E5", 100000.0),
            Expect(".5", 0.5),
            Expect("5.", 5.0),
            Expect("+12", 12),
            Expect("-0", 0),
            Expect("no", "no"),
            Expect("yes", "yes"),
            Expect("on", "on"),
            Expect("off", "off"),
            Expect("y", "y"),
            Expect("true", True),
            Expect("True", True),
            Expect("FALSE", False),
            Expect("tRUE", "tRUE"),
            Expect("017", 17),
            Expect("0o17", 15),
            Expect("0x1F", 31),
            Expect("0b11", "0b11"),
            Expect("1_000", "1_000"),
            Expect("12:30:45", "12:30:45"),
            Expect("2001-12-14", "2001-12-14"),
            Expect(".inf", math.inf),
            Expect("-.Inf", -math.inf),
            Expect("inf", "inf"),
            Expect("nan", "nan"),
            Expect("~", None),
            Expect("null", None),
            Expect("", None),
            Expect("None", "None"),
            Expect('"1e-3"', "1e-3"),
            Expect("'no'", "no"),
            Expect("'017'", "017"),
            Expect('""', ""),
            Expect('"~"', "~"),
            Expect("!!str 12", "12"),
            Expect("a\u00e9\U0001f600", "a\u00e9\U0001f600"),
            Expect("|\n  12", "12\n"),
        ],
        ids=lambda case: repr(case.text),
    )
    def test_have_the_meaning_of_yaml_1_2(self, case: Expect) -> None:
        value = read(f"a: {case.text}\n")["a"]
        assert value == case.value
        assert type(value) is type(case.value)

    def test_nan_is_a_number(self) -> None:
        assert math.isnan(read("a: .nan")["a"])

    def test_a_number_has_a_maximum_length(self) -> None:
        (diagnostic,) = diagnostics_of("a: " + "9" * 500)
        assert diagnostic.message == "the number is too long: expected at most 400 digits"
        assert diagnostic.span == Span(1, 4, 500)


class TestSpans:
    def test_lines_and_columns_count_characters_from_one(self) -> None:
        root = read_nodes('a: 1\n"\u00e9\U0001f600": {b: [x, yy]}\n', "s")
        inner = root.entries["\u00e9\U0001f600"]
        assert root.keys["\u00e9\U0001f600"] == Span(2, 1, 4)
        assert inner.span == Span(2, 7)

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    def test_line_ends_do_not_matter(self, end: str) -> None:
        root = read_nodes(f"a: 1{end}b: 22{end}", "s")
        assert root.entries["b"].span == Span(2, 4, 2)


class TestJson:
    @pytest.mark.parametrize(
        "text",
        [
            '{\n\t"a":\t1,\n\t"b": [true, false, null]\n}',
            '{"a":1,"b":{"c":[]},"d":""}',
            r'{"a": "\ud83d\ude00 \u00e9 \/ \\ \" \b\f\n\r\t"}',
            '{"a": [1e5, -0.5, 1E-3, 12]}',
            json.dumps({"layers": [{"name": "\U0001f600", "n": 2**63}]}),
            json.dumps({"layers": [{"name": "\U0001f600"}]}, indent=4, ensure_ascii=False),
        ],
    )
    def test_is_parsed_as_json(self, text: str) -> None:
        assert read(text) == json.loads(text)

    def test_half_a_surrogate_pair_is_refused(self) -> None:
        (diagnostic,) = diagnostics_of(r'{"a": "\ud83d"}')
        assert diagnostic.message.startswith("invalid YAML: ")
        assert diagnostic.span is not None
        assert diagnostic.span.line == 1


class TestKeys:
    def test_a_duplicate_is_refused_with_both_spans(self) -> None:
        (diagnostic,) = diagnostics_of("seed: 1\nlayers: []\nseed: 2\n")
        assert diagnostic.message == 'duplicate key "seed"'
        assert diagnostic.span == Span(3, 1, 4)
        assert diagnostic.related == (Span(1, 1, 4), "it first occurs here")

    def test_every_duplicate_is_reported(self) -> None:
        diagnostics = diagnostics_of("a: 1\na: 2\na: 3\nb: {c: 1, c: 2}\n")
        assert [(f.span.line, f.span.column) for f in diagnostics if f.span] == [(4, 11), (2, 1), (3, 1)]

    def test_quotes_do_not_change_a_key(self) -> None:
        (diagnostic,) = diagnostics_of("seed: 1\n'seed': 2\n")
        assert diagnostic.span == Span(2, 1, 6)

    @pytest.mark.parametrize("key", ["1", "~", "true", "1.5", "? [a]\n"])
    def test_must_be_strings(self, key: str) -> None:
        (diagnostic,) = diagnostics_of(f"{key}: 2\n")
        assert diagnostic.message == "the key is not a string"
        assert diagnostic.help == "put it in quotes"


class TestAliases:
    def test_have_the_value_of_their_anchor(self) -> None:
        assert read("a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]\n")["d"] == [{"b": [1, 2]}, {"b": [1, 2]}]

    def test_an_anchor_can_be_redefined(self) -> None:
        assert read("a: &x 1\nb: *x\nc: &x 2\nd: *x\n") == {"a": 1, "b": 1, "c": 2, "d": 2}

    @pytest.mark.parametrize("text", ["a: *x\n", "a: &x [*x]\n", "a: *x\nb: &x 1\n"])
    def test_need_an_earlier_anchor(self, text: str) -> None:
        (diagnostic,) = diagnostics_of(text)
        assert diagnostic.message == "the alias *x has no anchor before it"

    def test_a_billion_laughs_are_refused_quickly_in_little_memory(self) -> None:
        lines = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
        text = "\n".join(["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]", *lines])
        tracemalloc.start()
        started = time.perf_counter()
        try:
            (diagnostic,) = diagnostics_of(text)
            seconds = time.perf_counter() - started
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert "with all aliases expanded" in diagnostic.message
        assert diagnostic.help == "use `repeat:` for repeated blocks"
        assert seconds < 1
        assert peak < 8 * 2**20


class TestBounds:
    @pytest.mark.parametrize("n", [MAX_DEPTH, 1_000_000])
    @pytest.mark.parametrize("bracket", ["[", "{a: "])
    def test_deep_nesting_is_refused(self, bracket: str, n: int) -> None:
        started = time.perf_counter()
        (diagnostic,) = diagnostics_of("a: " + bracket * n)
        assert diagnostic.message == f"values are nested too deeply: expected at most {MAX_DEPTH} levels"
        assert time.perf_counter() - started < 1

    def test_nesting_up_to_the_limit_is_read(self) -> None:
        n = MAX_DEPTH - 1
        value = read("a: " + "[" * n + "]" * n)["a"]
        for _ in range(n - 1):
            (value,) = value
        assert value == []

    def test_a_file_of_100_mb_is_refused_without_being_read(self, tmp_path: Path) -> None:
        path = tmp_path / "model.safetensors"
        with path.open("wb") as file:
            file.truncate(100 * 2**20)
        started = time.perf_counter()
        with pytest.raises(SpecError, match="the spec is too large: expected at most 32 MiB") as caught:
            read_bytes(str(path))
        assert time.perf_counter() - started < 1
        assert "if this is a weight file, it is not a spec" in str(caught.value)

    def test_a_megabyte_of_layers_is_read(self) -> None:
        text = "layers:\n" + "  - {type: dense, name: a}\n" * 40_000
        assert len(read(text)["layers"]) == 40_000


@dataclass(frozen=True)
class ExpectFail:
    id: str
    data: bytes
    message: str
    at: tuple[int, int] | None = None
    help: str | None = None


class TestRefusals:
    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(
                "empty", b"", "the spec is empty", None, f"a spec needs `layers:` or `tensors:`; {BEGIN}"
            ),
            ExpectFail(
                "comments only",
                b"# hi\n\n",
                "the spec is empty",
                None,
                f"a spec needs `layers:` or `tensors:`; {BEGIN}",
            ),
            ExpectFail(
                "a list",
                b"- a\n",
                "the spec is not a mapping: expected keys such as `layers:`, got a list",
                (1, 1),
                "write `layers:` on the line before the list",
            ),
            ExpectFail(
                "a word",
                b"hello\n",
                'the spec is not a mapping: expected keys such as `layers:`, got the string "hello"',
                (1, 1),
                BEGIN,
            ),
            ExpectFail(
                "a second document",
                b"a: 1\n---\nb: 2\n",
                "a second YAML document starts here: expected one",
                (2, 1),
            ),
            ExpectFail("a tag", b"a: !foo []\n", "unsupported tag !foo", (1, 4), "remove the tag"),
            ExpectFail(
                "a tag of Python",
                b"a: !!python/object/apply:os.system [ls]\n",
                "unsupported tag tag:yaml.org,2002:python/object/apply:os.system",
                (1, 4),
                "remove the tag",
            ),
            ExpectFail(
                "a tag on a scalar",
                b"a: !!binary aGk=\n",
                "unsupported tag tag:yaml.org,2002:binary",
                (1, 4),
                "remove the tag",
            ),
            ExpectFail(
                "not UTF-8",
                b"a: 1\nb: \xe9\n",
                "the spec is not UTF-8 text: byte 8 (line 2) is invalid",
                None,
                "save the file as UTF-8; if this is a weight file, it is not a spec",
            ),
            ExpectFail(
                "UTF-16",
                "a: 1".encode("utf-16"),
                "the spec is not UTF-8 text: byte 0 (line 1) is invalid",
                None,
                "save the file as UTF-8; if this is a weight file, it is not a spec",
            ),
            ExpectFail(
                "a NUL",
                b"a: \0\n",
                "the spec is not text: it contains a NUL",
                None,
                "give a YAML or JSON file",
            ),
            ExpectFail(
                "a tab that indents",
                b"layers:\n\t- a\n",
                "invalid YAML: while scanning for the next token, "
                "found character that cannot start any token",
                (2, 1),
                "indent with spaces, not with tabs",
            ),
            ExpectFail(
                "a bare template in braces",
                b"layers:\n  - {name: block_{i}, type: dense}\n",
                "invalid YAML: while parsing a flow mapping, did not find expected ',' or '}'",
                (2, 18),
                'between { and }, quote names that contain a template: {name: "block_{i}"}',
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_have_a_message_a_span_and_advice(self, case: ExpectFail) -> None:
        (diagnostic,) = diagnostics_of(case.data)
        assert diagnostic.message == case.message
        assert (diagnostic.span and (diagnostic.span.line, diagnostic.span.column)) == case.at
        assert diagnostic.help == case.help

    def test_a_control_character_is_refused(self) -> None:
        (diagnostic,) = diagnostics_of(b"a: \x07\n")
        assert "control characters are not allowed" in diagnostic.message

    def test_quoted_templates_and_block_templates_are_read(self) -> None:
        assert read('a: {name: "block_{i}"}\nb:\n  name: block_{i}.x\n') == {
            "a": {"name": "block_{i}"},
            "b": {"name": "block_{i}.x"},
        }


class TestText:
    @pytest.mark.parametrize(
        "data", [b"\xef\xbb\xbfa: 1\n", b"a: 1", b"---\na: 1\n...\n", b"%YAML 1.2\n---\na: 1\n"]
    )
    def test_markers_of_start_and_end_do_not_matter(self, data: bytes) -> None:
        assert read(data) == {"a": 1}


class TestSources:
    def test_a_file_is_read_unchanged(self, tmp_path: Path) -> None:
        path = tmp_path / "spec.yaml"
        path.write_bytes(b"a: 1\r\n")
        assert read_bytes(str(path)) == (str(path), b"a: 1\r\n")

    def test_a_hyphen_is_standard_input(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"a: 1\n")))
        assert read_bytes("-") == ("<stdin>", b"a: 1\n")

    def test_a_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        path = tmp_path / "no.yaml"
        with pytest.raises(UsageError) as caught:
            read_bytes(str(path))
        assert caught.value.message == f"the spec {path} does not exist"
        assert caught.value.help is not None
        assert caught.value.help.startswith("check the path; - reads stdin; sample specs: gpt2, lenet5")
        assert caught.value.exit_code == 2

    def test_a_directory_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            read_bytes(str(tmp_path))
        assert caught.value.message == f"{tmp_path} is a directory, not a spec"

    @pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
    def test_an_impossible_path_is_a_usage_error(self, path: str) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            read_bytes(path)
