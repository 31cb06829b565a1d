"""Tests of safetensors files: the bytes of the header, and the official library as a reader."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import safetensors as safetensors_library
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import PlanError, WeightFileError
from lecun_cli.formats import safetensors
from lecun_cli.formats.safetensors import DTYPE_NAMES
from lecun_cli.formats.segments import Literal
from lecun_cli.initializers.family import make
from lecun_cli.output import engine
from lecun_cli.output.destinations.local_file import LocalFile
from tests.conftest import SEED, drawn, mixed_plan, plan_of, plan_with, tensor

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.plan.types import Plan


def write(plan: Plan, path: Path) -> Path:
    layout = safetensors.layout(plan)
    with LocalFile(path, layout.nbytes) as file:
        engine.run(layout, SEED, file)
        file.commit()
    return path


def header_of(plan: Plan) -> bytes:
    first = safetensors.layout(plan).segments[0]
    assert isinstance(first, Literal)
    return first.data


def all_dtypes() -> Plan:
    return plan_with(
        *(
            tensor((5, 3), dtype=d.name, initializer=None if d.is_float else make("ones"), name=d.name)
            for d in DTYPES.values()
        )
    )


def without_float8(plan: Plan) -> Plan:
    """Return the dtypes that `safetensors.numpy` supports: NumPy has no float8."""
    return plan_with(*(t for t in plan.tensors if not t.dtype.startswith("float8")))


class TestHeader:
    def test_is_its_length_then_json_then_spaces(self) -> None:
        data = header_of(plan_of("seed: 1\ntensors: [{name: b, shape: [2, 3], in_axes: [1]}]\n"))
        text = b'{"__metadata__":{"format":"keras"},"b":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
        assert data == struct.pack("<Q", 4088) + text + b" " * (4088 - len(text))

    @pytest.mark.parametrize("framework", ["keras", "torch"])
    @pytest.mark.parametrize("n", [1, 30, 60, 61, 200])
    def test_pads_to_a_page_with_spaces(self, framework: str, n: int) -> None:
        plan = plan_of(
            f"tensors: [{', '.join(f'{{name: t{i}, shape: [3], initializer: zeros}}' for i in range(n))}]\n",
            framework,
        )
        data = header_of(plan)
        assert len(data) % 4096 == 0
        assert struct.unpack("<Q", data[:8]) == (len(data) - 8,)
        assert len(data) - len(data.rstrip(b" ")) < 4096

    def test_places_tensors_back_to_back_in_the_order_of_the_plan(self) -> None:
        plan = mixed_plan()
        entries = json.loads(header_of(plan)[8:])
        assert entries.pop("__metadata__") == {"format": "keras"}
        assert list(entries) == [t.name for t in plan.tensors]
        at = 0
        for planned in plan.tensors:
            assert entries[planned.name]["data_offsets"] == [at, at + planned.nbytes]
            assert entries[planned.name]["shape"] == list(planned.shape)
            at += planned.nbytes

    def test_keeps_every_tensor_on_a_multiple_of_its_element(self) -> None:
        for extent in safetensors.layout(mixed_plan("torch")).extents:
            assert extent.offset % extent.tensor.storage.itemsize == 0

    def test_is_utf8_without_escapes(self) -> None:
        plan = plan_with(tensor((2,), name="größe/κ"))
        assert '"größe/κ":'.encode() in header_of(plan)

    def test_equals_the_output_of_the_json_module(self) -> None:
        names = ['a"b', "back\\slash", "größe/κ", "100%", "\u2028", "a b"]
        layers = ", ".join(
            f"{{type: tensor, name: {json.dumps(name)}, shape: [2, 3], initializer: ones}}" for name in names
        )
        data = header_of(plan_of(f"seed: 1\nlayers: [{{repeat: 3, name: 'g{{i}}', layers: [{layers}]}}]\n"))
        document = json.dumps(json.loads(data[8:]), separators=(",", ":"), ensure_ascii=False)
        assert data[8:].rstrip(b" ") == document.encode()

    def test_reserves_the_name_of_the_metadata(self) -> None:
        plan = plan_of("tensors:\n  - {name: __metadata__, shape: [2], initializer: zeros}\n")
        with pytest.raises(PlanError) as caught:
            safetensors.layout(plan)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.message == 'the name "__metadata__" is reserved in safetensors'
        assert diagnostic.span is not None
        assert (diagnostic.span.line, diagnostic.help) == (2, "rename the tensor")

    def test_longer_than_the_limit_of_the_library_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert safetensors.MAX_HEADER_NBYTES == 100_000_000
        monkeypatch.setattr(safetensors, "MAX_HEADER_NBYTES", 4087)
        plan = plan_of("tensors: [{name: t, shape: [2], initializer: zeros}]\n")
        with pytest.raises(PlanError, match=r"at most 4,087 bytes, got 4,088"):
            safetensors.layout(plan)


class TestLibrary:
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    def test_opens_the_file_with_the_right_names_shapes_and_dtypes(
        self, tmp_path: Path, framework: str
    ) -> None:
        plan = mixed_plan(framework)
        with safe_open(write(plan, tmp_path / "w.safetensors"), framework="numpy") as file:
            assert sorted(file.keys()) == sorted(t.name for t in plan.tensors)
            assert file.metadata() == {"format": {"keras": "keras", "torch": "pt"}[framework]}
            for planned in plan.tensors:
                stored = file.get_slice(planned.name)
                assert tuple(stored.get_shape()) == planned.shape
                assert stored.get_dtype() == DTYPE_NAMES[planned.dtype]

    @pytest.mark.parametrize("plan", [mixed_plan("keras"), mixed_plan("torch"), all_dtypes()])
    def test_reads_exactly_the_bytes_of_every_tensor(self, tmp_path: Path, plan: Plan) -> None:
        library: Any = safetensors_library
        rows = library.deserialize(write(plan, tmp_path / "w.safetensors").read_bytes())
        stored = {name: (row["dtype"], tuple(row["shape"]), bytes(row["data"])) for name, row in rows}
        assert stored == {t.name: (DTYPE_NAMES[t.dtype], t.shape, drawn(t).tobytes()) for t in plan.tensors}

    def test_returns_arrays_of_the_right_values(self, tmp_path: Path) -> None:
        plan = without_float8(all_dtypes())
        arrays = load_file(write(plan, tmp_path / "w.safetensors"))
        for planned in plan.tensors:
            assert arrays[planned.name].dtype == planned.storage.numpy()
            assert np.array_equal(arrays[planned.name].astype("f8"), drawn(planned).astype("f8"))

    def test_writer_of_the_library_stores_the_same_data(self, tmp_path: Path) -> None:
        ours = write(without_float8(mixed_plan()), tmp_path / "ours.safetensors")
        theirs = tmp_path / "theirs.safetensors"
        save_file(load_file(ours), theirs, metadata={"format": "pt"})
        data = [path.read_bytes() for path in (ours, theirs)]
        lengths = [struct.unpack("<Q", d[:8])[0] for d in data]
        headers = [json.loads(d[8 : 8 + n]) for d, n in zip(data, lengths, strict=True)]
        assert headers[0] == headers[1]
        assert list(headers[0]) == list(headers[1])
        bodies = [d[8 + n :] for d, n in zip(data, lengths, strict=True)]
        assert bodies[0] == bodies[1]


class TestRead:
    def test_returns_the_tensors_of_the_layout(self, tmp_path: Path) -> None:
        plan = all_dtypes()
        layout = safetensors.layout(plan)
        stored = safetensors.read(write(plan, tmp_path / "w.safetensors"))
        assert [(t.name, t.dtype, t.shape, t.offset, t.nbytes) for t in stored] == [
            (e.tensor.name, e.tensor.dtype, e.tensor.shape, e.offset, e.nbytes) for e in layout.extents
        ]

    def test_reads_files_of_the_library(self, tmp_path: Path) -> None:
        save_file({"b": np.zeros((2, 3), "f4"), "a": np.ones(5, "i8")}, tmp_path / "w.safetensors")
        stored = safetensors.read(tmp_path / "w.safetensors")
        assert {t.name: (t.dtype, t.shape) for t in stored} == {
            "a": ("int64", (5,)),
            "b": ("float32", (2, 3)),
        }

    def test_an_unknown_dtype_has_the_name_of_the_format(self, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        entry: dict[str, Any] = {"dtype": "F8_E8M0", "shape": [2], "data_offsets": [0, 2]}
        header = json.dumps({"s": entry}).encode()
        path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0")
        assert [t.dtype for t in safetensors.read(path)] == ["F8_E8M0"]


ENTRY = b'"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
OTHER = b'"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}'


def file_bytes(header: bytes, data: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + data


@dataclass(frozen=True)
class ExpectFail:
    """Bytes that are not a valid safetensors file, and a part of the message."""

    id: str
    data: bytes
    message: str = "is not a valid safetensors file"


UNSOUND = (
    ExpectFail("empty", b""),
    ExpectFail("half-a-length", b"\1\0\0"),
    ExpectFail("garbage", b"\x89HDF\r\n\x1a\n" + bytes(range(200))),
    ExpectFail("length-past-the-end", struct.pack("<Q", 100) + b"{}"),
    ExpectFail("length-past-all", b"\xff" * 16),
    ExpectFail("no-json", file_bytes(b"{nonsense}", b"")),
    ExpectFail("a-list", file_bytes(b"[1, 2]", b"")),
    ExpectFail("truncated", file_bytes(b"{" + ENTRY + b"," + OTHER + b"}", b"1")),
    ExpectFail("appended", file_bytes(b"{" + ENTRY + b"}", b"12")),
    ExpectFail("gap", file_bytes(b"{" + ENTRY + b"}", b"12").replace(b"[0,1]", b"[1,2]")),
    ExpectFail("overlap", file_bytes(b"{" + ENTRY + b"," + ENTRY.replace(b"a", b"c", 1) + b"}", b"1")),
    ExpectFail("shape-and-size", file_bytes(b"{" + ENTRY.replace(b"[1]", b"[3]") + b"}", b"1")),
    ExpectFail("not-utf8", file_bytes(b"{" + ENTRY.replace(b"a", b"\xff", 1) + b"}", b"1")),
    ExpectFail("deep", file_bytes(b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", b"")),
    ExpectFail(
        "name-twice",
        file_bytes(b"{" + ENTRY + b"," + OTHER + b"," + OTHER + b"}", b"12"),
        'duplicate key "b"',
    ),
    ExpectFail(
        "key-twice",
        file_bytes(b"{" + ENTRY.replace(b"{", b'{"dtype":"U8",') + b"}", b"1"),
        "is not a valid safetensors file",
    ),
)


class TestInvalidFiles:
    @pytest.mark.parametrize("case", UNSOUND, ids=lambda case: case.id)
    def test_files_are_refused(self, tmp_path: Path, case: ExpectFail) -> None:
        path = tmp_path / "w.safetensors"
        path.write_bytes(case.data)
        with pytest.raises(WeightFileError, match=case.message) as caught:
            safetensors.read(path)
        assert str(path) in caught.value.message

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(WeightFileError, match="No such file"):
            safetensors.read(tmp_path / "none.safetensors")

    def test_every_truncation_is_refused(self, tmp_path: Path) -> None:
        whole = write(plan_with(tensor((9, 5))), tmp_path / "w.safetensors").read_bytes()
        for length in (0, 1, 7, 8, 9, 100, 4095, 4096, 4097, len(whole) - 1):
            (tmp_path / "cut.safetensors").write_bytes(whole[:length])
            with pytest.raises(WeightFileError):
                safetensors.read(tmp_path / "cut.safetensors")
