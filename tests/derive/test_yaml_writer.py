"""The YAML writer: a parser reads every value back unchanged."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.derive.described_model import Map
from lecun_cli.derive.yaml_writer import comment, inline, quoted
from lecun_cli.spec.nodes import plain
from lecun_cli.spec.parser import read_nodes


def read_back(text: str) -> object:
    return plain(read_nodes(f"layers: [{{key: {text}, other: 1}}]", "s"))["layers"][0]["key"]


class TestQuoted:
    @given(st.text(st.characters(codec="utf-8"), max_size=20))
    def test_any_string_is_read_back_unchanged(self, text: str) -> None:
        assert read_back(quoted(text)) == text

    @pytest.mark.parametrize("text", ["kernel", "model.layers.0", "a/b-c", "x_1"])
    def test_names_are_not_quoted(self, text: str) -> None:
        assert quoted(text) == text

    @pytest.mark.parametrize(
        "text", ["no", "Yes", "null", "true", "1", "1e3", "0x1", ".5", "~", "", "a b", "-a", "{i}"]
    )
    def test_strings_that_yaml_1_1_or_1_2_reads_otherwise_are_quoted(self, text: str) -> None:
        assert quoted(text).startswith('"')


class TestInline:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (True, "true"),
            (3, "3"),
            (0.02, "0.02"),
            (1e-5, "1e-05"),
            ((3, 4), "[3, 4]"),
            ((), "[]"),
            (Map((("name", "constant"), ("value", 0.5))), "{name: constant, value: 0.5}"),
        ],
    )
    def test_values_are_written_as_yaml(
        self, value: bool | int | float | tuple[int, ...] | Map, text: str
    ) -> None:
        assert inline(value) == text


class TestComment:
    def test_is_one_line_without_control_characters(self) -> None:
        assert comment("a\nb\x1b[31m\u2028c") == "# a b [31m c"
