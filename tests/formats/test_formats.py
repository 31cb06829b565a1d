"""The table of formats."""

from __future__ import annotations

import pytest

from lecun_cli.errors import UsageError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, format_of


class TestFormatOf:
    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("w.safetensors", "safetensors"),
            ("a/b.c/W.SafeTensors", "safetensors"),
            ("w.h5", "hdf5"),
            ("w.HDF5", "hdf5"),
        ],
    )
    def test_goes_by_the_suffix(self, name: str, expected: str) -> None:
        assert format_of(name).name == expected

    @pytest.mark.parametrize("name", ["w", "w.pt", "safetensors", "w.safetensors.gz", "h5"])
    def test_another_suffix_is_told_what_to_give(self, name: str) -> None:
        with pytest.raises(UsageError, match=f'the suffix of "{name}" names no format') as caught:
            format_of(name)
        assert caught.value.help is not None
        assert caught.value.help.startswith("end it in one of .safetensors, ")
        assert all(f" {known}" in caught.value.help for known in FORMATS)

    def test_the_default_is_a_format(self) -> None:
        assert DEFAULT_FORMAT in FORMATS
        assert all(name == file_format.name for name, file_format in FORMATS.items())
