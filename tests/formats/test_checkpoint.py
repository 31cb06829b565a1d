"""Tests of recognizing weight files, reading shard indexes, and listing the checkpoints of a folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from lecun_cli.errors import UsageError, WeightFileError
from lecun_cli.formats import FORMATS, checkpoint
from lecun_cli.formats.checkpoint import (
    INDEX_SUFFIX,
    KERAS_ARCHIVE,
    PICKLE_SUFFIXES,
    MissingShardError,
    checkpoint_files,
    find_checkpoint,
    has_weight_suffix,
    is_weight_data,
    list_checkpoints,
    read_index,
    recognize_file,
    weight_format,
)

HDF5 = b"\x89HDF\r\n\x1a\n" + bytes(8)
SAFETENSORS = (2).to_bytes(8, "little") + b"{}"
ZIP = b"PK\x03\x04" + bytes(12)


class TestRecognizeFile:
    @pytest.mark.parametrize(
        ("name", "start", "expected"),
        [
            ("w", SAFETENSORS, "safetensors"),
            ("w.h5", SAFETENSORS, "safetensors"),
            ("w", HDF5, "hdf5"),
            ("w.h5", HDF5, "hdf5"),
            ("w.weights.h5", HDF5, "keras"),
            ("w.bin", HDF5, "hdf5"),
            ("w.keras", ZIP, "keras_archive"),
            ("w", ZIP, "keras_archive"),
            ("W.SafeTensors", b"", "safetensors"),
            ("w.weights.h5", b"", "keras"),
            ("w.keras", b"", "keras_archive"),
            ("w.txt", b"hello", None),
            ("w", b'[[[[[[[[{"a": 1}', None),
            ("w", b"", None),
        ],
    )
    def test_goes_by_content_and_then_by_suffix(
        self, tmp_path: Path, name: str, start: bytes, expected: str | None
    ) -> None:
        (tmp_path / name).write_bytes(start)
        file_type = recognize_file(tmp_path / name)
        assert (file_type and file_type.name) == expected

    @pytest.mark.parametrize("suffix", PICKLE_SUFFIXES)
    def test_refuses_pickles(self, tmp_path: Path, suffix: str) -> None:
        (tmp_path / f"w{suffix}").write_bytes(ZIP)
        with pytest.raises(UsageError, match="a pickle runs code when it is opened"):
            recognize_file(tmp_path / f"w{suffix}")

    def test_a_file_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(WeightFileError, match="cannot be read: No such file"):
            recognize_file(tmp_path / "w.h5")


class TestWeightFormat:
    def test_is_the_record_of_the_format(self, tmp_path: Path) -> None:
        (tmp_path / "w").write_bytes(HDF5)
        assert weight_format(tmp_path / "w") is FORMATS["hdf5"]

    def test_of_an_archive_is_an_error_with_advice(self, tmp_path: Path) -> None:
        (tmp_path / "w.keras").write_bytes(ZIP)
        with pytest.raises(UsageError, match="is an archive") as caught:
            weight_format(tmp_path / "w.keras")
        assert caught.value.help == "unzip w.keras model.weights.h5, and give that file"

    def test_has_the_names_that_propagate_accepts(self) -> None:
        assert all(has_weight_suffix(f"w{s}") for f in FORMATS.values() for s in f.suffixes)
        assert has_weight_suffix(f"M{INDEX_SUFFIX.upper()}")
        assert not has_weight_suffix(f"w{KERAS_ARCHIVE.suffixes[0]}")

    def test_of_data_is_recognized_by_its_start(self) -> None:
        assert is_weight_data(HDF5)
        assert is_weight_data(SAFETENSORS)
        assert not is_weight_data(b"seed: 1\nlayers: []\n")


def write_index(folder: Path, weight_map: object) -> Path:
    """Write an index, and return its path."""
    path = folder / f"model{INDEX_SUFFIX}"
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    return path


@dataclass(frozen=True)
class ExpectFail:
    """A weight map that is refused, and a part of the message."""

    weight_map: object
    message: str


class TestReadIndex:
    def test_returns_the_shards_by_name(self, tmp_path: Path) -> None:
        for name in ("b.safetensors", "a.safetensors"):
            (tmp_path / name).touch()
        index = read_index(write_index(tmp_path, {"x": "b.safetensors", "y": "a.safetensors"}))
        assert index.files == (tmp_path / "a.safetensors", tmp_path / "b.safetensors")
        assert checkpoint_files(index.path) == index.files
        assert checkpoint_files(index.files[0]) == index.files[:1]

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(None, 'expected a "weight_map" of file names'),
            ExpectFail([], 'expected a "weight_map" of file names'),
            ExpectFail({"a": 1}, 'expected a "weight_map" of file names'),
            ExpectFail({"a": "../a"}, "expected the name of a file in its folder"),
            ExpectFail({"a": "/etc/passwd"}, "expected the name of a file in its folder"),
            ExpectFail({"a": "..\\a"}, "expected the name of a file in its folder"),
            ExpectFail({"a": ".."}, "expected the name of a file in its folder"),
            ExpectFail({"a": ""}, "expected the name of a file in its folder"),
            ExpectFail({"a": "a\0"}, "expected the name of a file in its folder"),
            ExpectFail({"a": "none"}, 'names the shard "none", which is missing from'),
        ],
    )
    def test_refuses_other_weight_maps(self, tmp_path: Path, case: ExpectFail) -> None:
        with pytest.raises(WeightFileError) as caught:
            read_index(write_index(tmp_path, case.weight_map))
        assert case.message in caught.value.message

    @pytest.mark.parametrize(
        "data", [b"", b"[1]", b"\xff", b"{" * 100_000, b'{"weight_map": {"a": "x", "a": "y"}}']
    )
    def test_refuses_other_content(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / f"model{INDEX_SUFFIX}"
        path.write_bytes(data)
        with pytest.raises(WeightFileError, match="is not a valid shard index"):
            read_index(path)

    def test_bounds_its_size_and_the_number_of_shards(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = write_index(tmp_path, {"a": "1", "b": "2"})
        monkeypatch.setattr(checkpoint, "MAX_SHARDS", 1)
        with pytest.raises(WeightFileError, match="expected at most 1 shards, got 2"):
            read_index(path)
        monkeypatch.setattr(checkpoint, "MAX_INDEX_NBYTES", 10)
        with pytest.raises(WeightFileError, match="is too large"):
            read_index(path)

    def test_a_missing_shard_has_an_error_of_its_own(self, tmp_path: Path) -> None:
        with pytest.raises(MissingShardError):
            read_index(write_index(tmp_path, {"a": "none"}))

    def test_checks_that_index_and_shards_agree(self, tmp_path: Path) -> None:
        for name in "12":
            (tmp_path / name).touch()
        index = read_index(write_index(tmp_path, {"a": "1", "b": "2"}))
        index.check_tensors(tmp_path / "1", ["a"])
        index.check_complete({"a", "b"})
        with pytest.raises(WeightFileError, match=r'1 contains the tensor "b", but .* places it in "2"'):
            index.check_tensors(tmp_path / "1", ["a", "b"])
        with pytest.raises(WeightFileError, match=r'1 contains the tensor "c", but .* does not name it'):
            index.check_tensors(tmp_path / "1", ["c"])
        with pytest.raises(WeightFileError, match='2 does not contain the tensor "b"'):
            index.check_complete({"a"})


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Return a folder with weight files of two formats, and other files."""
        for name in ("b.safetensors", "a.safetensors", "w.h5", "config.json", "w.pt"):
            (tmp_path / name).touch()
        (tmp_path / "c.safetensors").mkdir()
        return tmp_path

    def test_lists_indexes_first(self, folder: Path) -> None:
        write_index(folder, {"x": "a.safetensors"})
        names = [path.name for path in list_checkpoints(folder)]
        assert names == [f"model{INDEX_SUFFIX}", "a.safetensors", "b.safetensors", "w.h5"]

    def test_lists_files_of_some_formats(self, folder: Path) -> None:
        assert [path.name for path in list_checkpoints(folder, ["hdf5"])] == ["w.h5"]

    def test_has_one_checkpoint_or_an_error_names_several(self, folder: Path) -> None:
        assert find_checkpoint(folder, ["hdf5"]) == folder / "w.h5"
        assert find_checkpoint(folder, ["keras"]) is None
        with pytest.raises(UsageError, match=r"contains 2 checkpoints: a\.safetensors, b\.safetensors"):
            find_checkpoint(folder, ["safetensors"])
        index = write_index(folder, {"x": "a.safetensors"})
        assert find_checkpoint(folder) == index

    def test_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="cannot be read"):
            list_checkpoints(tmp_path / "none")
