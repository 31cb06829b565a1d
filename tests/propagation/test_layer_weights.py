"""Canonical parameters are the same from the seed and from a file of any format and storage order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest

from lecun_cli.errors import UsageError, WeightFileError
from lecun_cli.generation import generate
from lecun_cli.initializers.family import make
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.layer_weights import ReadParameter, Weights, drawn, from_file, params_of
from lecun_cli.spec.load import Spec, parse_spec
from lecun_cli.tensors.boxes import Box, full_box

if TYPE_CHECKING:
    from pathlib import Path

LAYERS = """
  - {type: dense, name: a, in_features: 5, out_features: 7}
  - {type: conv2d, name: b, in_channels: 4, out_channels: 6, kernel_size: [2, 3], dtype: bfloat16}
  - {type: conv2d_transpose, name: c, in_channels: 4, out_channels: 6, kernel_size: 3}
  - {type: depthwise_conv2d, name: d, in_channels: 4, kernel_size: 3, depth_multiplier: 2, dtype: float16}
  - {type: multi_head_attention, name: e, embed_dim: 12, num_heads: 3}
  - {type: gru, name: f, input_size: 5, hidden_size: 4}
  - {type: bidirectional, name: g, layer: {type: lstm, input_size: 5, hidden_size: 4}}
"""


def spec_of(framework: str, layers: str = LAYERS) -> Spec:
    return parse_spec(f"seed: 11\nframework: {framework}\nlayers:\n{layers}")


def all_weights(spec: Spec, read: ReadParameter) -> list[Weights]:
    plan = make_plan(spec)
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    pairs = zip(spec.layers, plan.layers, strict=True)
    return [Weights(params_of(planned, p.layer, spec.framework, tensors), read) for p, planned in pairs]


@pytest.mark.parametrize(
    ("framework", "suffix"),
    [
        ("keras", "safetensors"),
        ("keras", "h5"),
        ("keras", "weights.h5"),
        ("torch", "safetensors"),
        ("torch", "h5"),
        ("flax", "safetensors"),
    ],
)
def test_a_file_and_the_seed_give_the_same_values_in_every_box(
    framework: str, suffix: str, tmp_path: Path
) -> None:
    spec = spec_of(framework)
    path = tmp_path / f"w.{suffix}"
    generate(make_plan(spec), path)
    pairs = zip(
        all_weights(spec, drawn(11)), all_weights(spec, from_file(path, make_plan(spec))), strict=True
    )
    for drawn_weights, stored_weights in pairs:
        assert drawn_weights.params.keys() == stored_weights.params.keys()
        for param_name in drawn_weights.params:
            box = full_box(drawn_weights.shape(param_name))
            part = Box(tuple(n // 3 for n in box.stops), tuple(n - n // 4 for n in box.stops))
            for chosen in (box, part):
                ranges = tuple(zip(chosen.starts, chosen.stops, strict=True))
                a, b = drawn_weights.read(param_name, *ranges), stored_weights.read(param_name, *ranges)
                assert a.dtype == b.dtype == np.float32
                assert a.shape == chosen.dims
                assert (a == b).all()


def test_frameworks_give_the_same_parameters() -> None:
    layers = "\n".join(line for line in LAYERS.splitlines() if "gru" not in line)
    weights = [all_weights(spec_of(framework, layers), drawn(11)) for framework in ("keras", "torch", "flax")]
    for keras, torch, flax in zip(*weights, strict=True):
        for param_name in keras.params.keys() & torch.params.keys() & flax.params.keys():
            assert (keras.read(param_name) == torch.read(param_name)).all()
            assert (keras.read(param_name) == flax.read(param_name)).all()


def test_another_initializer_replaces_only_random_kernels() -> None:
    spec = spec_of("keras", "  - {type: dense, name: a, in_features: 50, out_features: 70}")
    (weights_from_seed,) = all_weights(spec, drawn(11))
    (other,) = all_weights(spec, drawn(11, make("he_normal")))
    assert other.read("kernel") == pytest.approx(weights_from_seed.read("kernel") * np.sqrt(2.0), rel=1e-6)
    assert (other.read("bias") == 0).all()


def test_shards_are_read_by_their_index(tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    spec = spec_of("torch", "  - {type: dense, name: a, in_features: 5, out_features: 7}")
    (weights_from_seed,) = all_weights(spec, drawn(11))
    for name, param_name, file in (("a.weight", "kernel", "1"), ("a.bias", "bias", "2")):
        save_file(
            {name: weights_from_seed.read(param_name)}, tmp_path / f"m-{file}.safetensors", {"format": "pt"}
        )
    index = tmp_path / "m.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a.weight": "m-1.safetensors", "a.bias": "m-2.safetensors"}}))
    (weights,) = all_weights(spec, from_file(index, make_plan(spec)))
    assert (weights.read("kernel") == weights_from_seed.read("kernel")).all()
    (tmp_path / "m-2.safetensors").unlink()
    with pytest.raises(UsageError, match=r"names the shard .m-2\.safetensors., which is missing"):
        from_file(index, make_plan(spec))
    index.write_text("{}")
    with pytest.raises(WeightFileError, match="not a valid shard index"):
        from_file(index, make_plan(spec))


def test_a_compressed_dataset_is_read(tmp_path: Path) -> None:
    spec = spec_of("keras", "  - {type: dense, name: a, in_features: 5, out_features: 7, bias: false}")
    (weights_from_seed,) = all_weights(spec, drawn(11))
    with h5py.File(tmp_path / "w.h5", "w") as file:
        file.create_dataset(
            "a/kernel", data=weights_from_seed.read("kernel").T, compression="gzip", chunks=(2, 2)
        )
    (weights,) = all_weights(spec, from_file(tmp_path / "w.h5", make_plan(spec)))
    assert (weights.read("kernel") == weights_from_seed.read("kernel")).all()


class TestOtherFiles:
    def test_a_missing_tensor_is_reported_with_the_most_similar_name(self, tmp_path: Path) -> None:
        spec = spec_of("torch", "  - {type: dense, name: hidden, in_features: 5, out_features: 7}")
        path = tmp_path / "w.safetensors"
        generate(make_plan(spec), path)
        with pytest.raises(
            UsageError, match=r'does not contain the tensor "hidden/bias"[^"]*hidden\.(bias|weight)'
        ):
            from_file(path, make_plan(parse_spec(spec.text, framework="keras")))

    def test_a_wrong_shape_is_reported_with_both_shapes(self, tmp_path: Path) -> None:
        path = tmp_path / "w.safetensors"
        generate(
            make_plan(spec_of("torch", "  - {type: dense, name: a, in_features: 5, out_features: 7}")), path
        )
        other = spec_of("torch", "  - {type: dense, name: a, in_features: 6, out_features: 7}")
        with pytest.raises(UsageError, match=r'shape of "a.weight" in .*: expected \[7, 6\], got \[7, 5\]'):
            from_file(path, make_plan(other))

    def test_a_missing_file_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="there is no file"):
            from_file(tmp_path / "none.safetensors", make_plan(spec_of("torch")))

    def test_a_corrupt_file_is_reported(self, tmp_path: Path) -> None:
        (tmp_path / "w.safetensors").write_bytes(b"none")
        with pytest.raises(WeightFileError, match="not a valid safetensors file"):
            from_file(tmp_path / "w.safetensors", make_plan(spec_of("torch")))
