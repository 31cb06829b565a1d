"""Layers are recognized by tensor names and shapes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.derive.recognition.recognizer import recognizer_of
from lecun_cli.errors import DeriveError
from lecun_cli.frameworks import FRAMEWORKS
from tests.derive.sources import Tensors, tensors_of, write_safetensors


class TestRecognition:
    """Recognition of layers by tensor names and shapes."""

    @dataclass(frozen=True)
    class Expect:
        id: str
        tensors: Tensors
        lines: tuple[str, ...]

    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                "GPT-2's (in, out), also where it is square",
                {
                    "c_attn.weight": ((8, 24), "float32"),
                    "c_attn.bias": ((24,), "float32"),
                    "a.c_proj.weight": ((8, 8), "float32"),
                    "a.c_proj.bias": ((8,), "float32"),
                    "m.c_proj.weight": ((32, 8), "float32"),
                    "m.c_proj.bias": ((8,), "float32"),
                },
                (
                    "{type: tensor, name: c_attn.weight, shape: [8, 24], in_axes: [0]}",
                    "{type: tensor, name: a.c_proj.weight, shape: [8, 8], in_axes: [0]}",
                ),
            ),
            Expect(
                "the same names in torch's own order",
                {"h.c_attn.weight": ((24, 8), "float32"), "h.c_attn.bias": ((24,), "float32")},
                ("{type: dense, name: h.c_attn, in_features: 8, out_features: 24}",),
            ),
            Expect(
                "a transposed convolution, by its bias",
                {"up.weight": ((8, 3, 2, 2), "float32"), "up.bias": ((6,), "float32")},
                (
                    "# stride unknown: assumed to be 1; the fan-in is divided by the stride",
                    "{type: conv2d_transpose, name: up, in_channels: 8, out_channels: 6, kernel_size: 2, ",
                    "kernel_size: 2, groups: 2}",
                ),
            ),
            Expect(
                "stacked experts, by the model's width",
                {
                    "embed_tokens.weight": ((99, 16), "float32"),
                    "mlp.experts.gate_up_proj": ((4, 16, 24), "float32"),
                    "mlp.experts.down_proj": ((4, 12, 16), "float32"),
                    "t.experts.gate_up_proj": ((4, 24, 16), "float32"),
                },
                (
                    "name: mlp.experts.gate_up_proj, shape: [4, 16, 24], in_axes: [1], batch_axes: [0]}",
                    "name: mlp.experts.down_proj, shape: [4, 12, 16], in_axes: [1], batch_axes: [0]}",
                    "name: t.experts.gate_up_proj, shape: [4, 24, 16], in_axes: [2], batch_axes: [0]}",
                ),
            ),
            Expect(
                "stacked experts that are square, by the others",
                {
                    "embed_tokens.weight": ((99, 16), "float32"),
                    "a.experts.gate_up_proj": ((4, 16, 24), "float32"),
                    "a.experts.down_proj": ((4, 16, 16), "float32"),
                },
                ("name: a.experts.down_proj, shape: [4, 16, 16], in_axes: [1], batch_axes: [0]}",),
            ),
            Expect(
                "tensors of unknown layer types",
                {
                    "a.A_log": ((8, 16), "float32"),
                    "a.weight_scale_inv": ((2, 2), "float32"),
                    "vit.pos_embed": ((1, 5, 8), "float32"),
                    "a.bias_k": ((1, 1, 8), "float32"),
                    "codes": ((4, 4), "uint8"),
                    "lone": ((7,), "float32"),
                },
                (
                    "# layer type unknown: fan_in taken from axis 1",
                    "{type: tensor, name: a.A_log, shape: [8, 16], in_axes: [1]}",
                    "{type: tensor, name: a.weight_scale_inv, shape: [2, 2], initializer: ones}",
                    "{type: tensor, name: vit.pos_embed, shape: [1, 5, 8], fan_in: 8}",
                    "{type: tensor, name: a.bias_k, shape: [1, 1, 8], initializer: zeros}",
                    "{type: tensor, name: codes, shape: [4, 4], initializer: zeros, dtype: uint8}",
                    "{type: tensor, name: lone, shape: [7], initializer: zeros}",
                ),
            ),
            Expect(
                "half of a batch normalization",
                {"bn.running_mean": ((8,), "float32"), "bn.running_var": ((8,), "float32")},
                (
                    "{type: tensor, name: bn.running_mean, shape: [8], initializer: zeros}",
                    "{type: tensor, name: bn.running_var, shape: [8], initializer: ones}",
                ),
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_keeps_all_tensors_and_finds_these_layers(self, case: Expect, tmp_path: Path) -> None:
        path = write_safetensors(tmp_path / "w.safetensors", case.tensors, {"format": "pt"})
        derivation = derive_spec(str(path))
        assert tensors_of(derivation.plan) == case.tensors
        for line in case.lines:
            assert line in derivation.text


class TestRecognizers:
    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_have_leaf_names(self, framework: str) -> None:
        assert recognizer_of(framework).leaf_names

    def test_of_a_framework_without_one_are_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(FRAMEWORKS, "new", replace(FRAMEWORKS["torch"], name="new", recognizer=None))
        with pytest.raises(DeriveError, match="derive does not support new yet"):
            recognizer_of("new")
