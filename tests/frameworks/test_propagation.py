# ruff: noqa: E501 - a line of the table is a layer
"""The forward pass of a file equals that of PyTorch and Flax with the same file, to 1e-4."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lecun_cli.generation import generate
from lecun_cli.layers.operation import FLATTENED, POOLED
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.activations import ACTIVATIONS
from lecun_cli.propagation.chain import TOKENS, Link, chain
from lecun_cli.propagation.layer_weights import from_file
from lecun_cli.propagation.propagator import propagate
from lecun_cli.propagation.walk import inputs, outputs
from lecun_cli.spec.load import Spec, parse_spec

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.frameworks

SAMPLES = 12
SOME = "{name: uniform, minval: 0.5, maxval: 1.5}"
BIAS = "bias_initializer: {name: truncated_normal, stddev: 0.3}"
AFFINE = f"gamma_initializer: {SOME}, beta_initializer: {SOME}"
MOVING = f"moving_mean_initializer: {SOME}, moving_variance_initializer: {SOME}"

TORCH_CASES = {
    "deep selu": """
  - repeat: 32
    layers: [{type: dense, name: "hidden_{i}", in_features: 48, out_features: 48, activation: selu}]
  - {type: dense, name: logits, in_features: 48, out_features: 10, activation: softmax}
""",
    "convolutions, flattened channels first": f"""
  - {{type: conv2d, name: a, in_channels: 3, out_channels: 8, kernel_size: [3, 2], activation: relu, {BIAS}}}
  - {{type: conv2d, name: b, in_channels: 8, out_channels: 6, kernel_size: 3, groups: 2, activation: tanh, {BIAS}}}
  - {{type: depthwise_conv2d, name: c, in_channels: 6, kernel_size: 2, depth_multiplier: 2, {BIAS}}}
  - {{type: dense, name: d, in_features: 12 * 4 * 4, out_features: 9, activation: gelu, {BIAS}}}
  - {{type: conv1d, name: e, in_channels: 4, out_channels: 8, kernel_size: 5, {BIAS}}}
  - {{type: conv3d, name: f, in_channels: 2, out_channels: 4, kernel_size: [1, 2, 3], bias: false}}
""",
    "transposed, in groups": f"""
  - {{type: conv2d_transpose, name: a, in_channels: 6, out_channels: 4, kernel_size: [3, 4], stride: [2, 3], groups: 2, {BIAS}}}
  - {{type: conv2d_transpose, name: b, in_channels: 4, out_channels: 3, kernel_size: 1, stride: 2, activation: relu, {BIAS}}}
  - {{type: conv1d_transpose, name: c, in_channels: 7, out_channels: 3, kernel_size: 5, stride: 2, {BIAS}}}
""",
    "normalizations": f"""
  - {{type: conv2d, name: a, in_channels: 3, out_channels: 12, kernel_size: 3, bias: false}}
  - {{type: batch_normalization, name: b, features: 12, {AFFINE}, {MOVING}}}
  - {{type: group_normalization, name: c, features: 12, groups: 4, {AFFINE}}}
  - {{type: p_re_lu, name: d, shape: 12, alpha_initializer: {SOME}}}
  - {{type: layer_normalization, name: e, features: [12, 3, 3], {AFFINE}}}
  - {{type: dense, name: f, in_features: 12 * 3 * 3, out_features: 20}}
  - {{type: rms_normalization, name: g, features: 20, scale_initializer: {SOME}}}
  - {{type: layer_normalization, name: h, features: 20, {AFFINE}}}
""",
    "attention and recurrent": f"""
  - {{type: embedding, name: a, num_embeddings: 50, embedding_dim: 24}}
  - {{type: multi_head_attention, name: b, embed_dim: 24, num_heads: 4, {BIAS}}}
  - {{type: gru, name: c, input_size: 24, hidden_size: 9, num_layers: 2, {BIAS}}}
  - {{type: lstm, name: d, input_size: 9, hidden_size: 5, {BIAS}}}
  - {{type: bidirectional, name: e, layer: {{type: simple_rnn, input_size: 5, hidden_size: 4, num_layers: 2, {BIAS}}}}}
