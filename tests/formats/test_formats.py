"""Tests of the format records."""

from __future__ import annotations

from pathlib import Path

import pytest

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import UsageError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, Format, format_of
from lecun_cli.formats.checkpoint import recognize_file
from lecun_cli.formats.file_type import START_NBYTES
from lecun_cli.generation import generate
from tests.conftest import plan_of


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
    def test_another_suffix_is_refused_with_advice(self, name: str) -> None:
        with pytest.raises(UsageError, match=f'the suffix of "{name}" names no format') as caught:
            format_of(name)
        assert caught.value.help is not None
        assert caught.value.help.startswith("end it in one of .safetensors, ")
        assert all(f" {known}" in caught.value.help for known in FORMATS)

    def test_the_default_is_a_format(self) -> None:
        assert DEFAULT_FORMAT in FORMATS
        assert all(name == file_format.name for name, file_format in FORMATS.items())


@pytest.mark.parametrize("file_format", FORMATS.values(), ids=lambda f: f.name)
class TestRecords:
    """Every record is complete; a failure names the field to fill in `lecun_cli/formats/__init__.py`."""

    def test_have_suffixes_and_magic_bytes(self, file_format: Format) -> None:
        assert file_format.suffixes, f"{file_format.name}: no suffixes"
        assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in file_format.suffixes)
        assert file_format.magic.data, f"{file_format.name}: no magic bytes"
        assert file_format.magic.offset + len(file_format.magic.data) <= START_NBYTES

    def test_store_every_dtype_or_say_which(self, file_format: Format) -> None:
        assert file_format.dtypes, f"{file_format.name}: no dtypes"
        assert set(file_format.dtypes) <= DTYPES.keys()

    def test_write_and_read_a_file_that_they_recognize(self, file_format: Format, tmp_path: Path) -> None:
        plan = plan_of("seed: 1\nlayers: [{type: dense, name: a, in_features: 3, out_features: 2}]\n")
        path = tmp_path / f"w{file_format.suffixes[0]}"
        generate(plan, path)
        assert recognize_file(path) is file_format
        names = {tensor.name for tensor in file_format.read(path)}
        assert names == set(file_format.stored_names(plan).values())
        assert file_format.framework_of(path) in {None, "keras"}
