"""`inspect`: reports on generated and foreign files, how they are read, and errors."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest

import lecun_cli
from lecun_cli.errors import ManifestError, UsageError, WeightFileError
from lecun_cli.inspection.inspector import Inspection, inspect
from tests.inspection import weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

SPEC = """\
seed: 5
framework: {framework}
dtype: {dtype}
layers:
  - {{type: embedding, name: embed, num_embeddings: 500, embedding_dim: 32}}
  - {{type: conv2d, name: conv, in_channels: 8, out_channels: 64, kernel_size: [3, 3]}}
  - {{type: depthwise_conv2d, name: deep, in_channels: 128, kernel_size: [3, 3]}}
  - {{type: lstm, name: lstm, input_size: 64, hidden_size: 32}}
  - {{type: gru, name: gru, input_size: 64, hidden_size: 32}}
  - {{type: multi_head_attention, name: attention, embed_dim: 64, num_heads: 4}}
  - {{type: batch_normalization, name: norm, features: 64}}
  - {{type: dense, name: he, in_features: 64, out_features: 300, kernel_initializer: he_normal}}
  - {{type: dense, name: flat, in_features: 64, out_features: 300, kernel_initializer: glorot_uniform}}
  - type: dense
    name: one
    in_features: 64
    out_features: 9
    bias_initializer: {{name: constant, value: 0.1}}
