"""Specs from `.weights.h5` files, which the tests write with the layout of Keras."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import DeriveError
from tests.derive.sources import tensors_of

Shapes = list[tuple[int, ...]]


def write(path: Path, layers: dict[str, tuple[str, Shapes]]) -> str:
    """Write a file with datasets such as `path/vars/0` and the names of layers as attributes."""
    with h5py.File(path, "w") as file:
        for group_path, (name, shapes) in layers.items():
            group = file.create_group(f"{group_path}/vars")
            if name:
                group.attrs["name"] = name
            for i, shape in enumerate(shapes):
                group[str(i)] = np.zeros(shape, "f4")
    return str(path)


class TestClasses:
    def test_come_from_paths_and_names_from_attributes(self, tmp_path: Path) -> None:
        source = write(
            tmp_path / "m.weights.h5",
            {
                "layers/conv2d": ("c1", [(3, 3, 2, 8), (8,)]),
                "layers/conv2d_transpose": ("up", [(2, 2, 4, 8), (4,)]),
                "layers/depthwise_conv2d": ("dw", [(3, 3, 8, 1), (8,)]),
                "layers/dense": ("d0", [(4, 5), (5,)]),
                "layers/dense_1": ("d1", [(5, 6)]),
                "layers/batch_normalization": ("bn", [(8,)] * 4),
                "layers/lstm/cell": ("lstm_cell", [(6, 16), (4, 16), (16,)]),
                "optimizer": ("", [(), ()]),
            },
        )
        lines = derive_spec(source).text.split("layers:\n", 1)[1]
        assert lines == (
            "  - {type: batch_normalization, name: bn, features: 8}\n"
            "  - {type: conv2d, name: c1, in_channels: 2, out_channels: 8, kernel_size: 3}\n"
            "  # stride unknown: assumed to be 1; the fan-in is divided by the stride\n"
            "  - {type: conv2d_transpose, name: up, in_channels: 8, out_channels: 4, kernel_size: 2}\n"
            "  - {type: dense, name: d0, in_features: 4, out_features: 5}\n"
            "  - {type: dense, name: d1, in_features: 5, out_features: 6, bias: false}\n"
            "  - {type: depthwise_conv2d, name: dw, in_channels: 8, kernel_size: 3}\n"
            "  - {type: lstm, name: lstm, input_size: 6, hidden_size: 4}\n"
        )

    def test_of_nested_models_are_in_groups(self, tmp_path: Path) -> None:
        source = write(
            tmp_path / "m.weights.h5",
            {"layers/sequential/layers/dense": ("d", [(4, 5)]), "layers/dense": ("d", [(5, 6)])},
        )
        assert tensors_of(derive_spec(source).plan) == {
            "sequential/d/kernel": ((4, 5), "float32"),
            "d/kernel": ((5, 6), "float32"),
        }
        assert "model: sequential" in derive_spec(source).text

    def test_that_are_unknown_become_raw_tensors_with_a_warning(self, tmp_path: Path) -> None:
        source = write(tmp_path / "m.weights.h5", {"layers/my_layer": ("mine", [(4, 5), (5,)])})
        derivation = derive_spec(source)
        assert tensors_of(derivation.plan) == {"mine/0": ((4, 5), "float32"), "mine/1": ((5,), "float32")}
        assert derivation.warnings == (
            'layer "mine" has the unknown class "my_layer"; its tensors become raw tensors',
        )

    def test_keep_the_bfloat16_of_keras(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "m.weights.h5", "w") as file:
            group = file.create_group("layers/dense/vars")
            group["0"] = np.zeros((4, 5), "V2")
            group["0"].attrs["dtype"] = "bfloat16"
        assert tensors_of(derive_spec(str(tmp_path / "m.weights.h5")).plan) == {
            "dense/kernel": ((4, 5), "bfloat16")
        }


class TestBadFiles:
    def test_with_another_layout_are_refused(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "m.weights.h5", "w") as file:
            file["dense/kernel"] = np.zeros((4, 5), "f4")
        with pytest.raises(DeriveError, match=r"the suffix \.h5|not a \.weights\.h5 file"):
            derive_spec(str(tmp_path / "m.weights.h5"))

    def test_that_are_truncated_are_refused(self, tmp_path: Path) -> None:
        path = Path(write(tmp_path / "m.weights.h5", {"layers/dense": ("d", [(4, 5)])}))
        path.write_bytes(path.read_bytes()[:500])
        with pytest.raises(DeriveError, match="not a valid HDF5 file"):
            derive_spec(str(path))

    def test_without_layers_are_refused(self, tmp_path: Path) -> None:
        with h5py.File(tmp_path / "m.weights.h5", "w"):
            pass
        with pytest.raises(DeriveError, match="contains no tensors"):
            derive_spec(str(tmp_path / "m.weights.h5"))
