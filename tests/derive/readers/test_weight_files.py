"""Specs from weight files: every layer type in every framework, samples, shards and invalid files."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import DeriveError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.generation import generate
from lecun_cli.initializers.fans import Fans
from lecun_cli.plan.types import Plan
from tests.derive.sources import Tensors, plan_of, tensors_of, write_safetensors
from tests.frameworks.cases import CASES, Case

SAMPLES = sorted((Path(__file__).parents[3] / "sample_specs").glob("*.yaml"))


def rederived(plan: Plan, path: Path, framework: str) -> Plan:
    """Write a file with the tensors of a plan, and return the plan of the spec derived from that file."""
    write_safetensors(path, tensors_of(plan), {"format": FRAMEWORKS[framework].header})
    return derive_spec(str(path)).plan


def fans_of(plan: Plan) -> dict[str, list[Fans]]:
    """Return the exact fans of all random parameters, by tensor."""
    return {
        t.name: [p.exact for p in t.parts if p.exact is not None and p.initializer.is_random]
        for t in plan.tensors
    }


STORED = [(c, f) for c in CASES for f in FRAMEWORKS if not isinstance(c.stored(f), str)]
# Shapes do not determine a stride or an equation.
WITH_FANS = [(c, f) for c, f in STORED if "stride" not in c.layer and "equation" not in c.layer]


def named(value: Case | str) -> str:
    return value.id if isinstance(value, Case) else value


class TestEveryLayerType:
    @pytest.mark.parametrize(("case", "framework"), STORED, ids=named)
    def test_is_derived_with_the_same_tensors(self, case: Case, framework: str, tmp_path: Path) -> None:
        plan = plan_of(case.spec(), framework)
        assert tensors_of(rederived(plan, tmp_path / "w.safetensors", framework)) == tensors_of(plan)

    @pytest.mark.parametrize(("case", "framework"), WITH_FANS, ids=named)
    def test_is_derived_with_the_same_fan_in(self, case: Case, framework: str, tmp_path: Path) -> None:
        plan = plan_of(case.spec(), framework)
        for name, fans in fans_of(rederived(plan, tmp_path / "w.safetensors", framework)).items():
            expected = fans_of(plan)[name]
            assert sorted({f.fan_in for f in fans}) == sorted({f.fan_in for f in expected}), name


class TestSamples:
    @pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
    def test_are_derived_with_the_same_tensors_and_fans(self, path: Path, tmp_path: Path) -> None:
        text = path.read_text()
        framework = "torch" if "framework: torch" in text else "keras"
        plan = plan_of(text)
        derived = rederived(plan, tmp_path / "w.safetensors", framework)
        assert tensors_of(derived) == tensors_of(plan)
        expected = fans_of(plan)
        for name, fans in fans_of(derived).items():
            assert [f.fan_in for f in fans] == [f.fan_in for f in expected[name]], name

    def test_a_decoder_is_written_as_a_person_would(self, tmp_path: Path) -> None:
        plan = plan_of((Path(__file__).parents[3] / "sample_specs" / "llama3.yaml").read_text())
        path = write_safetensors(tmp_path / "llama.safetensors", tensors_of(plan), {"format": "pt"})
        assert derive_spec(str(path)).text.split("\n\n", 1)[1] == (
            "framework: torch\n"
            "dtype: bfloat16\n"
            "\n"
            "params:\n"
            "  blocks: 2\n"
            "\n"
            "layers:\n"
            "  - {type: dense, name: lm_head, in_features: 64, out_features: 512, bias: false}\n"
            "  - {type: embedding, name: model.embed_tokens, num_embeddings: 512, embedding_dim: 64}\n"
            "  - repeat: blocks\n"
            "    name: model.layers.{i}\n"
            "    layers:\n"
            "      - {type: rms_normalization, name: input_layernorm, features: 64}\n"
            "      - {type: dense, name: mlp.down_proj, in_features: 192, out_features: 64, bias: false}\n"
            "      - {type: dense, name: mlp.gate_proj, in_features: 64, out_features: 192, bias: false}\n"
            "      - {type: dense, name: mlp.up_proj, in_features: 64, out_features: 192, bias: false}\n"
            "      - {type: rms_normalization, name: post_attention_layernorm, features: 64}\n"
            "      - {type: dense, name: self_attn.k_proj, in_features: 64, out_features: 32, bias: false}\n"
            "      - {type: dense, name: self_attn.o_proj, in_features: 64, out_features: 64, bias: false}\n"
            "      - {type: dense, name: self_attn.q_proj, in_features: 64, out_features: 64, bias: false}\n"
            "      - {type: dense, name: self_attn.v_proj, in_features: 64, out_features: 32, bias: false}\n"
            "  - {type: rms_normalization, name: model.norm, features: 64}\n"
        )


class TestNames:
    @pytest.mark.parametrize(
        "name",
        [
            "weight", ".weight", "a..weight", "a/b.weight", "{i}.weight", "a.{0}.weight", "}{", "a b.weight",
            "null.weight", "1e3", "true", "~", "- x", "a: b", "a #b", '"', "\\", "é.weight", "\U0001f600",
            "\u2028", "a.01.weight", "a.1.weight", "*", "[x].weight", "0.weight", "a.weight.", "%", "@",
            "\ufeff", "\x85", "\xa0",
        ],
    )  # fmt: skip
    def test_with_any_characters_are_kept(self, name: str, tmp_path: Path) -> None:
        tensors: Tensors = {name: ((3, 4), "float32"), "other.weight": ((2, 2), "float16")}
        assert (
            tensors_of(derive_spec(str(write_safetensors(tmp_path / "w.safetensors", tensors))).plan)
            == tensors
        )

    @pytest.mark.parametrize("name", ["a\nb", "\x7f", "", "x" * 1025])
    def test_that_a_spec_does_not_allow_are_refused(self, name: str, tmp_path: Path) -> None:
        path = write_safetensors(tmp_path / "w.safetensors", {name: ((3,), "float32")})
        with pytest.raises(DeriveError, match="characters"):
            derive_spec(str(path))


class TestShards:
    def write(self, folder: Path, weight_map: dict[str, str], shards: dict[str, Tensors]) -> Path:
        folder.mkdir()
        for name, tensors in shards.items():
            write_safetensors(folder / name, tensors, {"format": "pt"})
        index = {"metadata": {"total_size": 0}, "weight_map": weight_map}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        return folder

    def test_are_one_checkpoint_even_if_blocks_are_split(self, tmp_path: Path) -> None:
        tensors: Tensors = {f"layers.{i}.{n}.weight": ((8, 8), "bfloat16") for i in range(12) for n in "abc"}
        names = sorted(tensors)
        shards = {
            f"model-0000{k + 1}-of-00003.safetensors": {n: tensors[n] for n in names[k * 12 : k * 12 + 12]}
            for k in range(3)
        }
        weight_map = {n: shard for shard, part in shards.items() for n in part}
        derivation = derive_spec(str(self.write(tmp_path / "hub", weight_map, shards)))
        assert tensors_of(derivation.plan) == tensors
        assert "params:\n  blocks: 12\n" in derivation.text
        index = tmp_path / "hub" / "model.safetensors.index.json"
        assert derive_spec(str(index)).plan.tensors == derivation.plan.tensors

    @dataclass(frozen=True)
    class Fail:
        id: str
        weight_map: dict[str, str]
        message: str

    @pytest.mark.parametrize(
        "case",
        [
            Fail(
                "missing shard",
                {"a": "1.safetensors", "b": "2.safetensors"},
                'names the shard "2.safetensors"',
            ),
            Fail(
                "outside of the folder",
                {"a": "../1.safetensors"},
                "expected the name of a file in its folder",
            ),
            Fail(
                "missing tensor",
                {"a": "1.safetensors", "z": "1.safetensors"},
                'does not contain the tensor "z"',
            ),
            Fail("unnamed tensor", {}, "contains no tensors"),
            Fail("wrong shard", {"a": "2.safetensors"}, 'names the shard "2.safetensors"'),
        ],
        ids=lambda case: case.id,
    )
    def test_that_do_not_match_the_index_are_refused(self, case: Fail, tmp_path: Path) -> None:
        folder = self.write(tmp_path / "hub", case.weight_map, {"1.safetensors": {"a": ((2,), "float32")}})
        with pytest.raises(DeriveError, match=case.message.replace("(", r"\(")):
            derive_spec(str(folder))

    def test_with_a_tensor_that_the_index_does_not_name_are_refused(self, tmp_path: Path) -> None:
        tensors: Tensors = {"a": ((2,), "float32"), "b": ((2,), "float32")}
        folder = self.write(tmp_path / "hub", {"a": "1.safetensors"}, {"1.safetensors": tensors})
        with pytest.raises(DeriveError, match=r"contains the tensor \"b\", but .* does not name it"):
            derive_spec(str(folder))

    def test_without_an_index_are_ambiguous(self, tmp_path: Path) -> None:
        for name in ("a.safetensors", "b.safetensors"):
            write_safetensors(tmp_path / name, {"x": ((2,), "float32")})
        with pytest.raises(DeriveError, match="contains 2 checkpoints"):
            derive_spec(str(tmp_path))


class TestBadFiles:
    def test_a_duplicate_name_is_refused(self, tmp_path: Path) -> None:
        entry = '{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
        header = f'{{"a":{entry},"a":{entry}}}'.encode()
        (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
        with pytest.raises(DeriveError, match="duplicate key"):
            derive_spec(str(tmp_path / "w.safetensors"))

    @pytest.mark.parametrize(
        "data",
        [b"", b"\x08", struct.pack("<Q", 2**62) + b"{", struct.pack("<Q", 100_000_001) + b"{}", bytes(64)],
    )
    def test_an_invalid_header_is_refused(self, data: bytes, tmp_path: Path) -> None:
        (tmp_path / "w.safetensors").write_bytes(data)
        with pytest.raises(DeriveError, match="not a valid safetensors file"):
            derive_spec(str(tmp_path / "w.safetensors"))

    def test_an_unknown_dtype_is_named(self, tmp_path: Path) -> None:
        header = b'{"a":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}'
        (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
        with pytest.raises(DeriveError, match=r'"a" in .*: unknown dtype "C64"'):
            derive_spec(str(tmp_path / "w.safetensors"))

    def test_an_empty_tensor_is_refused(self, tmp_path: Path) -> None:
        path = write_safetensors(tmp_path / "w.safetensors", {"a": ((0, 4), "float32")})
        with pytest.raises(DeriveError, match="expected dimensions from 1"):
            derive_spec(str(path))

    @pytest.mark.parametrize("name", ["w.bin", "w.pt", "w.ckpt", "w.pkl"])
    def test_a_pickle_is_not_opened(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_bytes(b"\x80\x04cos\nsystem\n")
        with pytest.raises(DeriveError, match="a pickle runs code"):
            derive_spec(str(tmp_path / name))

    def test_a_text_file_is_not_recognized(self, tmp_path: Path) -> None:
        (tmp_path / "w.txt").write_text("hello")
        with pytest.raises(DeriveError, match="unrecognized file type"):
            derive_spec(str(tmp_path / "w.txt"))

    def test_a_missing_file_is_named(self) -> None:
        with pytest.raises(DeriveError, match=r"nosuch\.safetensors: it does not exist"):
            derive_spec("nosuch.safetensors")


class TestHdf5:
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_is_derived_with_the_same_tensors(self, framework: str, tmp_path: Path) -> None:
        text = "seed: 1\nlayers:\n" + "".join(
            f"  - {line}\n"
            for line in (
                "{type: dense, name: a, in_features: 3, out_features: 5}",
                "{type: batch_normalization, name: b, features: 5}",
                "{type: dense, name: c, in_features: 3, out_features: 5, dtype: bfloat16}",
                "{type: conv2d, name: d, in_channels: 3, out_channels: 5, kernel_size: 2, dtype: float16}",
            )
        )
        plan = plan_of(text, framework)
        generate(plan, tmp_path / "w.h5")
        derivation = derive_spec(str(tmp_path / "w.h5"))
        assert tensors_of(derivation.plan) == tensors_of(plan)
        assert f"framework: {framework}\n" in derivation.text
        assert "type: tensor" not in derivation.text

    def test_is_recognized_by_its_first_bytes(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "weights", "w") as file:
            file["x/kernel"] = np.zeros((3, 4), "f4")
        derivation = derive_spec(str(tmp_path / "weights"))
        assert tensors_of(derivation.plan) == {"x/kernel": ((3, 4), "float32")}

    def test_of_keras_2_keeps_its_names_and_gets_the_right_fans(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["dense/dense/kernel:0"] = np.zeros((3, 4), "f4")
            file["dense/dense/bias:0"] = np.zeros(4, "f4")
        plan = derive_spec(str(tmp_path / "w.h5")).plan
        assert {t.name: t.parts[0].initializer.name for t in plan.tensors} == {
            "dense/dense/kernel:0": "lecun_normal",
            "dense/dense/bias:0": "zeros",
        }
        assert plan.tensors[1].parts[0].exact == Fans(3, 4)

    def test_links_to_other_files_are_not_followed(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "w.h5", "w") as file:
            file["x/kernel"] = np.zeros((3, 4), "f4")
            file["y"] = h5py.ExternalLink("/etc/passwd", "/")
            file["z"] = h5py.SoftLink("/x")
        assert set(tensors_of(derive_spec(str(tmp_path / "w.h5")).plan)) == {"x/kernel"}

    @pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n" + bytes(100)])
    def test_that_is_corrupt_is_refused(self, data: bytes, tmp_path: Path) -> None:
        (tmp_path / "w.h5").write_bytes(data)
        with pytest.raises(DeriveError, match="not a valid HDF5 file"):
            derive_spec(str(tmp_path / "w.h5"))
