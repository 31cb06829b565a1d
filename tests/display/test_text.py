"""Counts, shapes and shortened texts."""

from __future__ import annotations

import pytest

from lecun_cli.display.text import CONTROL_CHARACTERS, clip, counted, quote, shape_text, shorten_middle


@pytest.mark.parametrize(("count", "text"), [(0, "0 files"), (1, "1 file"), (2048, "2,048 files")])
def test_a_count_has_its_noun_in_the_right_number(count: int, text: str) -> None:
    assert counted(count, "file") == text


@pytest.mark.parametrize(("shape", "text"), [((64, 3, 3), "64x3x3"), ((7,), "7"), ((), "scalar")])
def test_a_shape_is_written_with_an_x(shape: tuple[int, ...], text: str) -> None:
    assert shape_text(shape) == text


def test_the_text_for_a_scalar_can_be_chosen() -> None:
    assert shape_text((), scalar="") == ""


@pytest.mark.parametrize(
    ("text", "length", "shown"),
    [
        ("short", 5, "short"),
        ("model.layers.11.weight", 13, "mode…1.weight"),
        ("abcdef", 3, "abc"),
    ],
)
def test_a_long_name_loses_its_middle(text: str, length: int, shown: str) -> None:
    assert shorten_middle(text, length) == shown
    assert len(shown) <= length


@pytest.mark.parametrize(("text", "shown"), [("a" * 60, "a" * 60), ("a" * 61, "a" * 57 + "...")])
def test_a_long_text_loses_its_end(text: str, shown: str) -> None:
    assert clip(text) == shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("kernel", '"kernel"'),
        ("a\n\x7f\u00e9", '"a\\n\\u007f\\u00e9"'),
        ("a" * 61, f'"{"a" * 57}..."'),
        (None, "null"),
        ([1, "b"], '[1, "b"]'),
    ],
)
def test_a_quoted_value_is_json_in_ascii(value: object, text: str) -> None:
    assert quote(value) == text


@pytest.mark.parametrize("character", ["\0", "\n", "\x1b", "\x7f", "\ud83d"])
def test_control_characters_and_lone_surrogates_are_recognized(character: str) -> None:
    assert CONTROL_CHARACTERS.search(f"a{character}b")


def test_every_other_character_is_not_a_control_character() -> None:
    assert not CONTROL_CHARACTERS.search("h.0/kernel \u00e9 \U0001f600")
