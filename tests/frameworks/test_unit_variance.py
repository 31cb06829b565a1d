"""Exact fan-in keeps variance: inputs of variance one give outputs of variance one in every layer type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lecun_cli import GenerateOptions, generate, make_plan, parse_spec, slice_tensor
from tests.frameworks.real import import_keras, keras_model, load_keras

# Only whole windows: no padding, and without the ends of a transposed convolution.


def weights_of(layer: str, framework: str = "torch") -> dict[str, Any]:
    """Return the tensors of one layer by their names within the layer."""
    text = f"seed: 42\nlayers: [{{name: x, {layer}}}]\n"
    plan = make_plan(parse_spec(text, framework=framework))
    return {t.name.removeprefix("x."): slice_tensor(plan, t.name) for t in plan.tensors}


def normal(*shape: int) -> Any:
    return np.random.default_rng(9).standard_normal(shape).astype("f4")


@dataclass(frozen=True)
class Expect:
    """A layer, and its outputs for inputs of variance one.

    Attributes:
        id: Its name in the tests.
        layer: Its fields but its name.
        outputs: The tensors of PyTorch -> outputs.
        variance: That of the outputs.
        near: How near the variance must come; few weights or few inputs say less.
    """

    id: str
    layer: str
    outputs: Callable[[dict[str, Any]], Any]
    variance: float = 1.0
    near: float = 0.03

    def check(self, outputs: Any) -> None:
        """Check the variance of outputs."""
        assert float(np.square(np.asarray(outputs, "f8")).mean()) == pytest.approx(
            self.variance, rel=self.near
        )


def _windows(x: Any, window: tuple[int, int]) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, window, (-2, -1))


class TestInNumPy:
    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                "dense",
                "type: dense, in_features: 300, out_features: 400",
                lambda w: normal(1000, 300) @ w["weight"].T,
            ),
            Expect(
                "experts",
                "type: experts, num_experts: 8, in_features: 300, out_features: 200",
                lambda w: np.einsum("bei,eoi->beo", normal(200, 8, 300), w["weight"]),
            ),
            Expect(
                "convolution",
                "type: conv2d, in_channels: 16, out_channels: 64, kernel_size: [3, 5]",
                lambda w: np.einsum(
                    "nihwkl,oikl->nohw", _windows(normal(8, 16, 14, 14), (3, 5)), w["weight"], optimize=True
                ),
            ),
            Expect(
                "depthwise",
                "type: depthwise_conv2d, in_channels: 512, kernel_size: 5, depth_multiplier: 2",
                lambda w: np.einsum(
                    "nihwkl,imkl->nimhw",
                    _windows(normal(2, 512, 12, 12), (5, 5)),
                    w["weight"].reshape(512, 2, 5, 5),
                    optimize=True,
                ),
            ),
            Expect(
                "embedding, whose vectors have length one",
                "type: embedding, num_embeddings: 2000, embedding_dim: 256",
                lambda w: np.linalg.norm(w["weight"], axis=1),
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_outputs_have_variance_one(self, case: Expect) -> None:
        case.check(case.outputs(weights_of(case.layer)))

    @pytest.mark.parametrize("rule", ["keras", "keras-3.14"])
    def test_a_depthwise_kernel_by_the_rule_of_keras_is_too_small_by_its_channels(self, rule: str) -> None:
        text = "seed: 1\nlayers: [{type: depthwise_conv2d, name: x, in_channels: 256, kernel_size: 3}]"
        plan = make_plan(parse_spec(text, fan_rule=rule))
        kernel = slice_tensor(plan, "x/kernel")
        assert float(kernel.astype("f8").std()) == pytest.approx((9 * 256) ** -0.5, rel=0.05)


def _torch(name: str, *shape: int, cut: int = 0, **named: Any) -> Callable[[dict[str, Any]], Any]:
    """Return the outputs of a module without `cut` positions at each end."""

    def outputs(weights: dict[str, Any]) -> Any:
        import torch

        module = getattr(torch.nn, name)(**named)
        module.load_state_dict({key: torch.from_numpy(w) for key, w in weights.items()}, strict=True)
        with torch.no_grad():
            y = module(torch.from_numpy(normal(*shape)))
        inside = slice(cut, -cut or None)
        return y[(slice(None), slice(None), *(inside for _ in shape[2:]))].numpy()

    return outputs


def _gates(name: str, param_name: str, width: int, count: int) -> Callable[[dict[str, Any]], Any]:
    """Return the sums of each gate of a recurrent module over its inputs, or over its hidden state."""

    def outputs(weights: dict[str, Any]) -> Any:
        import torch

        module = getattr(torch.nn, name)(400, 300)
        module.load_state_dict({key: torch.from_numpy(w) for key, w in weights.items()}, strict=True)
        sums = normal(500, width) @ getattr(module, f"{param_name}_l0").detach().numpy().T
        variances = np.square(sums).mean(0).reshape(count, 300).mean(1)
        assert np.allclose(variances, 1, atol=0.05)
        return sums

    return outputs


def _projections(weights: dict[str, Any]) -> Any:
    import torch

    module = torch.nn.MultiheadAttention(384, 6, batch_first=True)
    module.load_state_dict({key: torch.from_numpy(w) for key, w in weights.items()}, strict=True)
    x = torch.from_numpy(normal(500, 384))
    with torch.no_grad():
        three = torch.nn.functional.linear(x, module.in_proj_weight, module.in_proj_bias)
        assert np.allclose(three.square().mean(0).view(3, 384).mean(1), 1, atol=0.05)
        return torch.cat([three, module.out_proj(x)], 1).numpy()


RECURRENT = "input_size: 400, hidden_size: 300, bias: true"


@pytest.mark.frameworks
class TestInPyTorch:
    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                "dense",
                "type: dense, in_features: 500, out_features: 500",
                _torch("Linear", 500, 500, in_features=500, out_features=500),
            ),
            Expect(
                "conv1d",
                "type: conv1d, in_channels: 64, out_channels: 128, kernel_size: 5",
                _torch("Conv1d", 8, 64, 100, in_channels=64, out_channels=128, kernel_size=5),
            ),
            Expect(
                "conv2d in groups, with a stride",
                "type: conv2d, in_channels: 64, out_channels: 128, kernel_size: 3, groups: 4",
                _torch(
                    "Conv2d", 8, 64, 32, 32,
                    in_channels=64, out_channels=128, kernel_size=3, groups=4, stride=2,
                ),
            ),
            Expect(
                "conv3d",
                "type: conv3d, in_channels: 16, out_channels: 64, kernel_size: 3",
                _torch("Conv3d", 4, 16, 12, 12, 12, in_channels=16, out_channels=64, kernel_size=3),
            ),
            Expect(
                "conv1d_transpose with a stride that divides its window",
                "type: conv1d_transpose, in_channels: 64, out_channels: 128, kernel_size: 6, stride: 3",
                _torch(
                    "ConvTranspose1d", 8, 64, 99, cut=6,
                    in_channels=64, out_channels=128, kernel_size=6, stride=3,
                ),
            ),
            # Five taps with a stride of two: three and two taps feed the outputs in turn, 2.5 on average.
            Expect(
                "conv2d_transpose with a stride that does not",
                "type: conv2d_transpose, in_channels: 64, out_channels: 96, kernel_size: 5, stride: 2",
                _torch(
                    "ConvTranspose2d", 4, 64, 24, 24, cut=6,
                    in_channels=64, out_channels=96, kernel_size=5, stride=2,
                ),
                near=0.05,
            ),
            Expect(
                "conv2d_transpose in groups",
                "type: conv2d_transpose, in_channels: 64, out_channels: 96, "
                "kernel_size: 4, stride: 2, groups: 4",
                _torch(
                    "ConvTranspose2d", 4, 64, 24, 24, cut=6,
                    in_channels=64, out_channels=96, kernel_size=4, stride=2, groups=4,
                ),
            ),
            Expect(
                "conv3d_transpose",
                "type: conv3d_transpose, in_channels: 16, out_channels: 48, kernel_size: 2, stride: 2",
                _torch(
                    "ConvTranspose3d", 2, 16, 9, 9, 9, cut=2,
                    in_channels=16, out_channels=48, kernel_size=2, stride=2,
                ),
                near=0.05,
            ),
            Expect(
                "depthwise_conv1d",
                "type: depthwise_conv1d, in_channels: 1024, kernel_size: 5, depth_multiplier: 2",
                _torch(
                    "Conv1d", 4, 1024, 60, in_channels=1024, out_channels=2048, kernel_size=5, groups=1024
                ),
            ),
            *(
                Expect(
                    f"{cell}, {param_name}",
                    f"type: {cell}, {RECURRENT}",
                    _gates(name, param_name, 400 if param_name == "weight_ih" else 300, count),
                )
                for cell, name, count in (("simple_rnn", "RNN", 1), ("gru", "GRU", 3), ("lstm", "LSTM", 4))
                for param_name in ("weight_ih", "weight_hh")
            ),
            Expect(
                "multi_head_attention",
                "type: multi_head_attention, embed_dim: 384, num_heads: 6",
                _projections,
            ),
        ],
        ids=lambda case: case.id,
    )  # fmt: skip
    def test_outputs_have_variance_one(self, case: Expect) -> None:
        case.check(case.outputs(weights_of(case.layer)))


@pytest.mark.filterwarnings("ignore:[^_]*__array__ implementation doesn't accept a copy:DeprecationWarning")
class TestInKeras:
    @dataclass(frozen=True)
    class Expect:
        id: str
        layer: str
        keras: Callable[[Any], Any]
        inputs: tuple[int, ...]

    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                "depthwise_conv2d",
                "type: depthwise_conv2d, in_channels: 256, kernel_size: 5, depth_multiplier: 2",
                lambda of: of.DepthwiseConv2D(5, depth_multiplier=2, name="x"),
                (2, 14, 14, 256),
            ),
            Expect(
                "separable_conv2d",
                "type: separable_conv2d, in_channels: 128, out_channels: 256, kernel_size: 3",
                lambda of: of.SeparableConv2D(256, 3, name="x"),
                (4, 14, 14, 128),
            ),
            Expect(
                "separable_conv1d",
                "type: separable_conv1d, in_channels: 256, out_channels: 256, kernel_size: 5",
                lambda of: of.SeparableConv1D(256, 5, name="x"),
                (8, 40, 256),
            ),
            Expect(
                "conv2d_transpose",
                "type: conv2d_transpose, in_channels: 64, out_channels: 128, kernel_size: 2, stride: 2",
                lambda of: of.Conv2DTranspose(128, 2, strides=2, name="x"),
                (2, 14, 14, 64),
            ),
            Expect(
                "experts",
                "type: experts, num_experts: 4, in_features: 300, out_features: 200",
                lambda of: of.EinsumDense("bei,eio->beo", (4, 200), name="x"),
                (200, 4, 300),
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_outputs_have_variance_one(self, case: Expect, tmp_path: Path) -> None:
        path = tmp_path / "x.safetensors"
        text = f"seed: 42\nlayers: [{{name: x, {case.layer}}}]\n"
        generate(make_plan(parse_spec(text)), path, GenerateOptions(no_manifest=True))
        layer = case.keras(import_keras().layers)
        x = normal(*case.inputs)
        model = keras_model(layer, [x])
        load_keras(model, path)
        assert float(np.square(np.asarray(model(x), "f8")).mean()) == pytest.approx(1, rel=0.05)
