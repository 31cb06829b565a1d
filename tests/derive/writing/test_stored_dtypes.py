"""Dtypes of a derived spec: the most common one is the default, and others become rules or fields."""

from __future__ import annotations

from pathlib import Path

from lecun_cli.derive import derive_spec
from lecun_cli.dtypes import DTYPES
from tests.derive.sources import Tensors, tensors_of, write_safetensors


class TestDtypes:
    def test_of_norms_and_biases_become_rules(self, tmp_path: Path) -> None:
        tensors: Tensors = {}
        for i in range(4):
            tensors[f"layers.{i}.proj.weight"] = ((8, 8), "bfloat16")
            tensors[f"layers.{i}.proj.bias"] = ((8,), "float32")
            tensors[f"layers.{i}.input_norm.weight"] = ((8,), "float32")
        path = write_safetensors(tmp_path / "w.safetensors", tensors)
        derivation = derive_spec(str(path))
        assert tensors_of(derivation.plan) == tensors
        assert "dtype: bfloat16\n" in derivation.text
        assert '  - {match: "*.bias", dtype: float32}\n' in derivation.text
        assert '  - {match: "*norm.weight", dtype: float32}\n' in derivation.text

    def test_that_a_rule_cannot_select_are_fields_of_the_layer(self, tmp_path: Path) -> None:
        tensors: Tensors = {"a.weight": ((9, 8), "float32"), "b.weight": ((8, 8), "float16")}
        derivation = derive_spec(str(write_safetensors(tmp_path / "w.safetensors", tensors)))
        assert tensors_of(derivation.plan) == tensors
        assert "out_features: 8, bias: false, dtype: float16}" in derivation.text

    def test_are_all_supported(self, tmp_path: Path) -> None:
        tensors: Tensors = {f"t{i}": ((2, 3), dtype) for i, dtype in enumerate(DTYPES)}
        assert (
            tensors_of(derive_spec(str(write_safetensors(tmp_path / "w.safetensors", tensors))).plan)
            == tensors
        )
