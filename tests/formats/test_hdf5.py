"""Tests of HDF5 files, read by h5py and the HDF5 library."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import h5py
import ml_dtypes
import numpy as np
import pytest

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import PlanError, WeightFileError
from lecun_cli.formats import hdf5
from lecun_cli.formats.segments import FileLayout, Literal
from lecun_cli.initializers.family import make
from lecun_cli.output import engine
from lecun_cli.output.destinations.local_file import LocalFile
from tests.conftest import SEED, drawn, mixed_plan, plan_of, plan_with, tensor

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.plan.types import Plan

READ_AS = {"bfloat16": "float32", "float8_e4m3fn": "float16", "float8_e5m2": "float16"}


def write(plan: Plan, path: Path) -> Path:
    layout = hdf5.layout(plan)
    with LocalFile(path, layout.nbytes) as file:
        engine.run(layout, SEED, file)
        file.commit()
    return path


def tensors_named(*names: str) -> Plan:
    rows = "".join(f"  - {{name: {name}, shape: [2, 3], initializer: zeros}}\n" for name in names)
    return plan_of(f"tensors:\n{rows}")


def literals(layout: FileLayout) -> list[tuple[int, bytes]]:
    return [(s.offset, s.data) for s in layout.segments if isinstance(s, Literal)]


class TestH5py:
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    def test_opens_the_file_with_the_right_names_shapes_and_values(
        self, tmp_path: Path, framework: str
    ) -> None:
        plan = mixed_plan(framework)
        datasets: dict[str, Any] = {}

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset):
                datasets[name] = (item.shape, item[()])

        with h5py.File(write(plan, tmp_path / "w.h5")) as file:
            file.visititems(visit)
        assert set(datasets) == {t.name for t in plan.tensors}
        for planned in plan.tensors:
            shape, values = datasets[planned.name]
            assert shape == planned.shape
            assert np.array_equal(np.asarray(values, "f8"), drawn(planned).astype("f8"))

    @pytest.mark.parametrize("dtype", DTYPES)
    @pytest.mark.parametrize("shape", [(), (1,), (7, 5)], ids=str)
    def test_reads_every_dtype(self, tmp_path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        kind = DTYPES[dtype]
        planned = tensor(shape, dtype=dtype, initializer=None if kind.is_float else make("ones"), name="g/t")
        with h5py.File(write(plan_with(planned), tmp_path / "w.h5")) as file:
            dataset = file["g/t"]
            assert dataset.shape == shape
            assert dataset.dtype == np.dtype(READ_AS.get(dtype, dtype))
            assert np.array_equal(np.asarray(dataset[()], "f8"), drawn(planned).astype("f8"))
            assert dataset.chunks is None
            assert dataset.id.get_offset() + planned.nbytes <= (tmp_path / "w.h5").stat().st_size

    @pytest.mark.parametrize(
        ("dtype", "as_dtype", "finite"),
        [
            ("bfloat16", "float32", 2**16),
            ("float8_e5m2", "float16", 2**8),
            ("float8_e4m3fn", "float16", 2**7 - 8),  # HDF5 reads 256 and above as infinity and NaN
        ],
    )
    def test_converts_every_number_of_the_narrow_floats(
        self, tmp_path: Path, dtype: str, as_dtype: str, finite: int
    ) -> None:
        """Store each bit pattern in a file and read it as a number."""
        narrow = np.dtype(getattr(ml_dtypes, dtype))
        patterns = np.arange(2 ** (8 * narrow.itemsize), dtype=f"u{narrow.itemsize}")
        path = write(plan_with(tensor(patterns.shape, dtype=dtype)), tmp_path / "w.h5")
        with h5py.File(path) as file:
            offset = file["t"].id.get_offset()
        data = bytearray(path.read_bytes())
        data[offset : offset + patterns.nbytes] = patterns.tobytes()
        path.write_bytes(data)
        with h5py.File(path) as file:
            numbers = file["t"][()]
        assert numbers.dtype == np.dtype(as_dtype)
        expected = patterns.view(narrow).astype("f4")
        sign_less = patterns & (2 ** (8 * narrow.itemsize - 1) - 1)
        checked = np.isfinite(expected) & (sign_less < finite)
        assert checked.sum() > 200
        assert np.array_equal(numbers[checked].astype("f4"), expected[checked])

    def test_extents_are_where_it_says(self, tmp_path: Path) -> None:
        plan = mixed_plan()
        layout = hdf5.layout(plan)
        with h5py.File(write(plan, tmp_path / "w.h5")) as file:
            for extent in layout.extents:
                dataset = file[extent.tensor.name]
                assert dataset.id.get_offset() == extent.offset
                assert dataset.id.get_storage_size() == extent.nbytes

    def test_large_extents_are_aligned(self) -> None:
        plan = plan_with(*(tensor((37, n), name=f"t{n}", dtype="bfloat16") for n in range(1, 40)))
        for extent in hdf5.layout(plan).extents:
            assert extent.nbytes < 512 or extent.offset % 64 == 0

    def test_groups_nest(self, tmp_path: Path) -> None:
        plan = tensors_named("a/b/c/d", "a/b/e", "a/f", "g")
        with h5py.File(write(plan, tmp_path / "w.h5")) as file:
            assert isinstance(file["a/b/c"], h5py.Group)
            assert sorted(file) == ["a", "g"]
            assert sorted(file["a"]) == ["b", "f"]
            assert sorted(file["a/b"]) == ["c", "e"]

    def test_names_are_utf8(self, tmp_path: Path) -> None:
        with h5py.File(write(tensors_named("größe/κ 1"), tmp_path / "w.h5")) as file:
            assert file["größe/κ 1"].shape == (2, 3)

    def test_many_tensors_in_one_group(self, tmp_path: Path) -> None:
        plan = plan_with(*(tensor((3,), name=f"g/t{i}", initializer=make("zeros")) for i in range(3000)))
        with h5py.File(write(plan, tmp_path / "w.h5")) as file:
            assert len(file["g"]) == 3000


class TestSkeleton:
    def test_is_the_same_every_time(self) -> None:
        first = hdf5.layout(mixed_plan())
        time.sleep(1.1)  # HDF5 stores times in seconds
        assert literals(hdf5.layout(mixed_plan())) == literals(first)

    def test_of_a_file_larger_than_memory_is_small(self) -> None:
        layout = hdf5.layout(plan_with(*(tensor((2**20, 2**20), name=f"t{i}") for i in range(8))))
        assert layout.nbytes > 8 * 2**42
        assert sum(len(data) for _, data in literals(layout)) < 2**20


class TestNames:
    def test_a_tensor_that_is_also_a_group_is_reported_with_both_locations(self) -> None:
        plan = tensors_named("a/b/c", "a/b")
        with pytest.raises(PlanError) as caught:
            hdf5.layout(plan)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.message == 'in HDF5, "a/b" cannot be both a tensor and the group of "a/b/c"'
        assert diagnostic.help == "rename one of them, or write safetensors"
        assert diagnostic.span is not None
        assert diagnostic.related is not None
        assert (diagnostic.span.line, diagnostic.related[0].line, diagnostic.related[1]) == (
            2,
            3,
            '"a/b" is here',
        )

    @pytest.mark.parametrize("name", [".", "a/.", "./a", "a/./b", "/a", "a/", "a//b", "/"])
    def test_a_part_that_is_empty_or_a_dot_is_refused(self, name: str) -> None:
        with pytest.raises(
            PlanError, match=r'is not a valid path in HDF5, because a part of it is empty or "\."'
        ):
            hdf5.layout(tensors_named(name))

    def test_all_errors_are_reported_at_once(self) -> None:
        with pytest.raises(PlanError) as caught:
            hdf5.layout(tensors_named("a", "a/b", "/c", "d"))
        assert len(caught.value.diagnostics) == 2

    @pytest.mark.parametrize("name", ["a/../b", "..", "a.b", "-", "a b"])
    def test_other_parts_are_valid_names(self, name: str) -> None:
        assert [e.tensor.name for e in hdf5.layout(tensors_named(f'"{name}"')).extents] == [name]

    def test_more_axes_than_hdf5_supports_are_refused(self) -> None:
        ones = ", ".join(["1"] * 33)
        plan = plan_of(f"tensors:\n  - {{name: t, shape: [{ones}], initializer: zeros}}\n")
        with pytest.raises(PlanError, match='"t": expected at most 32 axes in HDF5, got 33') as caught:
            hdf5.layout(plan)
        assert caught.value.diagnostics[0].span is not None


class TestRead:
    def test_returns_the_tensors_of_the_layout(self, tmp_path: Path) -> None:
        plan = plan_with(
            *(
                tensor((5, 3), dtype=d.name, initializer=None if d.is_float else make("ones"), name=d.name)
                for d in DTYPES.values()
            )
        )
        stored = hdf5.read(write(plan, tmp_path / "w.h5"))
        assert [(t.name, t.dtype, t.shape, t.offset, t.nbytes) for t in stored] == [
            (e.tensor.name, e.tensor.dtype, e.tensor.shape, e.offset, e.nbytes)
            for e in hdf5.layout(plan).extents
        ]

    def test_reads_files_of_h5py(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["g/a"] = np.zeros((2, 3), "f4")
            file["s"] = np.int64(4)
            file.create_dataset("chunked", data=np.zeros((8, 8)), chunks=(4, 4))
            file["big"] = np.zeros(2, ">f4")
            file["text"] = "words"
            file["nothing"] = h5py.Empty("f4")
        stored = {t.name: t for t in hdf5.read(tmp_path / "w.h5")}
        assert (stored["g/a"].dtype, stored["g/a"].shape) == ("float32", (2, 3))
        assert (stored["s"].dtype, stored["s"].shape) == ("int64", ())
        assert stored["chunked"].offset == -1
        assert stored["big"].dtype == ">f4"
        assert {"text", "nothing"} <= set(stored)

    def test_a_type_that_numpy_lacks_has_its_hdf5_name(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            space = h5py.h5s.create_simple((3,))
            h5py.h5d.create(file.id, b"t", h5py.h5t.UNIX_D32LE, space)
        (stored,) = hdf5.read(tmp_path / "w.h5")
        assert stored.name == "t"
        assert stored.dtype not in DTYPES

    @pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n", b"x" * 5000], ids=["empty", "magic", "junk"])
    def test_refuses_garbage(self, tmp_path: Path, data: bytes) -> None:
        (tmp_path / "w.h5").write_bytes(data)
        with pytest.raises(WeightFileError, match="is not a valid HDF5 file"):
            hdf5.read(tmp_path / "w.h5")

    def test_refuses_a_truncated_file(self, tmp_path: Path) -> None:
        whole = write(mixed_plan(), tmp_path / "w.h5").read_bytes()
        for length in (0, 8, 96, 1000, len(whole) - 1):
            (tmp_path / "cut.h5").write_bytes(whole[:length])
            with pytest.raises(WeightFileError):
                hdf5.read(tmp_path / "cut.h5")

    def test_a_missing_file_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(WeightFileError, match="No such file"):
            hdf5.read(tmp_path / "none.h5")