""",
    "every activation": "\n".join(
        f"  - {{type: dense, name: {name}, in_features: 16, out_features: 16, activation: {name}, {BIAS}}}"
        for name in ACTIVATIONS
    ),
}


def spec_of(layers: str, framework: str) -> Spec:
    return parse_spec(f"seed: 7\nframework: {framework}\nlayers:\n{layers}\n")


def links_of(spec: Spec) -> tuple[Link, ...]:
    return chain(spec.layers, make_plan(spec).layers, spec.framework).links


def torch_activation(name: str | None) -> Any:
    from torch import nn
    from torch.nn import functional

    special = {
        "linear": nn.Identity(),
        "softmax": lambda x: functional.softmax(x, 1),
        "exponential": lambda x: x.exp(),
    }
    return nn.Identity() if name is None else special.get(name) or getattr(functional, name)


def torch_layer(link: Link) -> Any:
    from torch import nn

    it: Any = link.layer
    layer_type = link.planned.layer_type
    rank = len(link.shape) - 1

    def each(size: tuple[int, ...]) -> tuple[int, ...]:
        return size * rank if len(size) == 1 else size

    if layer_type == "dense":
        return nn.Linear(it.in_features, it.out_features, bias=it.bias)
    if layer_type.endswith("_transpose"):
        layer_class = getattr(nn, f"ConvTranspose{rank}d")
        return layer_class(
            it.in_channels, it.out_channels, each(it.kernel_size), each(it.stride), groups=it.groups
        )
    if layer_type.startswith("conv"):
        layer_class = getattr(nn, f"Conv{rank}d")
        return layer_class(
            it.in_channels, it.out_channels, each(it.kernel_size), groups=it.groups, bias=it.bias
        )
    if layer_type.startswith("depthwise"):
        wide = it.in_channels * it.depth_multiplier
        return getattr(nn, f"Conv{rank}d")(it.in_channels, wide, each(it.kernel_size), groups=it.in_channels)
    match layer_type:
        case "batch_normalization":
            return (nn.BatchNorm2d if rank else nn.BatchNorm1d)(it.features)
        case "group_normalization":
            return nn.GroupNorm(it.groups, it.features)
        case "layer_normalization":
            return nn.LayerNorm(it.features)
        case "rms_normalization":
            return nn.RMSNorm(it.features)
        case "p_re_lu":
            return nn.PReLU(it.shape[0])
        case "embedding":
            return nn.Embedding(it.num_embeddings, it.embedding_dim)
        case "multi_head_attention":
            return nn.MultiheadAttention(it.embed_dim, it.num_heads, batch_first=True)
        case "gru" | "lstm":
            layer_class = {"gru": nn.GRU, "lstm": nn.LSTM}[layer_type]
            return layer_class(it.input_size, it.hidden_size, it.num_layers, batch_first=True)
        case "bidirectional":
            cell = it.layer
            return nn.RNN(
                cell.input_size, cell.hidden_size, cell.num_layers, batch_first=True, bidirectional=True
            )
    raise AssertionError(layer_type)


def torch_outputs(links: tuple[Link, ...], path: Path) -> list[Any]:
    """Return the outputs of PyTorch for the same inputs, in evaluation mode, channels last."""
    import torch
    from safetensors.torch import load_file

    model = torch.nn.Sequential()
    for link in links:
        model.add_module(link.name, torch_layer(link))
    model.load_state_dict(load_file(path), strict=True)
    model.eval()
    outputs = []
    x: Any = None
    with torch.no_grad():
        for link, layer in zip(links, model, strict=True):
            if link.begins:
                x = torch.from_numpy(np.array(inputs(link, SAMPLES, 0)))
                x = x if link.entry == TOKENS or x.ndim == 2 else x.movedim(-1, 1)
            elif link.entry == FLATTENED:
                x = x.flatten(1)
            elif link.entry == POOLED:
                x = x.flatten(2).mean(2)
            layer_type = link.planned.layer_type
            if layer_type == "multi_head_attention":
                x = layer(x[:, None], x[:, None], x[:, None])[0][:, 0]
            elif layer_type in {"gru", "lstm", "bidirectional"}:
                x = layer(x[:, None])[0][:, 0]
            else:
                x = layer(x)
            x = torch_activation(link.activation)(x)
            outputs.append((x if x.ndim == 2 else x.movedim(1, -1)).numpy())
    return outputs


def check(spec: Spec, path: Path, theirs: list[Any]) -> None:
    """Check that the outputs and the moments of a file equal those of a framework."""
    plan, links = make_plan(spec), links_of(spec)
    actual = outputs(plan, links, [SAMPLES] * len(links), from_file(path, plan), 0)
    for (link, _, x), array in zip(actual, theirs, strict=True):
        assert x == pytest.approx(array, rel=1e-4, abs=1e-4), link.name
    for layer, array in zip(
        propagate(spec, weights=path, samples=SAMPLES).runs[0].layers, theirs, strict=True
    ):
        assert layer.mean == pytest.approx(float(array.mean(dtype=np.float64)), rel=1e-4, abs=1e-4)
        assert layer.variance == pytest.approx(float(array.var(dtype=np.float64)), rel=1e-4, abs=1e-7)


@pytest.mark.parametrize("case", TORCH_CASES)
def test_every_output_and_its_moments_equal_those_of_pytorch(case: str, tmp_path: Path) -> None:
    spec = spec_of(TORCH_CASES[case], "torch")
    path = tmp_path / "model.safetensors"
    generate(make_plan(spec), path)
    check(spec, path, torch_outputs(links_of(spec), path))


def test_a_state_dict_from_pytorch_gives_the_outputs_of_pytorch(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    torch.manual_seed(0)
    names = [f"{k}" for k in range(12)]
    model = torch.nn.Sequential(*(torch.nn.Linear(64, 64) for _ in names))
    path = tmp_path / "theirs.safetensors"
    save_file(model.state_dict(), path, metadata={"format": "pt"})
    propagation = propagate(path, activation="relu", samples=100)
    assert [layer.name for layer in propagation.runs[0].layers] == names
    text = "{type: dense, name: '0', in_features: 64, out_features: 64}"
    (link,) = links_of(parse_spec(f"layers: [{text}]"))
    x = torch.from_numpy(np.array(inputs(link, 100, 0)))
    with torch.no_grad():
        for layer, moments in zip(model, propagation.runs[0].layers, strict=True):
            x = layer(x) if moments.name == names[-1] else torch.relu(layer(x))
            assert moments.variance == pytest.approx(float(x.var(correction=0)), rel=1e-4)


def test_every_output_and_its_moments_equal_those_of_flax(tmp_path: Path) -> None:
    import flax.linen as nn
    import jax.numpy as jnp
    from flax.traverse_util import unflatten_dict
    from safetensors.flax import load_file

    spec = spec_of(
        f"""
  - {{type: conv2d, name: a, in_channels: 3, out_channels: 12, kernel_size: 3, activation: gelu, {BIAS}}}
  - {{type: batch_normalization, name: b, features: 12, {AFFINE}, {MOVING}}}
  - {{type: conv2d_transpose, name: c, in_channels: 12, out_channels: 8, kernel_size: 3, stride: 2, {BIAS}}}
  - {{type: group_normalization, name: d, features: 8, groups: 4, {AFFINE}}}
  - {{type: conv2d, name: e, in_channels: 8, out_channels: 6, kernel_size: 3, activation: leaky_relu, {BIAS}}}
  - {{type: dense, name: f, in_features: 6 * 3 * 3, out_features: 20, activation: selu, {BIAS}}}
  - {{type: layer_normalization, name: g, features: 20, {AFFINE}}}
  - {{type: rms_normalization, name: h, features: 20, scale_initializer: {SOME}}}