"""


def generated(
    folder: Path, *, framework: str = "keras", dtype: str = "float32", name: str = "w.safetensors"
) -> Path:
    plan = lecun_cli.make_plan(lecun_cli.parse_spec(SPEC.format(framework=framework, dtype=dtype)))
    lecun_cli.generate(plan, str(folder / name))
    return folder / name


def verdicts(inspection: Inspection) -> dict[str, str]:
    return {tensor.name: tensor.verdict for tensor in inspection.tensors}


class TestGeneratedFiles:
    @pytest.mark.parametrize(
        "dtype", ["float64", "float32", "bfloat16", "float16", "float8_e5m2", "float8_e4m3fn"]
    )
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    def test_are_ok_in_every_dtype(self, tmp_path: Path, framework: str, dtype: str) -> None:
        inspection = inspect(generated(tmp_path, framework=framework, dtype=dtype))
        assert inspection.ok, inspection.bad
        assert {t.verdict for t in inspection.tensors} <= {"ok", "constant"}
        assert all(t.expected is not None and t.expected.is_stated for t in inspection.tensors)
        assert inspection.warnings == ()

    @pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.weights.h5"])
    def test_have_the_same_report_in_every_format(self, tmp_path: Path, name: str) -> None:
        one = inspect(generated(tmp_path, name="plain.safetensors"))
        other = inspect(generated(tmp_path, name=name))
        by_name = {t.name: t for t in one.tensors}
        for tensor in other.tensors:
            assert tensor.statistics == by_name[tensor.name].statistics
            assert tensor.judgment == by_name[tensor.name].judgment

    def test_are_found_by_file_manifest_or_folder(self, tmp_path: Path) -> None:
        path = generated(tmp_path)
        manifest = path.with_name(path.name + ".manifest.json")
        assert inspect(path).tensors == inspect(manifest).tensors == inspect(tmp_path).tensors

    @pytest.mark.parametrize("name", ["w.safetensors", "w.h5", "w.weights.h5"])
    def test_without_a_manifest_take_fans_from_layer_types(self, tmp_path: Path, name: str) -> None:
        path = generated(tmp_path, name=name)
        path.with_name(path.name + ".manifest.json").unlink()
        inspection = {t.name.rpartition("layers/")[2]: t for t in inspect(path).tensors}
        deep = inspection.get("deep/kernel") or inspection["depthwise_conv2d/vars/0"]
        assert deep.expected is not None
        assert (deep.expected.fan_in, deep.expected.is_stated, deep.verdict) == (9, False, "ok")
        he = inspection.get("he/kernel") or inspection["dense/vars/0"]
        assert (he.verdict, he.judgment.distribution) == ("wrong scale", "he_normal")

    def test_with_a_changed_weight_are_bad(self, tmp_path: Path) -> None:
        path = generated(tmp_path)
        (entry,) = (e for e in lecun_cli.read_manifest(tmp_path / "w.safetensors.manifest.json").tensors
                    if e.tensor.name == "he/kernel")  # fmt: skip
        data = bytearray(path.read_bytes())
        data[entry.offset : entry.offset + 4] = np.float32(1.0).tobytes()
        path.write_bytes(data)
        assert verdicts(inspect(path))["he/kernel"] == "past the bound"

    def test_with_the_manifest_of_another_file_get_a_warning(self, tmp_path: Path) -> None:
        path = generated(tmp_path)
        weights.write(path, {"x.weight": weights.truncated((50, 60), 60**-0.5)})
        inspection = inspect(path)
        assert "differ from those of its manifest" in inspection.warnings[0]
        assert verdicts(inspection) == {"x.weight": "ok"}

    def test_with_an_invalid_manifest_get_a_warning(self, tmp_path: Path) -> None:
        path = generated(tmp_path)
        manifest = path.with_name(path.name + ".manifest.json")
        manifest.write_text("{")
        assert "manifest" in inspect(path).warnings[0]
        with pytest.raises(ManifestError):
            inspect(manifest)


class TestForeignFiles:
    def test_with_equal_kernels_are_bad(self, tmp_path: Path) -> None:
        same = weights.truncated((64, 64), 1 / 8)
        other = weights.truncated((64, 64), 1 / 8, seed=9)
        tensors = {"q.weight": same, "k.weight": same, "v.weight": other, "q.bias": np.zeros(64, "f4"),
                   "k.bias": np.zeros(64, "f4")}  # fmt: skip
        inspection = inspect(weights.write(tmp_path / "x.safetensors", tensors))
        assert sorted(verdicts(inspection).values()) == ["constant", "constant", "ok", "ok", "repeated"]
        (bad,) = inspection.bad
        assert "same values as" in bad.judgment.findings[0].reason

    def test_with_a_shared_stream_are_ok(self, tmp_path: Path) -> None:
        spec = lecun_cli.parse_spec(
            "seed: 1\nframework: torch\nlayers:\n"
            "  - {type: dense, name: a, in_features: 64, out_features: 64}\n"
            "  - {type: dense, name: b, in_features: 64, out_features: 64, stream: a}\n"
        )
        lecun_cli.generate(lecun_cli.make_plan(spec), str(tmp_path / "w.safetensors"))
        assert inspect(tmp_path / "w.safetensors").ok

    def test_with_a_random_bias_are_bad(self, tmp_path: Path) -> None:
        tensors = {"fc.weight": weights.truncated((64, 64), 1 / 8), "fc.bias": weights.uniform((64,), 0.1)}
        inspection = inspect(weights.write(tmp_path / "x.safetensors", tensors))
        assert verdicts(inspection)["fc.bias"] == "not constant"

    @pytest.mark.parametrize("values", [np.arange(512), np.linspace(0, 1, 64, dtype=np.float32)])
    def test_with_tables_of_unknown_type_are_ok(self, tmp_path: Path, values: NDArray[Any]) -> None:
        tensors = {"fc.weight": weights.truncated((64, 64), 1 / 8), "position_ids": values}
        assert inspect(weights.write(tmp_path / "x.safetensors", tensors)).ok

    def test_with_unsupported_dtypes_are_not_read(self, tmp_path: Path) -> None:
        tensors = {"c": np.ones(3, np.complex64), "e": np.ones((0, 3), "f4"), "s": np.array(2.0)}
        inspection = inspect(weights.write(tmp_path / "x.safetensors", tensors))
        assert verdicts(inspection) == {"c": "not read", "e": "empty", "s": "constant"}

    def test_with_many_correct_tensors_are_ok(self, tmp_path: Path) -> None:
        tensors = {f"fc{i}.weight": weights.truncated((40, 50), 50**-0.5, seed=i) for i in range(300)}
        inspection = inspect(weights.write(tmp_path / "x.safetensors", tensors))
        assert inspection.ok, inspection.bad
        assert inspection.level == pytest.approx(1e-3 / 300)
        low = sum(t.judgment.p_value is not None and t.judgment.p_value < 0.05 for t in inspection.tensors)
        assert 3 <= low <= 35  # p is uniform: 15 are expected

    def test_in_shards_are_one_checkpoint(self, tmp_path: Path) -> None:
        a, b = {"a.weight": weights.truncated((64, 32), 32**-0.5)}, {"a.bias": np.zeros(64, "f4")}
        names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
        for name, tensors in zip(names, (a, b), strict=True):
            weights.write(tmp_path / name, tensors)
        index = {"metadata": {}, "weight_map": {"a.weight": names[0], "a.bias": names[1]}}
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
        for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
            inspection = inspect(path)
            assert inspection.files == tuple(names)
            assert verdicts(inspection) == {"a.weight": "ok", "a.bias": "constant"}
        (tmp_path / names[1]).unlink()
        with pytest.raises(WeightFileError, match="which is missing from"):
            inspect(tmp_path)

    def test_with_chunked_hdf5_datasets_are_read_by_h5py(self, tmp_path: Path) -> None:
        values = weights.truncated((300, 200), 300**-0.5)
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("packed/kernel", data=values, chunks=(64, 64), compression="gzip")
            file.create_dataset("plain/kernel", data=values)
            file.create_dataset("big/kernel", data=values.astype(">f4"))
            file["none"] = h5py.Empty("f4")
            file["text"] = "hello"
        inspection = {t.name: t for t in inspect(tmp_path / "x.h5").tensors}
        assert inspection["packed/kernel"].statistics == inspection["plain/kernel"].statistics
        assert inspection["big/kernel"].statistics == inspection["plain/kernel"].statistics
        assert (inspection["none"].verdict, inspection["text"].verdict) == ("empty", "not read")


class TestReading:
    def test_does_not_depend_on_workers_or_chunks(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tensors = {f"fc{i}.weight": weights.truncated((200, 300), 300**-0.5, seed=i) for i in range(5)}
        path = weights.write(tmp_path / "x.safetensors", tensors)
        once = inspect(path, workers=1)
        assert inspect(path, workers=4).tensors == once.tensors
        monkeypatch.setattr("lecun_cli.inspection.chunk_reader.READ_CHUNK_NBYTES", 2**14)
        cut = inspect(path, workers=3)
        assert [t.verdict for t in cut.tensors] == [t.verdict for t in once.tensors]
        for tensor, other in zip(cut.tensors, once.tensors, strict=True):
            assert tensor.statistics is not None
            assert other.statistics is not None
            assert tensor.statistics.std == pytest.approx(other.statistics.std, rel=1e-12)
            assert tensor.judgment.p_value == other.judgment.p_value

    def test_skips_tensors_that_do_not_match(self, tmp_path: Path) -> None:
        path = generated(tmp_path)
        calls: list[int] = []
        inspection = inspect(path, match=["he/*", "*norm*"], progress=lambda done, _name: calls.append(done))
        assert {t.name.partition("/")[0] for t in inspection.tensors} == {"he", "norm"}
        assert calls[-1] == inspection.nbytes

    @pytest.mark.skipif(
        not Path("/proc/self/status").exists(), reason="the system does not report peak memory"
    )
    def test_needs_little_memory_for_a_large_file(self, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        header = json.dumps(
            {"fc.weight": {"dtype": "F32", "shape": [2**13, 2**14], "data_offsets": [0, 2**29]}}
        )
        with path.open("wb") as file:  # 512 MiB of zeros that take no disk space
            file.write(len(header).to_bytes(8, "little") + header.encode())
            file.truncate(8 + len(header) + 2**29)
        code = (
            "import sys; from lecun_cli.inspection.inspector import inspect; inspect(sys.argv[1]);"
            "print(*[r for r in open('/proc/self/status') if r.startswith('VmHWM')])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        )
        assert int(ran.stdout.split()[1]) < 150 * 1024

    @pytest.mark.parametrize(
        ("name", "data", "error"),
        [
            ("x.safetensors", b"\0" * 100, WeightFileError),
            ("x.safetensors", b"", WeightFileError),
            ("x.h5", b"\x89HDF\r\n\x1a\n", WeightFileError),
            ("x.pt", b"PK\x03\x04", UsageError),
            ("x.keras", b"PK\x03\x04", UsageError),
            ("x.txt", b"hello", UsageError),
            ("x.safetensors.index.json", b"{}", WeightFileError),
            ("x.safetensors.index.json", b'{"weight_map": {"a": "../a"}}', WeightFileError),
            ("x.manifest.json", b"{}", ManifestError),
        ],
    )
    def test_refuses_corrupt_and_unrecognized_files(
        self, tmp_path: Path, name: str, data: bytes, error: type[Exception]
    ) -> None:
        (tmp_path / name).write_bytes(data)
        with pytest.raises(error):
            inspect(tmp_path / name)

    def test_refuses_paths_without_weights(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="does not exist"):
            inspect(tmp_path / "x.safetensors")
        with pytest.raises(UsageError, match="contains no weight file"):
            inspect(tmp_path)
        with pytest.raises(UsageError, match=r"no tensor of .* matches b"):
            inspect(weights.write(tmp_path / "x.safetensors", {"a": np.ones(3)}), match=["b"])
