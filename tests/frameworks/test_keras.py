"""Keras's shapes, names and fans: as tables, and against keras itself."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from lecun_cli.fans import Fans, Shape
from lecun_cli.frameworks.keras import KERAS, compute_fans
from lecun_cli.plan import make_plan
from lecun_cli.spec.load import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable

os.environ.setdefault("KERAS_BACKEND", "numpy")  # read when keras is first imported


class TestFans:
    @dataclass(frozen=True)
    class Expect:
        id: str
        shape: Shape
        fans: Fans

    @pytest.mark.parametrize(
        "case",
        [
            Expect("a scalar", (), Fans(1, 1)),
            Expect("a vector", (7,), Fans(7, 7)),
            Expect("dense", (100, 64), Fans(100, 64)),
            Expect("conv", (3, 5, 16, 32), Fans(240, 480)),
            Expect("depthwise, wrong", (3, 3, 256, 1), Fans(2304, 9)),
            Expect("transposed conv (out, in), wrong", (3, 3, 32, 16), Fans(288, 144)),
            Expect("experts, wrong", (8, 100, 64), Fans(800, 512)),
            Expect("embedding, by its length", (50000, 64), Fans(50000, 64)),
        ],
        ids=lambda case: case.id,
    )
    def test_count_the_last_axes_and_the_window(self, case: Expect) -> None:
        assert compute_fans(case.shape) == case.fans


class TestNames:
    def test_nest_with_slashes(self) -> None:
        assert KERAS.tensor_name(("encoder", "hidden"), "kernel") == "encoder/hidden/kernel"


SHAPES = [shape for rank in range(6) for shape in itertools.product((1, 2, 3, 7), repeat=rank)]


@dataclass(frozen=True)
class ExpectLayer:
    """A layer of a spec, the layer of Keras that it is, and the shape of an input to build it with."""

    layer: str
    keras: Callable[[], Any]
    inputs: tuple[int | None, ...]


def layers() -> list[ExpectLayer]:
    import keras

    of = keras.layers
    return [
        ExpectLayer("type: dense, in_features: 5, out_features: 7", lambda: of.Dense(7), (None, 5)),
        ExpectLayer(
            "type: dense, in_features: 5, out_features: 7, bias: false",
            lambda: of.Dense(7, use_bias=False),
            (None, 5),
        ),
        ExpectLayer(
            "type: conv1d, in_channels: 4, out_channels: 6, kernel_size: 3",
            lambda: of.Conv1D(6, 3),
            (None, 9, 4),
        ),
        ExpectLayer(
            "type: conv2d, in_channels: 4, out_channels: 6, kernel_size: [3, 5], groups: 2",
            lambda: of.Conv2D(6, (3, 5), groups=2),
            (None, 9, 9, 4),
        ),
        ExpectLayer(
            "type: conv2d, in_channels: 4, out_channels: 6, kernel_size: 3, bias: false",
            lambda: of.Conv2D(6, 3, use_bias=False),
            (None, 9, 9, 4),
        ),
        ExpectLayer(
            "type: conv3d, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3]",
            lambda: of.Conv3D(6, (1, 2, 3)),
            (None, 5, 5, 5, 4),
        ),
        ExpectLayer(
            "type: embedding, num_embeddings: 11, embedding_dim: 5", lambda: of.Embedding(11, 5), (None, 3)
        ),
        ExpectLayer("type: layer_normalization, features: 6", of.LayerNormalization, (None, 6)),
        ExpectLayer(
            "type: layer_normalization, features: [4, 6]",
            lambda: of.LayerNormalization(axis=(1, 2)),
            (None, 4, 6),
        ),
        ExpectLayer(
            "type: layer_normalization, features: 6, center: false",
            lambda: of.LayerNormalization(center=False),
            (None, 6),
        ),
        ExpectLayer("type: rms_normalization, features: 6", of.RMSNormalization, (None, 6)),
        ExpectLayer("type: batch_normalization, features: 6", of.BatchNormalization, (None, 6)),
        ExpectLayer(
            "type: batch_normalization, features: 6, scale: false, center: false",
            lambda: of.BatchNormalization(scale=False, center=False),
            (None, 6),
        ),
        ExpectLayer(
            "type: group_normalization, features: 6, groups: 3",
            lambda: of.GroupNormalization(groups=3),
            (None, 9, 6),
        ),
    ]


def real_compute_fans() -> Callable[[Shape], tuple[int, int]]:
    """`keras.initializers.compute_fans` where it is public, and its home otherwise."""
    import keras
    from keras.src.initializers import random_initializers

    home = keras.initializers if hasattr(keras.initializers, "compute_fans") else random_initializers
    found: Callable[[Shape], tuple[int, int]] = home.compute_fans
    return found


@pytest.mark.frameworks
class TestAgainstKeras:
    def test_fans_are_its_own_over_many_shapes(self) -> None:
        real = real_compute_fans()
        for shape in SHAPES:
            fan_in, fan_out = real(shape)
            assert compute_fans(shape) == Fans(fan_in, fan_out), shape

    def test_names_and_shapes_are_those_of_the_layers(self) -> None:
        for case in layers():
            plan = make_plan(parse_spec(f"layers: [{{name: x, {case.layer}}}]\n", framework="keras"))
            found = {t.name.removeprefix("x/"): t.shape for t in plan.tensors}
            layer = case.keras()
            layer.build(case.inputs)
            expected = {v.path.rpartition("/")[2]: tuple(v.shape) for v in layer.weights}
            assert found == expected, case.layer

    def test_biases_scales_and_statistics_begin_as_keras_has_them(self) -> None:
        import keras

        for case in layers():
            plan = make_plan(parse_spec(f"layers: [{{name: x, {case.layer}}}]\n", framework="keras"))
            layer = case.keras()
            layer.build(case.inputs)
            for variable in layer.weights:
                role = variable.path.rpartition("/")[2]
                if role in {"kernel", "embeddings"}:
                    continue
                tensor = plan.tensor(f"x/{role}")
                assert tensor is not None
                law = tensor.parts[0].law
                assert law.std == 0
                value = keras.ops.convert_to_numpy(variable.value)
                assert bool((value == law.bound).all()), (case.layer, role)