""",
        "flax",
    )
    path = tmp_path / "model.safetensors"
    generate(make_plan(spec), path)

    class Network(nn.Module):  # type: ignore[misc]
        @nn.compact  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> list[Any]:
            outputs = [nn.gelu(nn.Conv(12, (3, 3), padding="VALID", name="a")(x))]
            outputs.append(nn.BatchNorm(use_running_average=True, name="b")(outputs[-1]))
            transposed = nn.ConvTranspose(8, (3, 3), strides=(2, 2), padding="VALID", name="c")
            outputs.append(transposed(outputs[-1]))
            outputs.append(nn.GroupNorm(num_groups=4, name="d")(outputs[-1]))
            outputs.append(nn.leaky_relu(nn.Conv(6, (3, 3), padding="VALID", name="e")(outputs[-1])))
            flat = outputs[-1].reshape(len(x), -1)
            outputs.append(nn.selu(nn.Dense(20, name="f")(flat)))
            outputs.append(nn.LayerNorm(name="g")(outputs[-1]))
            outputs.append(nn.RMSNorm(name="h")(outputs[-1]))
            return outputs

    links = links_of(spec)
    assert [link.name for link in links if link.begins] == ["a"]
    variables = unflatten_dict(load_file(path), sep="/")
    signal = jnp.asarray(inputs(links[0], SAMPLES, 0))
    check(spec, path, [np.asarray(x) for x in Network().apply(variables, signal)])
