"""Load Keras weight files in Keras with `model.load_weights`; compare every variable and a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lecun_cli import Plan, generate, load_spec, make_plan, parse_spec, slice_tensor

SAMPLES = Path(__file__).parents[2] / "sample_specs"


@pytest.fixture(scope="module")
def keras() -> Any:
    import keras

    return keras


def loaded(model: Any, plan: Plan, folder: Path) -> None:
    """Load the file of a plan, and compare every variable of the model with the plan."""
    generate(plan, folder / "m.weights.h5")
    model.load_weights(folder / "m.weights.h5")
    names = [name for layer in plan.layers for _, name in layer.tensors]
    variables = [v for layer in model.layers for v in layer.weights]
    assert len(names) == len(variables)
    for name, variable in zip(names, variables, strict=True):
        expected = slice_tensor(plan, name)
        assert np.array_equal(np.asarray(variable.value).astype(expected.dtype), expected), name


class TestModels:
    def test_the_example_of_the_documentation_of_lecun_normal(self, keras: Any, tmp_path: Path) -> None:
        plan = make_plan(load_spec(str(SAMPLES / "selu_mlp.yaml")))
        model = keras.Sequential(
            [
                keras.Input((100,)),
                keras.layers.Dense(64, activation="selu"),
                keras.layers.Dense(10, activation="softmax"),
            ]
        )
        loaded(model, plan, tmp_path)
        outputs = model.predict(np.random.default_rng(0).standard_normal((1, 100)), verbose=0)
        assert outputs.shape == (1, 10)
        assert outputs.sum() == pytest.approx(1, abs=1e-6)

    def test_lenet_5(self, keras: Any, tmp_path: Path) -> None:
        plan = make_plan(load_spec(str(SAMPLES / "lenet5.yaml")))
        by_layer_type = [layer.layer_type for layer in plan.layers]
        assert by_layer_type.count("conv2d") == 2
        layers = keras.layers
        model = keras.Sequential(
            [
                keras.Input((28, 28, 1)),
                layers.Conv2D(6, 5, padding="same"),
                layers.AveragePooling2D(2),
                layers.Conv2D(16, 5),
                layers.AveragePooling2D(2),
                layers.Flatten(),
                layers.Dense(120),
                layers.Dense(84),
                layers.Dense(10),
            ]
        )
        loaded(model, plan, tmp_path)

    def test_functional_with_nested_models(self, keras: Any, tmp_path: Path) -> None:
        layers = keras.layers
        plan = make_plan(
            parse_spec("""
seed: 1
layers:
  - {type: conv2d, name: stem, in_channels: 3, out_channels: 4, kernel_size: 3}
  - {type: batch_normalization, name: norm, features: 4}
  - {type: depthwise_conv2d, name: depthwise, in_channels: 4, kernel_size: 3}
  - {type: separable_conv2d, name: s, in_channels: 4, out_channels: 5, kernel_size: 3, depth_multiplier: 2}
  - name: inner
    model: sequential
    layers:
      - {type: conv2d, name: a, in_channels: 5, out_channels: 4, kernel_size: 2}
      - {type: group_normalization, name: b, features: 4, groups: 2}
  - repeat: 2
    name: block{i}
    layers:
      - {type: conv2d_transpose, name: up, in_channels: 4, out_channels: 4, kernel_size: 3, stride: 2}
      - {type: p_re_lu, name: slope, shape: [1, 1, 4]}
  - {type: dense, name: head, in_features: 4, out_features: 2}
""")
        )
        at = inputs = keras.Input((9, 9, 3))
        for layer in (
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.DepthwiseConv2D(3),
            layers.SeparableConv2D(5, 3, depth_multiplier=2),
        ):
            at = layer(at)
        inner = [keras.Input(at.shape[1:]), layers.Conv2D(4, 2), layers.GroupNormalization(2)]
        at = keras.Sequential(inner)(at)
        for _ in range(2):
            begin = keras.Input(at.shape[1:])
            end = layers.PReLU(shared_axes=[1, 2])(layers.Conv2DTranspose(4, 3, strides=2)(begin))
            at = keras.Model(begin, end)(at)
        model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling2D()(at)))
        loaded(model, plan, tmp_path)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
    def test_recurrent_layers_both_ways(self, keras: Any, tmp_path: Path, dtype: str) -> None:
        layers = keras.layers
        plan = make_plan(
            parse_spec(
                """
seed: 1
layers:
  - {type: embedding, name: embedding, num_embeddings: 10, embedding_dim: 6}
  - {type: bidirectional, name: both, layer: {type: gru, input_size: 6, hidden_size: 3}}
  - {type: lstm, name: lstm, input_size: 6, hidden_size: 4, unit_forget_bias: true}
  - {type: dense, name: head, in_features: 4, out_features: 2}
""",
                dtype=dtype,
            )
        )
        both = layers.Bidirectional(layers.GRU(3, return_sequences=True, dtype=dtype), dtype=dtype)
        model = keras.Sequential(
            [
                keras.Input((7,)),
                layers.Embedding(10, 6, dtype=dtype),
                both,
                layers.LSTM(4, dtype=dtype),
                layers.Dense(2, dtype=dtype),
            ]
        )
        loaded(model, plan, tmp_path)

    def test_attention(self, keras: Any, tmp_path: Path) -> None:
        layers = keras.layers
        plan = make_plan(
            parse_spec("""
seed: 1
layers:
  - {type: multi_head_attention, name: a, embed_dim: 8, num_heads: 2}
  - {type: grouped_query_attention, name: g, embed_dim: 8, num_heads: 4, num_kv_heads: 2, head_dim: 2}
  - {type: layer_normalization, name: l, features: 8}
  - {type: rms_normalization, name: r, features: 8}
""")
        )
        inputs = keras.Input((5, 8))
        at = layers.MultiHeadAttention(2, 4)(inputs, inputs)
        at = layers.GroupQueryAttention(2, 4, 2)(at, at)
        model = keras.Model(inputs, layers.RMSNormalization()(layers.LayerNormalization()(at)))
        loaded(model, plan, tmp_path)
