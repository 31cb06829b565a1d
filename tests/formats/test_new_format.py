"""Tests of a made-up format: with one record, every command works with it."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import PlanError, WeightFileError
from lecun_cli.formats import FORMATS, Format
from lecun_cli.formats.file_type import Magic
from lecun_cli.formats.segments import Extent, FileLayout, Literal, Segment
from lecun_cli.formats.stored_tensor import StoredTensor
from lecun_cli.generation import GenerateOptions, generate
from lecun_cli.inspection.inspector import inspect
from lecun_cli.propagation.propagator import propagate
from lecun_cli.tensors.slices import slice_tensor
from lecun_cli.verification import verify
from tests.conftest import plan_of

if TYPE_CHECKING:
    from lecun_cli.plan.types import Plan

SPEC = "seed: 7\nlayers: [{type: dense, name: a, in_features: 300, out_features: 200}]\n"
MAGIC = b"TOY1"


def layout(plan: Plan) -> FileLayout:
    """Lay out the magic bytes, one line of JSON, and the tensors."""
    lengths = [tensor.nbytes for tensor in plan.tensors]
    entries = [[t.name, t.dtype, t.shape] for t in plan.tensors]
    header = MAGIC + json.dumps(entries).encode() + b"\n"
    segments: list[Segment] = [Literal(0, header)]
    for k, tensor in enumerate(plan.tensors):
        segments.append(Extent(len(header) + sum(lengths[:k]), tensor))
    return FileLayout("toy", len(header) + sum(lengths), tuple(segments))


def read(path: Path) -> tuple[StoredTensor, ...]:
    """Read the header."""
    with path.open("rb") as file:
        header = file.readline()
    try:
        entries = json.loads(header.removeprefix(MAGIC))
    except ValueError as error:
        raise WeightFileError(f"{path} is not a valid toy file: {error}") from error
    tensors, offset = [], len(header)
    for name, dtype, shape in entries:
        nbytes = 4 * math.prod(shape)
        tensors.append(StoredTensor(name, dtype, tuple(shape), offset, nbytes))
        offset += nbytes
    return tuple(tensors)


TOY = Format(
    name="toy", suffixes=(".toy",), magic=Magic(0, MAGIC), layout=layout, read=read, dtypes=("float32",)
)


@pytest.fixture(autouse=True)
def _toy_is_a_format(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "toy", TOY)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Generate a file of the new format."""
    path = tmp_path / "w.toy"
    generate(plan_of(SPEC, "torch"), path, GenerateOptions(chunk_nbytes=1000))
    return path


def test_generate_chooses_it_by_the_suffix(path: Path) -> None:
    plan = plan_of(SPEC, "torch")
    data = b"".join(slice_tensor(plan, tensor.name).tobytes() for tensor in plan.tensors)
    assert path.read_bytes().endswith(data)


def test_generate_refuses_a_dtype_that_it_cannot_store(tmp_path: Path) -> None:
    with pytest.raises(
        PlanError, match=r'"a/kernel" is float16, which toy cannot store[^$]*dtypes of toy: float32'
    ):
        generate(plan_of("dtype: float16\n" + SPEC), tmp_path / "w.toy")


def test_verify_reads_and_regenerates_it(path: Path) -> None:
    (report,) = verify(path, regenerate=True)
    assert report.ok
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    (report,) = verify(path)
    assert {difference.kind for difference in report.differences} == {"digest"}


@pytest.mark.parametrize("use_manifest", [True, False])
def test_inspect_reads_it(path: Path, use_manifest: bool) -> None:
    inspection = inspect(path, use_manifest=use_manifest)
    assert inspection.ok
    assert {t.name for t in inspection.tensors} == {"a.weight", "a.bias"}
    assert inspect(path.parent).ok


def test_inspect_recognizes_it_by_its_magic_bytes(path: Path) -> None:
    renamed = path.rename(path.with_name("w"))
    assert inspect(renamed).ok


def test_derive_and_propagate_read_it(path: Path) -> None:
    assert derive_spec(str(path)).plan.tensors == plan_of(SPEC, "torch").tensors
    (run,) = propagate(path).runs
    assert run.layers[-1].variance > 0
