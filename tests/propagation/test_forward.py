# ruff: noqa: E501 - a line of the table is a layer
"""The forward pass of a file equals that of Keras with the same file, layer by layer, to 1e-4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lecun_cli.generation import generate
from lecun_cli.layers.operation import FLATTENED, POOLED
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.activations import ACTIVATIONS
from lecun_cli.propagation.chain import TOKENS, Link, chain
from lecun_cli.propagation.layer_weights import drawn, from_file
from lecun_cli.propagation.propagator import propagate
from lecun_cli.propagation.result import Propagation
from lecun_cli.propagation.walk import inputs, outputs
from lecun_cli.spec.load import Spec, load_spec, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

SAMPLES = 12
# The variables of Keras have an `__array__` for NumPy 1.
pytestmark = pytest.mark.filterwarnings(
    "ignore:[^_]*__array__ implementation doesn't accept a copy:DeprecationWarning"
)
# Biases, scales and statistics that differ from those of a new layer.
SOME = "{name: uniform, minval: 0.5, maxval: 1.5}"
BIAS = "bias_initializer: {name: truncated_normal, stddev: 0.3}"
AFFINE = f"gamma_initializer: {SOME}, beta_initializer: {SOME}"
MOVING = f"moving_mean_initializer: {SOME}, moving_variance_initializer: {SOME}"

CASES = {
    "deep selu": """
  - repeat: 32
    layers: [{type: dense, name: "hidden_{i}", in_features: 48, out_features: 48, activation: selu}]
  - {type: dense, name: logits, in_features: 48, out_features: 10, activation: softmax}
""",
    "conv2d, flattened": f"""
  - {{type: conv2d, name: a, in_channels: 3, out_channels: 8, kernel_size: [3, 2], activation: relu, {BIAS}}}
  - {{type: conv2d, name: b, in_channels: 8, out_channels: 6, kernel_size: 3, groups: 2, activation: tanh, {BIAS}}}
  - {{type: dense, name: c, in_features: 6 * 4 * 4, out_features: 9, activation: gelu, {BIAS}}}
""",
    "conv1d and conv3d": f"""
  - {{type: conv1d, name: a, in_channels: 4, out_channels: 8, kernel_size: 5, {BIAS}}}
  - {{type: conv3d, name: b, in_channels: 2, out_channels: 4, kernel_size: [1, 2, 3], bias: false}}
  - {{type: conv3d, name: c, in_channels: 4, out_channels: 4, kernel_size: 2, {BIAS}}}
""",
    "depthwise and separable": f"""
  - {{type: depthwise_conv1d, name: a, in_channels: 3, kernel_size: 4, depth_multiplier: 2, {BIAS}}}
  - {{type: separable_conv1d, name: b, in_channels: 6, out_channels: 5, kernel_size: 3, {BIAS}}}
  - {{type: depthwise_conv2d, name: c, in_channels: 5, kernel_size: 3, depth_multiplier: 3, activation: selu, {BIAS}}}
  - {{type: separable_conv2d, name: d, in_channels: 15, out_channels: 7, kernel_size: 2, depth_multiplier: 2, {BIAS}}}
""",
    "transposed": f"""
  - {{type: conv2d_transpose, name: a, in_channels: 5, out_channels: 4, kernel_size: [3, 4], stride: [2, 3], {BIAS}}}
  - {{type: conv2d_transpose, name: b, in_channels: 4, out_channels: 3, kernel_size: 3, activation: relu, {BIAS}}}
  - {{type: conv1d_transpose, name: c, in_channels: 7, out_channels: 3, kernel_size: 5, stride: 2, {BIAS}}}
  - {{type: conv3d_transpose, name: d, in_channels: 3, out_channels: 2, kernel_size: 2, {BIAS}}}
""",
    "normalizations": f"""
  - {{type: conv2d, name: a, in_channels: 3, out_channels: 12, kernel_size: 3}}
  - {{type: batch_normalization, name: b, features: 12, {AFFINE}, {MOVING}}}
  - {{type: group_normalization, name: c, features: 12, groups: 4, {AFFINE}}}
  - {{type: p_re_lu, name: d, shape: [1, 1, 12]}}
  - {{type: layer_normalization, name: e, features: 12, {AFFINE}}}
  - {{type: rms_normalization, name: f, features: 12, scale_initializer: {SOME}}}
  - {{type: dense, name: g, in_features: 12 * 3 * 3, out_features: 20}}
  - {{type: layer_normalization, name: h, features: 20, scale: false}}
  - {{type: batch_normalization, name: i, features: 20, scale: false, center: false}}
