"""Tests of Keras weight files: paths by class, and bytes as Keras stores them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import ml_dtypes
import numpy as np
import pytest

from lecun_cli import GenerateOptions, PlanError, generate, make_plan, parse_spec, slice_tensor, verify
from lecun_cli.formats import FORMATS, format_of

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Expect:
    """Layers of a spec, and the paths of their variables."""

    id: str
    layers: str
    paths: dict[str, str]


CASES = [
    Expect(
        "classes are numbered from the second on",
        """
  - {type: dense, name: a, in_features: 2, out_features: 3}
  - {type: conv1d, name: c, in_channels: 2, out_channels: 3, kernel_size: 2, bias: false}
  - {type: dense, name: b, in_features: 3, out_features: 1, bias: false}
""",
        {
            "a/kernel": "layers/dense/vars/0",
            "a/bias": "layers/dense/vars/1",
            "c/kernel": "layers/conv1d/vars/0",
            "b/kernel": "layers/dense_1/vars/0",
        },
    ),
    Expect(
        "a nested model counts its own layers",
        """
  - {type: dense, name: a, in_features: 2, out_features: 3, bias: false}
  - name: inner
    model: sequential
    layers: [{type: dense, name: a, in_features: 3, out_features: 3, bias: false}]
  - repeat: 2
    name: block{i}
    layers: [{type: dense, name: a, in_features: 3, out_features: 3, bias: false}]
""",
        {
            "a/kernel": "layers/dense/vars/0",
            "inner/a/kernel": "layers/sequential/layers/dense/vars/0",
            "block0/a/kernel": "layers/functional/layers/dense/vars/0",
            "block1/a/kernel": "layers/functional_1/layers/dense/vars/0",
        },
    ),
    Expect(
        "a part that is left out leaves no hole",
        "  - {type: batch_normalization, name: n, features: 3, scale: false}\n",
        {
            "n/beta": "layers/batch_normalization/vars/0",
            "n/moving_mean": "layers/batch_normalization/vars/1",
            "n/moving_variance": "layers/batch_normalization/vars/2",
        },
    ),
    Expect(
        "recurrent layers have a cell, both ways a layer each",
        "  - {type: bidirectional, name: b, layer: {type: gru, input_size: 2, hidden_size: 3, bias: false}}",
        {
            f"b/{way}_gru/gru_cell/{name}": f"layers/bidirectional/{way}_layer/cell/vars/{k}"
            for way in ("forward", "backward")
            for k, name in enumerate(("kernel", "recurrent_kernel"))
        },
    ),
    Expect(
        "projections of attention are layers, private ones in grouped_query_attention",
        """
  - {type: multi_head_attention, name: m, embed_dim: 4, num_heads: 2, bias: false}
  - {type: grouped_query_attention, name: g, embed_dim: 4, num_heads: 2, num_kv_heads: 1, bias: false}
""",
        {
            f"{layer}/{name}/kernel": f"layers/{kind}/{path}_dense/vars/0"
            for layer, kind, private in (
                ("m", "multi_head_attention", ""),
                ("g", "grouped_query_attention", "_"),
            )
            for name, path in (
                ("query", f"{private}query"),
                ("key", f"{private}key"),
                ("value", f"{private}value"),
                ("attention_output", f"{private}output"),
            )
        },
    ),
]


class TestPaths:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_are_by_class(self, case: Expect) -> None:
        layout = FORMATS["keras"].layout(make_plan(parse_spec(f"layers:\n{case.layers}")))
        assert {extent.tensor.name: extent.path for extent in layout.extents} == case.paths


SPEC = """
seed: 3
layers:
  - {type: dense, name: hidden, in_features: 5, out_features: 7}
  - {type: lstm, name: lstm, input_size: 7, hidden_size: 4, unit_forget_bias: true}
"""


class TestFiles:
    def test_the_suffix_chooses_the_format(self) -> None:
        assert format_of("model.weights.h5").name == "keras"
        assert format_of("model.h5").name == "hdf5"

    def test_contain_the_values_and_verify(self, tmp_path: Path) -> None:
        plan = make_plan(parse_spec(SPEC))
        out = tmp_path / "m.weights.h5"
        generate(plan, out)
        with h5py.File(out) as file:
            for name, path in (
                ("hidden/kernel", "dense/vars/0"),
                ("lstm/lstm_cell/bias", "lstm/cell/vars/2"),
            ):
                assert np.array_equal(file[f"layers/{path}"][()], slice_tensor(plan, name))
            assert file["layers/dense/vars"].attrs["name"] == "hidden"
        (report,) = verify(out, regenerate=True)
        assert report.differences == ()

    def test_store_bfloat16_as_keras_does(self, tmp_path: Path) -> None:
        plan = make_plan(parse_spec(SPEC, dtype="bfloat16"))
        out = tmp_path / "m.weights.h5"
        generate(plan, out)
        with h5py.File(out) as file:
            stored = file["layers/dense/vars/0"]
            assert stored.attrs["dtype"] == "bfloat16"
            assert stored.dtype.kind == "V"
            values = np.array(stored, dtype=ml_dtypes.bfloat16)
        assert np.array_equal(values, slice_tensor(plan, "hidden/kernel"))
        (report,) = verify(out, regenerate=True)
        assert report.differences == ()

    def test_are_equal_byte_for_byte_when_repeated(self, tmp_path: Path) -> None:
        plan = make_plan(parse_spec(SPEC, dtype="bfloat16"))
        generate(plan, tmp_path / "a.weights.h5", GenerateOptions(workers=1))
        generate(plan, tmp_path / "b.weights.h5", GenerateOptions(workers=3, chunk_nbytes=64))
        assert (tmp_path / "a.weights.h5").read_bytes() == (tmp_path / "b.weights.h5").read_bytes()

    def test_a_missing_variable_is_reported_by_the_name_of_its_tensor(self, tmp_path: Path) -> None:
        out = tmp_path / "m.weights.h5"
        generate(make_plan(parse_spec(SPEC)), out)
        with h5py.File(out, "r+") as file:
            del file["layers/dense/vars/1"]
            file["layers/dense/vars/9"] = np.zeros(3, np.float32)
        (report,) = verify(out)
        assert {(d.name, d.kind) for d in report.differences if d.what == "tensor"} == {
            ("hidden/bias", "missing"),
            ("layers/dense/vars/9", "extra"),
        }


class TestRefused:
    def test_other_frameworks(self) -> None:
        with pytest.raises(PlanError, match="expected keras, got torch"):
            FORMATS["keras"].layout(make_plan(parse_spec(SPEC, framework="torch")))

    @pytest.mark.parametrize(
        "layer",
        [
            "{type: experts, name: e, num_experts: 2, in_features: 2, out_features: 2}",
            "{type: tensor, name: t, shape: [2, 2], in_axes: [1]}",
        ],
    )
    def test_layers_that_are_not_a_class_of_keras_with_their_location(self, layer: str) -> None:
        plan = make_plan(parse_spec(f"layers:\n  - {layer}\n", "s.yaml"))
        with pytest.raises(PlanError, match=r"s.yaml:2:\d+: error: \w+ is not a layer of Keras"):
            FORMATS["keras"].layout(plan)
