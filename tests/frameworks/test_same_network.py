"""One spec and one seed give one network: Keras, PyTorch and Flax compute the same from their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lecun_cli import GenerateOptions, generate, load_spec, make_plan, parse_spec
from tests.frameworks.cases import CASES, Case
from tests.frameworks.real import (
    REAL,
    Real,
    import_flax,
    import_keras,
    keras_model,
    load_flax,
    load_keras,
    load_torch,
    modules_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float32]

SAMPLE = Path(__file__).parents[2] / "sample_specs" / "selu_mlp.yaml"

pytestmark = [
    pytest.mark.frameworks,
    # The variables of Keras, on NumPy 2.
    pytest.mark.filterwarnings(
        "ignore:[^_]*__array__ implementation doesn't accept a copy:DeprecationWarning"
    ),
]


def file_of(text: str, framework: str, folder: Path) -> Path:
    """Write the file of a spec for a framework."""
    path = folder / f"{framework}.safetensors"
    generate(make_plan(parse_spec(text, framework=framework)), path, GenerateOptions(no_manifest=True))
    return path


def by_keras(real: Real, path: Path) -> Array:
    assert real.keras is not None
    layer = real.keras(import_keras().layers)
    inputs = real.arrays()
    model = keras_model(lambda *xs: real.keras_call(layer, *xs), inputs)
    load_keras(model, path)
    return np.asarray(model(inputs if len(inputs) > 1 else inputs[0]))


def by_torch(real: Real, path: Path) -> Array:
    import torch

    assert real.torch is not None
    module = real.torch(torch.nn)
    load_torch(torch.nn.ModuleDict({"x": module}), path)
    with torch.no_grad():
        outputs = real.torch_call(module, torch, *map(torch.from_numpy, real.arrays()))
    return np.asarray(outputs)


def by_flax(real: Real, path: Path) -> Array:
    assert real.flax is not None
    modules = modules_of(real.flax(import_flax()))
    paths = {name: f"x/{name}" if name else "x" for name in modules}

    def call(layers: dict[str, Callable[..., Any]], *xs: Any) -> Any:
        return real.flax_call({name: layers[paths[name]] for name in modules}, *xs)

    named = {paths[name]: module for name, module in modules.items()}
    return np.asarray(load_flax(named, call, path, real.arrays()))


BY = {"keras": by_keras, "torch": by_torch, "flax": by_flax}


def assert_same(outputs: dict[str, Array]) -> None:
    """Check that outputs agree, without the padding that some frameworks add to a transposed convolution."""
    shape = tuple(min(sizes) for sizes in zip(*(x.shape for x in outputs.values()), strict=True))
    cut = {name: x[tuple(map(slice, shape))] for name, x in outputs.items()}
    first = next(iter(cut.values()))
    assert float(first.std()) > 1e-2
    for name, x in cut.items():
        np.testing.assert_allclose(x, first, rtol=1e-5, atol=1e-5, err_msg=name)


SHARED = [case for case in CASES if len(REAL[case.id].frameworks(case)) > 1]

# Keras and Flax pad the end of a window that is shorter than its stride.
UNEVEN = {"conv2d_transpose-of-a-window-shorter-than-its-stride"}


class TestOneLayer:
    @pytest.mark.parametrize("case", SHARED, ids=lambda case: case.id)
    def test_computes_the_same_in_every_framework(self, case: Case, tmp_path: Path) -> None:
        real = REAL[case.id]
        outputs = {
            name: BY[name](real, file_of(real.spec(case), name, tmp_path)) for name in real.frameworks(case)
        }
        assert_same(outputs)
        if case.id not in UNEVEN:
            assert len({x.shape for x in outputs.values()}) == 1

    @pytest.mark.parametrize("case", [c for c in SHARED if "gru" in c.id], ids=lambda case: case.id)
    def test_with_two_random_biases_computes_the_same_where_both_are_stored(
        self, case: Case, tmp_path: Path
    ) -> None:
        """Each framework packs the gates of a GRU, and their biases, in a different order."""
        rule = 'rules: [{match: "x/*bias*", initializer: {name: truncated_normal, stddev: 0.5}}]\n'
        real = REAL[case.id]
        assert_same(
            {
                name: BY[name](real, file_of(real.spec(case) + rule, name, tmp_path))
                for name in ("keras", "torch")
            }
        )

    def test_with_a_rule_for_one_parameter_computes_the_same_however_it_is_packed(
        self, tmp_path: Path
    ) -> None:
        """Flax stores only one second bias; Keras and PyTorch pack it with others, which stay zero."""
        (case,) = (c for c in SHARED if c.id == "gru")
        rule = "rules: [{match: x/recurrent_bias_candidate, initializer: {name: constant, value: 0.7}}]\n"
        real = REAL[case.id]
        assert_same(
            {name: run(real, file_of(real.spec(case) + rule, name, tmp_path)) for name, run in BY.items()}
        )


# The calls of these layers are written for each framework below.
MIXED = """
seed: 7
params: {c: 6, d: 8}
layers:
  - {type: conv2d, name: stem, in_channels: 4, out_channels: c, kernel_size: 3, BIAS}
  - {type: p_re_lu, name: bent, shape: [1, 1, 1]}
  - {type: depthwise_conv2d, name: deep, in_channels: c, kernel_size: [3, 1], BIAS}
  - {type: batch_normalization, name: norm, features: c, STATISTICS}
  - {type: conv2d_transpose, name: up, in_channels: c, out_channels: d, kernel_size: 3, stride: 2, BIAS}
  - {type: embedding, name: places, num_embeddings: 77, embedding_dim: d}
  - {type: multi_head_attention, name: attention, embed_dim: d, num_heads: 2, BIAS}
  - {type: layer_normalization, name: even, features: d}
  - {type: bidirectional, name: ways, layer: {type: lstm, input_size: d, hidden_size: 5, BIAS}}
  - {type: gru, name: walk, input_size: 10, hidden_size: d, BIAS}
  - name: head
    layers:
      - {type: dense, name: wide, in_features: d, out_features: 16, BIAS}
      - {type: dense, name: logits, in_features: 16, out_features: 3}
