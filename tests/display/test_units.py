"""Sizes and times as text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.display.units import format_nbytes, format_seconds, parse_nbytes
from lecun_cli.errors import UsageError


class TestParse:
    @pytest.mark.parametrize(
        ("text", "nbytes"),
        [
            ("0", 0),
            ("32", 32),
            ("32B", 32),
            ("1k", 1000),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1KiB", 1024),
            ("4MiB", 4 * 2**20),
            ("4mib", 4 * 2**20),
            ("5GB", 5 * 10**9),
            ("1.5GiB", 3 * 2**29),
            ("0.5k", 500),
            (" 2 TiB ", 2**41),
            ("3t", 3 * 10**12),
            ("0.0001k", 0),
            ("4.000000000000001TiB", 4 * 2**40),
        ],
    )
    def test_reads_decimal_and_binary_units(self, text: str, nbytes: int) -> None:
        assert parse_nbytes(text, what="--chunk-size", least=0) == nbytes

    def test_is_exact_beyond_floats(self) -> None:
        assert parse_nbytes("9007199254740993", what="x") == 2**53 + 1
        assert parse_nbytes("8191.999999999999TiB", what="x") == 8191_999999999999 * 2**40 // 10**12

    @pytest.mark.parametrize(
        "text",
        ["", "MiB", "four", "1 2", "-1", "+1", "1e3", ".5k", "1.", "1PB", "1KiBs", "1,000", "0x10", "²"],
    )
    def test_other_texts_are_errors(self, text: str) -> None:
        with pytest.raises(UsageError) as caught:
            parse_nbytes(text, what="--chunk-size")
        assert caught.value.message == f'--chunk-size: expected a size, got "{text}"'
        assert caught.value.help == "write it as 4MiB, 512KiB or 5GB"

    def test_a_size_that_is_too_small_is_an_error(self) -> None:
        with pytest.raises(UsageError, match='--chunk-size: expected at least 32 bytes, got "31"'):
            parse_nbytes("31", what="--chunk-size", least=32)
        assert parse_nbytes("32", what="--chunk-size", least=32) == 32


class TestFormat:
    @pytest.mark.parametrize(
        ("nbytes", "text"),
        [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (100 * 2**10, "100 KiB"),
            (3 * 2**29, "1.5 GiB"),
            (2**40, "1.0 TiB"),
            (5000 * 2**40, "5,000 TiB"),
        ],
    )
    def test_is_in_powers_of_1024(self, nbytes: int, text: str) -> None:
        assert format_nbytes(nbytes) == text

    @given(st.integers(0, 2**63))
    def test_reads_back_as_about_the_same(self, nbytes: int) -> None:
        again = parse_nbytes(format_nbytes(nbytes).replace(",", ""), what="x", least=0)
        assert again == pytest.approx(nbytes, rel=0.06)


class TestSeconds:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (0.0, "0 ms"),
            (0.0084, "8 ms"),
            (0.9994, "999 ms"),
            (0.9996, "1.0 s"),
            (59.9, "59.9 s"),
            (200, "3 min 20 s"),
        ],
    )
    def test_times_are_short(self, seconds: float, text: str) -> None:
        assert format_seconds(seconds) == text
