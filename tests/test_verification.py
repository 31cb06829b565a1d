"""Tests of verify: every way in which a file can differ from its manifest, with real files."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from lecun_cli.errors import ManifestError, UsageError
from lecun_cli.generation import GenerateOptions, generate
from lecun_cli.manifest.model import SUFFIX
from lecun_cli.manifest.reader import read_manifest
from lecun_cli.verification import VerifyReport, find_manifests, verify, work_nbytes
from tests.conftest import plan_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from lecun_cli.plan.types import Plan

SPEC = """\
seed: 42
layers:
  - {type: dense, name: hidden, in_features: 37, out_features: 29}
  - {type: embedding, name: words, num_embeddings: 13, embedding_dim: 8, dtype: float16}
  - {type: tensor, name: count, shape: [], initializer: {name: constant, value: -7}, dtype: int64}
"""
NAMES = ["count", "hidden/bias", "hidden/kernel", "words/embeddings"]
FORMATS = ["w.safetensors", "w.h5"]


def plan() -> Plan:
    return plan_of(SPEC)


def generated(folder: Path, name: str) -> Path:
    generate(plan(), folder / name)
    return folder / name


def differences_of(path: Path, *, regenerate: bool = False) -> list[tuple[str, str, str]]:
    (report,) = verify(path, regenerate=regenerate)
    assert report.ok == (not report.differences)
    return [(d.what, d.name, d.kind) for d in report.differences]


def extent(path: Path, name: str) -> tuple[int, int]:
    """Return the range of a tensor in its file, according to the manifest."""
    manifest = read_manifest(path.with_name(path.name + SUFFIX))
    return next((t.offset, t.tensor.nbytes) for t in manifest.tensors if t.tensor.name == name)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x10
    path.write_bytes(data)


def edit_manifest(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    manifest = path.with_name(path.name + SUFFIX)
    value = json.loads(manifest.read_bytes())
    change(value)
    manifest.write_text(json.dumps(value))


class TestUnchangedFiles:
    @pytest.mark.parametrize("name", FORMATS)
    @pytest.mark.parametrize("regenerate", [False, True])
    def test_an_unchanged_file_is_ok(self, tmp_path: Path, name: str, regenerate: bool) -> None:
        path = generated(tmp_path, name)
        (report,) = verify(path, regenerate=regenerate)
        assert report == VerifyReport(
            str(path) + SUFFIX, 1, 4, path.stat().st_size, regenerated=regenerate, differences=()
        )
        assert report.ok

    @pytest.mark.parametrize("workers", [1, 2, 8])
    def test_for_any_number_of_workers(self, tmp_path: Path, workers: int) -> None:
        (report,) = verify(generated(tmp_path, "w.h5"), regenerate=True, workers=workers)
        assert report.ok

    @pytest.mark.parametrize("regenerate", [False, True])
    def test_progress_rises_to_the_predicted_work(self, tmp_path: Path, regenerate: bool) -> None:
        path = generated(tmp_path, "w.safetensors")
        reported: list[int] = []
        verify(path, regenerate=regenerate, workers=1, progress=lambda nbytes, _: reported.append(nbytes))
        assert max(reported) == work_nbytes(path, regenerate=regenerate)


class TestAnotherManifest:
    def test_next_to_a_file_does_not_verify_it(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        other = tmp_path / "other.safetensors"
        other.write_bytes(b"anything")
        (tmp_path / f"other.safetensors{SUFFIX}").write_bytes(Path(str(path) + SUFFIX).read_bytes())
        (report,) = verify(other)
        assert [(d.what, d.name, d.kind) for d in report.differences] == [("file", other.name, "extra")]


@pytest.mark.parametrize("file", FORMATS)
class TestDamage:
    @pytest.mark.parametrize("name", NAMES)
    @pytest.mark.parametrize("end", [0, -1], ids=["first", "last"])
    def test_a_flipped_byte_is_reported_for_its_tensor_only(
        self, tmp_path: Path, file: str, name: str, end: int
    ) -> None:
        path = generated(tmp_path, file)
        offset, nbytes = extent(path, name)
        flip(path, offset + range(nbytes)[end])
        assert differences_of(path) == [("file", file, "digest"), ("tensor", name, "digest")]
        assert differences_of(path, regenerate=True) == [
            ("file", file, "digest"),
            ("tensor", name, "digest"),
            ("tensor", name, "regenerated"),
        ]

    def test_a_truncated_file(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        os.truncate(path, path.stat().st_size - 1)
        assert differences_of(path)[:3] == [
            ("file", file, "size"),
            ("file", file, "damaged"),
            ("file", file, "digest"),
        ]

    def test_an_appended_byte(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        with path.open("ab") as out:
            out.write(b"\0")
        assert {d for d in differences_of(path) if d[2] != "damaged"} == {
            ("file", file, "size"),
            ("file", file, "digest"),
        }

    def test_an_emptied_file(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        path.write_bytes(b"")
        kinds = differences_of(path)
        assert kinds[:3] == [("file", file, "size"), ("file", file, "damaged"), ("file", file, "digest")]
        assert {d[1] for d in kinds[3:]} == set(NAMES)

    def test_a_missing_file(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        path.unlink()
        assert differences_of(path) == [("file", file, "missing")]
        assert differences_of(path, regenerate=True) == [("file", file, "missing")]

    def test_a_folder_in_its_place(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        path.unlink()
        path.mkdir()
        assert differences_of(Path(str(path) + SUFFIX)) == [("file", file, "missing")]

    def test_a_file_without_read_permission(
        self, tmp_path: Path, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = generated(tmp_path, file)

        def refuse(*_: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        assert differences_of(path) == [("file", file, "damaged")]

    def test_another_format_in_its_place(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        other = generated(tmp_path, "other.h5" if file == "w.safetensors" else "other.safetensors")
        path.write_bytes(other.read_bytes())
        assert ("file", file, "damaged") in differences_of(path)

    def test_a_manifest_that_was_edited_to_match_is_caught_by_regenerate(
        self, tmp_path: Path, file: str
    ) -> None:
        path = generated(tmp_path, file)
        offset, _ = extent(path, "hidden/kernel")
        flip(path, offset + 100)
        data = path.read_bytes()

        def cover_up(value: dict[str, Any]) -> None:
            value["files"][0]["sha256"] = hashlib.sha256(data).hexdigest()
            for row in value["tensors"]:
                stored = data[row["offset"] : row["offset"] + row["bytes"]]
                row["sha256"] = hashlib.sha256(stored).hexdigest()

        edit_manifest(path, cover_up)
        assert differences_of(path) == []
        assert differences_of(path, regenerate=True) == [("tensor", "hidden/kernel", "regenerated")]


def keep(_: dict[str, Any]) -> None:
    pass


@dataclass(frozen=True)
class Expect:
    """A change of the tensors of a file, and the expected differences."""

    id: str
    change: Callable[[dict[str, Any]], None]
    differences: frozenset[tuple[str, str, str]]


CHANGES = (
    Expect("nothing", keep, frozenset()),
    Expect(
        "missing",
        lambda values: values.__delitem__("hidden/bias"),
        frozenset({("tensor", "hidden/bias", "missing")}),
    ),
    Expect(
        "extra",
        lambda values: values.update({"more": np.zeros(3, "f4")}),
        frozenset({("tensor", "more", "extra")}),
    ),
    Expect(
        "dtype",
        lambda values: values.update({"hidden/bias": values["hidden/bias"].astype("f8")}),
        frozenset({("tensor", "hidden/bias", "form"), ("tensor", "hidden/bias", "digest")}),
    ),
    Expect(
        "shape",
        lambda values: values.update({"hidden/kernel": values["hidden/kernel"].reshape(29, 37)}),
        frozenset({("tensor", "hidden/kernel", "form")}),
    ),
    Expect(
        "values",
        lambda values: values.update({"count": np.asarray(np.int64(8))}),
        frozenset({("tensor", "count", "digest")}),
    ),
    Expect(
        "renamed",
        lambda values: values.update({"hidden/b": values.pop("hidden/bias")}),
        frozenset({("tensor", "hidden/bias", "missing"), ("tensor", "hidden/b", "extra")}),
    ),
)


@pytest.mark.parametrize("case", CHANGES, ids=lambda case: case.id)
class TestSavedAgain:
    def test_by_the_safetensors_library(self, tmp_path: Path, case: Expect) -> None:
        path = generated(tmp_path, "w.safetensors")
        values: dict[str, Any] = load_file(path)
        case.change(values)
        save_file(values, path, metadata={"by": "someone else"})
        differences = [d for d in differences_of(path) if d != ("file", "w.safetensors", "size")]
        assert differences.count(("file", "w.safetensors", "digest")) == 1
        assert set(differences) - {("file", "w.safetensors", "digest")} == case.differences
        assert len(set(differences)) == len(differences)

    def test_by_h5py(self, tmp_path: Path, case: Expect) -> None:
        path = generated(tmp_path, "w.h5")
        with h5py.File(path) as file:
            values = {name: np.asarray(file[name][()]) for name in NAMES}
        case.change(values)
        with h5py.File(path, "w") as file:
            for name, array in values.items():
                file[name] = array
        differences = [d for d in differences_of(path) if d != ("file", "w.h5", "size")]
        assert set(differences) - {("file", "w.h5", "digest")} == case.differences


class TestHeader:
    def test_another_header_of_the_same_tensors_is_reported_for_the_file_only(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        data = path.read_bytes()
        (length,) = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])
        header["__metadata__"] = {"x" * 2000: "y" * 4000}
        text = json.dumps(header, indent=1).encode()
        path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])
        assert differences_of(path) == [
            ("file", "w.safetensors", "size"),
            ("file", "w.safetensors", "digest"),
        ]
        os.unlink(path)
        path.write_bytes(data.replace(b'"keras"', b'"kEras"'))
        assert differences_of(path) == [("file", "w.safetensors", "digest")]

    @pytest.mark.parametrize(
        ("before", "after", "differences"),
        [
            (b'"hidden/bias"', b'"hidden/bjas"', {("hidden/bias", "missing"), ("hidden/bjas", "extra")}),
            (b'"shape":[37,29]', b'"shape":[29,37]', {("hidden/kernel", "form")}),
            (b'"F16"', b'"I16"', {("words/embeddings", "form")}),
        ],
    )
    def test_a_changed_value_is_reported_for_its_tensor(
        self, tmp_path: Path, before: bytes, after: bytes, differences: set[tuple[str, str]]
    ) -> None:
        path = generated(tmp_path, "w.safetensors")
        data = path.read_bytes()
        assert data.count(before) == 1
        path.write_bytes(data.replace(before, after))
        kinds = differences_of(path)
        assert kinds.count(("file", "w.safetensors", "digest")) == 1
        assert {(name, kind) for what, name, kind in kinds if what == "tensor"} == differences

    def test_if_it_is_broken_tensors_are_read_at_the_offsets_of_the_manifest(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        flip(path, 9)
        assert differences_of(path) == [
            ("file", "w.safetensors", "damaged"),
            ("file", "w.safetensors", "digest"),
        ]

    def test_chunked_datasets_have_no_offset(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.h5")
        with h5py.File(path, "r+") as file:
            values = file["hidden/kernel"][()]
            del file["hidden/kernel"]
            file.create_dataset("hidden/kernel", data=values, chunks=(10, 10))
        assert ("tensor", "hidden/kernel", "digest") in differences_of(path)


class TestManifest:
    @pytest.mark.parametrize("file", FORMATS)
    def test_a_wrong_offset_is_reported(self, tmp_path: Path, file: str) -> None:
        path = generated(tmp_path, file)
        edit_manifest(path, lambda value: value["tensors"][0].update(offset=1))
        assert differences_of(path) == [("tensor", read_manifest_names(path)[0], "form")]

    def test_a_wrong_digest_is_reported(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        edit_manifest(path, lambda value: value["tensors"][1].update(sha256="0" * 64))
        name = read_manifest_names(path)[1]
        assert differences_of(path) == [("tensor", name, "digest")]
        assert differences_of(path, regenerate=True) == [
            ("tensor", name, "digest"),
            ("tensor", name, "regenerated"),
        ]

    def test_another_seed_is_caught_by_regenerate(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        edit_manifest(path, lambda value: value.update(seed=43))
        assert differences_of(path) == []
        assert differences_of(path, regenerate=True) == [
            ("tensor", "hidden/kernel", "regenerated"),
            ("tensor", "words/embeddings", "regenerated"),
        ]

    def test_an_unknown_format_is_reported(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        edit_manifest(path, lambda value: value["files"][0].update(format="zarr"))
        (report,) = verify(path)
        (difference,) = report.differences
        assert (difference.kind, difference.detail) == ("damaged", 'unknown format "zarr"')

    def test_without_tensors_is_regenerated(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        edit_manifest(path, lambda value: value.update(tensors=[]))
        assert {d[2] for d in differences_of(path, regenerate=True)} == {"extra"}

    def test_that_is_too_large_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = generated(tmp_path, "w.safetensors")
        monkeypatch.setattr("lecun_cli.manifest.reader.MAX_MANIFEST_NBYTES", 10)
        with pytest.raises(ManifestError, match="is too large"):
            verify(path)

    def test_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(ManifestError, match="cannot be read: Is a directory"):
            read_manifest(tmp_path)


def read_manifest_names(path: Path) -> list[str]:
    manifest = read_manifest(path.with_name(path.name + SUFFIX))
    return [entry.tensor.name for entry in manifest.tensors]


class TestPaths:
    def test_a_file_its_manifest_and_its_folder_mean_the_same(self, tmp_path: Path) -> None:
        path = generated(tmp_path, "w.safetensors")
        manifest = Path(str(path) + SUFFIX)
        for meant in (path, manifest, tmp_path, str(path)):
            assert find_manifests(meant) == (manifest,)

    def test_a_folder_means_all_its_manifests(self, tmp_path: Path) -> None:
        generated(tmp_path, "b.safetensors")
        generated(tmp_path, "a.h5")
        (tmp_path / "notes.json").write_text("{}")
        flip(tmp_path / "b.safetensors", -1)
        reports = verify(tmp_path)
        assert [(Path(r.manifest).name, r.ok) for r in reports] == [
            ("a.h5.manifest.json", True),
            ("b.safetensors.manifest.json", False),
        ]

    def test_a_manifest_may_have_any_name(self, tmp_path: Path) -> None:
        generate(plan(), tmp_path / "w.h5", GenerateOptions(manifest=str(tmp_path / "m.json")))
        assert differences_of(tmp_path / "m.json") == []

    def test_files_are_expected_in_the_folder_of_the_manifest(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "sub").mkdir()
        generated(tmp_path / "sub", "w.h5")
        monkeypatch.chdir(tmp_path)
        assert differences_of(Path("sub/w.h5")) == []
        monkeypatch.chdir(tmp_path / "sub")
        assert differences_of(Path()) == differences_of(Path("w.h5")) == []

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none.h5", "there is neither a file .*none.h5 nor a manifest none.h5.manifest.json"),
            ("none.h5.manifest.json", "the manifest .*none.h5.manifest.json does not exist"),
            ("lone.h5", "lone.h5 has no manifest: expected lone.h5.manifest.json"),
            (".", " contains no manifest"),
        ],
    )
    def test_a_path_without_a_manifest_is_refused(self, tmp_path: Path, name: str, message: str) -> None:
        (tmp_path / "lone.h5").write_bytes(b"")
        with pytest.raises(UsageError, match=message):
            verify(tmp_path / name)