""".replace("BIAS", "bias_initializer: {name: truncated_normal, stddev: 0.5}").replace(
    "STATISTICS",
    "moving_mean_initializer: truncated_normal, "
    "moving_variance_initializer: {name: uniform, minval: 0.5, maxval: 1.5}",
)


def mixed_inputs() -> list[Any]:
    generator = np.random.default_rng(5)
    return [generator.standard_normal((2, 9, 5, 4)).astype("f4"), np.tile(np.arange(77), (2, 1))]


def mixed_by_keras(path: Path) -> Array:
    keras = import_keras()
    of = keras.layers

    def layers(x: Any, spans: Any) -> Any:
        x = of.PReLU(shared_axes=(1, 2, 3), name="bent")(of.Conv2D(6, 3, name="stem")(x))
        x = of.DepthwiseConv2D((3, 1), name="deep")(x)
        x = of.BatchNormalization(epsilon=1e-5, name="norm")(x)
        x = of.Conv2DTranspose(8, 3, strides=2, name="up")(x)
        x = of.Reshape((77, 8))(x) + of.Embedding(77, 8, name="places")(spans)
        x = x + of.MultiHeadAttention(2, 4, name="attention")(x, x)
        x = of.LayerNormalization(epsilon=1e-5, name="even")(x)
        x = of.Bidirectional(of.LSTM(5, return_sequences=True, name="lstm"), name="ways")(x)
        x = of.GRU(8, name="walk")(x)
        head = [of.Dense(16, activation="selu", name="wide"), of.Dense(3, name="logits")]
        return keras.Sequential(head, name="head")(x)

    inputs = mixed_inputs()
    model = keras_model(layers, inputs)
    load_keras(model, path)
    return np.asarray(model(inputs))


def mixed_by_torch(path: Path) -> Array:
    import torch
    from torch import nn

    m = nn.ModuleDict(
        {
            "stem": nn.Conv2d(4, 6, 3),
            "bent": nn.PReLU(),
            "deep": nn.Conv2d(6, 6, (3, 1), groups=6),
            "norm": nn.BatchNorm2d(6),
            "up": nn.ConvTranspose2d(6, 8, 3, 2),
            "places": nn.Embedding(77, 8),
            "attention": nn.MultiheadAttention(8, 2, batch_first=True),
            "even": nn.LayerNorm(8),
            "ways": nn.LSTM(8, 5, batch_first=True, bidirectional=True),
            "walk": nn.GRU(10, 8, batch_first=True),
            "head": nn.ModuleDict({"wide": nn.Linear(8, 16), "logits": nn.Linear(16, 3)}),
        }
    )
    load_torch(m, path)
    x, spans = map(torch.from_numpy, mixed_inputs())
    with torch.no_grad():
        x = m["up"](m["norm"](m["deep"](m["bent"](m["stem"](x.movedim(-1, 1))))))
        x = x.movedim(1, -1).flatten(1, 2) + m["places"](spans)
        x = m["even"](x + m["attention"](x, x, x)[0])
        x = m["walk"](m["ways"](x)[0])[0][:, -1]
        return np.asarray(m["head"]["logits"](torch.selu(m["head"]["wide"](x))))


def mixed_by_flax(path: Path) -> Array:
    import jax

    nn = import_flax()
    modules = {
        "stem": nn.Conv(6, (3, 3), padding="VALID"),
        "bent": nn.PReLU(),
        "deep": nn.Conv(6, (3, 1), padding="VALID", feature_group_count=6),
        "norm": nn.BatchNorm(use_running_average=True),
        "up": nn.ConvTranspose(8, (3, 3), strides=(2, 2), padding="VALID"),
        "places": nn.Embed(77, 8),
        "attention": nn.MultiHeadDotProductAttention(2),
        "even": nn.LayerNorm(epsilon=1e-5),
        "ways": nn.Bidirectional(nn.RNN(nn.LSTMCell(5)), nn.RNN(nn.LSTMCell(5))),
        "walk": nn.RNN(nn.GRUCell(8)),
        "head/wide": nn.Dense(16),
        "head/logits": nn.Dense(3),
    }

    def call(m: dict[str, Callable[..., Any]], x: Any, spans: Any) -> Any:
        x = m["up"](m["norm"](m["deep"](m["bent"](m["stem"](x)))))
        x = x.reshape(2, 77, 8) + m["places"](spans)
        x = m["even"](x + m["attention"](x, x, x))
        x = m["walk"](m["ways"](x))[:, -1]
        return m["head/logits"](jax.nn.selu(m["head/wide"](x)))

    return np.asarray(load_flax(modules, call, path, mixed_inputs()))


class TestOneNetwork:
    def test_of_many_layer_types_computes_the_same_in_every_framework(self, tmp_path: Path) -> None:
        by = {"keras": mixed_by_keras, "torch": mixed_by_torch, "flax": mixed_by_flax}
        outputs = {name: run(file_of(MIXED, name, tmp_path)) for name, run in by.items()}
        assert {x.shape for x in outputs.values()} == {(2, 3)}
        assert_same(outputs)

    def test_with_another_seed_differs(self, tmp_path: Path) -> None:
        first = mixed_by_torch(file_of(MIXED, "torch", tmp_path))
        path = tmp_path / "other.safetensors"
        plan = make_plan(parse_spec(MIXED, framework="torch", seed=8))
        generate(plan, path, GenerateOptions(no_manifest=True))
        assert not np.allclose(first, mixed_by_torch(path), atol=1e-3)

    def test_with_selu_equals_the_example_of_keras(self, tmp_path: Path) -> None:
        """Dense(64, selu) on 100 inputs and Dense(10, softmax), loaded by path."""
        keras = import_keras()
        path = tmp_path / "selu_mlp.safetensors"
        generate(make_plan(load_spec(str(SAMPLE))), path, GenerateOptions(no_manifest=True))
        hidden = keras.layers.Dense(64, activation="selu", name="hidden")
        logits = keras.layers.Dense(10, activation="softmax", name="logits")
        x = np.random.default_rng(1).standard_normal((2000, 100)).astype("f4")
        model = keras_model(lambda inputs: logits(hidden(inputs)), [x])
        load_keras(model, path)
        units = np.asarray(hidden(x))
        assert abs(units.mean()) < 0.1
        assert abs(units.std() - 1) < 0.1
        assert np.allclose(np.asarray(model(x)).sum(-1), 1, atol=1e-5)