""",
    "embedding and attention": f"""
  - {{type: embedding, name: a, num_embeddings: 50, embedding_dim: 24}}
  - {{type: multi_head_attention, name: b, embed_dim: 24, num_heads: 4, {BIAS}}}
  - {{type: grouped_query_attention, name: c, embed_dim: 24, num_heads: 6, num_kv_heads: 2, {BIAS}}}
""",
    "recurrent": f"""
  - {{type: simple_rnn, name: a, input_size: 6, hidden_size: 8, {BIAS}}}
  - {{type: gru, name: b, input_size: 8, hidden_size: 9, {BIAS}}}
  - {{type: lstm, name: c, input_size: 9, hidden_size: 5, unit_forget_bias: true, {BIAS}}}
  - {{type: bidirectional, name: d, layer: {{type: lstm, input_size: 5, hidden_size: 4, {BIAS}}}}}
  - {{type: gru, name: e, input_size: 8, hidden_size: 4, reset_after: false, {BIAS}}}
""",
    "every activation": "\n".join(
        f"  - {{type: dense, name: {name}, in_features: 16, out_features: 16, activation: {name}, {BIAS}}}"
        for name in ACTIVATIONS
    ),
}


def spec_of(case: str, dtype: str = "float32") -> Spec:
    return parse_spec(f"seed: 7\ndtype: {dtype}\nlayers:\n{CASES[case]}\n")


def links_of(spec: Spec) -> tuple[Link, ...]:
    return chain(spec.layers, make_plan(spec).layers, spec.framework).links


def real_layer(link: Link) -> Any:
    """Return the layer of Keras for a layer of the spec."""
    from keras import layers

    it: Any = link.layer
    layer_type = link.planned.layer_type
    rank = len(link.shape) - 1
    conv = {"activation": link.activation} if hasattr(it, "activation") else {}
    if hasattr(it, "kernel_size"):
        conv |= {"kernel_size": it.kernel_size * rank if len(it.kernel_size) == 1 else it.kernel_size}
    if layer_type == "dense":
        return layers.Dense(it.out_features, use_bias=it.bias, **conv)
    if layer_type.endswith("_transpose"):
        steps = it.stride * rank if len(it.stride) == 1 else it.stride
        return getattr(layers, f"Conv{rank}DTranspose")(it.out_channels, strides=steps, **conv)
    if layer_type.startswith("conv"):
        return getattr(layers, f"Conv{rank}D")(it.out_channels, groups=it.groups, use_bias=it.bias, **conv)
    if layer_type.startswith("depthwise"):
        return getattr(layers, f"DepthwiseConv{rank}D")(depth_multiplier=it.depth_multiplier, **conv)
    if layer_type.startswith("separable"):
        layer_class = getattr(layers, f"SeparableConv{rank}D")
        return layer_class(it.out_channels, depth_multiplier=it.depth_multiplier, **conv)
    match layer_type:
        case "batch_normalization":
            return layers.BatchNormalization(scale=it.scale, center=it.center)
        case "group_normalization":
            return layers.GroupNormalization(it.groups)
        case "layer_normalization":
            return layers.LayerNormalization(scale=it.scale, center=it.center)
        case "rms_normalization":
            return layers.RMSNormalization()
        case "p_re_lu":
            return layers.PReLU(shared_axes=[1, 2])
        case "embedding":
            return layers.Embedding(it.num_embeddings, it.embedding_dim)
        case "multi_head_attention":
            return layers.MultiHeadAttention(it.num_heads, it.size_of_head)
        case "grouped_query_attention":
            return layers.GroupQueryAttention(it.size_of_head, it.num_heads, it.num_kv_heads)
        case "simple_rnn":
            return layers.SimpleRNN(it.hidden_size)
        case "gru":
            return layers.GRU(it.hidden_size, reset_after=it.reset_after)
        case "lstm":
            return layers.LSTM(it.hidden_size)
        case "bidirectional":
            return layers.Bidirectional(layers.LSTM(it.layer.hidden_size))
    raise AssertionError(layer_type)


def real_model(links: tuple[Link, ...]) -> Any:
    """Return a model of all layers with an output for each layer and an input for each chain."""
    import keras
    from keras import layers

    model_inputs, outputs = [], []
    x: Any = None
    for link in links:
        if link.begins:
            x = keras.Input(link.shape, dtype="int64" if link.entry == TOKENS else "float32")
            model_inputs.append(x)
        elif link.entry == FLATTENED:
            x = layers.Flatten()(x)
        elif link.entry == POOLED:
            x = getattr(layers, f"GlobalAveragePooling{len(x.shape) - 2}D")()(x)
        layer, layer_type = real_layer(link), link.planned.layer_type
        if layer_type in {"multi_head_attention", "grouped_query_attention"}:
            one = layers.Reshape((1, link.shape[0]))(x)
            x = layers.Reshape((link.output[0],))(layer(one, one))
        elif layer_type in {"simple_rnn", "gru", "lstm", "bidirectional"}:
            x = layer(layers.Reshape((1, link.shape[0]))(x))
        else:
            x = layer(x)
        outputs.append(x)
    return keras.Model(model_inputs, outputs)


def real_outputs(links: tuple[Link, ...], path: Path, samples: int = SAMPLES) -> list[Any]:
    """Return the outputs of Keras for the same inputs, with the weights of a file."""
    model = real_model(links)
    model.load_weights(path)
    signals = [inputs(link, samples, 0) for link in links if link.begins]
    outputs = model.predict(signals, verbose=0, batch_size=samples)
    return outputs if isinstance(outputs, list) else [outputs]


def same_moments(propagation: Propagation, theirs: list[Any]) -> None:
    for layer, array in zip(propagation.runs[0].layers, theirs, strict=True):
        assert layer.shape == array.shape[1:]
        assert layer.mean == pytest.approx(float(array.mean(dtype=np.float64)), rel=1e-4, abs=1e-4)
        assert layer.variance == pytest.approx(float(array.var(dtype=np.float64)), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("case", CASES)
def test_every_output_and_its_moments_equal_those_of_keras(case: str, tmp_path: Path) -> None:
    spec = spec_of(case)
    plan, links = make_plan(spec), links_of(spec)
    path = tmp_path / "model.weights.h5"
    generate(plan, path)
    theirs = real_outputs(links, path)
    for read in (from_file(path, plan), drawn(7)):
        actual = outputs(plan, links, [SAMPLES] * len(links), read, 0)
        for (link, _, x), array in zip(actual, theirs, strict=True):
            assert x == pytest.approx(array, rel=1e-4, abs=1e-4), link.name
    same_moments(propagate(spec, weights=path, samples=SAMPLES), theirs)
    same_moments(propagate(spec, samples=SAMPLES), theirs)


def test_the_whole_selu_sample_equals_keras_in_its_moments(tmp_path: Path) -> None:
    spec = load_spec("sample_specs/selu_32.yaml")
    path = tmp_path / "selu.weights.h5"
    generate(make_plan(spec), path)
    propagation = propagate(spec, weights=path)
    same_moments(propagation, real_outputs(links_of(spec), path, propagation.runs[0].layers[0].samples))


def test_an_image_is_pooled_as_in_keras_where_a_layer_reads_its_channels(tmp_path: Path) -> None:
    conv = "{type: conv2d, name: a, in_channels: 3, out_channels: 8, kernel_size: 3, activation: relu}"
    dense = "{type: dense, name: b, in_features: 8, out_features: 5}"
    spec = parse_spec(f"seed: 3\nlayers: [{conv}, {dense}]")
    path = tmp_path / "pooled.weights.h5"
    generate(make_plan(spec), path)
    links = chain(spec.layers, make_plan(spec).layers, "keras", image=(9, 7)).links
    assert [link.entry for link in links] == ["input", "pooled"]
    propagation = propagate(spec, weights=path, image_size=(9, 7), samples=SAMPLES)
    same_moments(propagation, real_outputs(links, path))


def test_a_file_in_half_precision_is_used_with_its_rounded_weights(tmp_path: Path) -> None:
    spec = spec_of("conv2d, flattened", "bfloat16")
    path = tmp_path / "model.weights.h5"
    generate(make_plan(spec), path)
    same_moments(propagate(spec, weights=path, samples=SAMPLES), real_outputs(links_of(spec), path))


def test_a_file_from_keras_gives_the_outputs_of_keras(tmp_path: Path) -> None:
    import keras

    model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(30), keras.layers.Dense(5)])
    path = tmp_path / "theirs.weights.h5"
    model.save_weights(path)
    propagation = propagate(path, samples=64)
    first, second = propagation.runs[0].layers
    (link,) = links_of(
        parse_spec(f"layers: [{{type: dense, name: {first.name}, in_features: 20, out_features: 30}}]")
    )
    theirs = model.predict(inputs(link, 64, 0), verbose=0)
    assert propagation.runs[0].initializer == "file"
    assert second.variance == pytest.approx(theirs.var(), rel=1e-4)
