"""PyTorch's shapes, names and fans: as tables, and against torch itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from lecun_cli.fans import FanError, Fans, Shape
from lecun_cli.frameworks.torch import TORCH, calculate_fans
from lecun_cli.plan import make_plan
from lecun_cli.spec.load import parse_spec

if TYPE_CHECKING:
    from collections.abc import Callable


class TestFans:
    @dataclass(frozen=True)
    class Expect:
        id: str
        shape: Shape
        fans: Fans

    @pytest.mark.parametrize(
        "case",
        [
            Expect("linear", (64, 100), Fans(100, 64)),
            Expect("conv", (32, 16, 3, 5), Fans(240, 480)),
            Expect("depthwise, right", (256, 1, 3, 3), Fans(9, 2304)),
            Expect("transposed conv (in, out), wrong", (16, 32, 3, 3), Fans(288, 144)),
            Expect("experts, wrong", (8, 64, 100), Fans(6400, 800)),
            Expect("GPT-2's Conv1D (in, out), wrong", (768, 2304), Fans(2304, 768)),
        ],
        ids=lambda case: case.id,
    )
    def test_count_the_second_axis_and_the_window(self, case: Expect) -> None:
        assert calculate_fans(case.shape) == case.fans

    @pytest.mark.parametrize("shape", [(), (5,)])
    def test_are_undefined_below_two_axes(self, shape: Shape) -> None:
        with pytest.raises(FanError, match="torch has no fans for a shape of fewer than two axes"):
            calculate_fans(shape)


class TestNames:
    def test_nest_with_dots(self) -> None:
        assert TORCH.tensor_name(("model", "layers", "0"), "weight") == "model.layers.0.weight"

    def test_the_header_of_its_files_says_pt(self) -> None:
        assert TORCH.header == "pt"


SHAPES = [shape for rank in range(2, 6) for shape in itertools.product((1, 2, 3, 7), repeat=rank)]


@dataclass(frozen=True)
class ExpectLayer:
    """A layer of a spec, and the module that it is."""

    layer: str
    module: Callable[[], object]


def modules() -> list[ExpectLayer]:
    from torch import nn

    return [
        ExpectLayer("type: dense, in_features: 5, out_features: 7", lambda: nn.Linear(5, 7)),
        ExpectLayer(
            "type: dense, in_features: 5, out_features: 7, bias: false", lambda: nn.Linear(5, 7, bias=False)
        ),
        ExpectLayer(
            "type: conv1d, in_channels: 4, out_channels: 6, kernel_size: 3", lambda: nn.Conv1d(4, 6, 3)
        ),
        ExpectLayer(
            "type: conv2d, in_channels: 4, out_channels: 6, kernel_size: [3, 5], groups: 2",
            lambda: nn.Conv2d(4, 6, (3, 5), groups=2),
        ),
        ExpectLayer(
            "type: conv2d, in_channels: 4, out_channels: 8, kernel_size: 3, groups: 4, bias: false",
            lambda: nn.Conv2d(4, 8, 3, groups=4, bias=False),
        ),
        ExpectLayer(
            "type: conv3d, in_channels: 4, out_channels: 6, kernel_size: [1, 2, 3]",
            lambda: nn.Conv3d(4, 6, (1, 2, 3)),
        ),
        ExpectLayer("type: embedding, num_embeddings: 11, embedding_dim: 5", lambda: nn.Embedding(11, 5)),
        ExpectLayer("type: layer_normalization, features: 6", lambda: nn.LayerNorm(6)),
        ExpectLayer("type: layer_normalization, features: [4, 6]", lambda: nn.LayerNorm((4, 6))),
        ExpectLayer(
            "type: layer_normalization, features: 6, center: false", lambda: nn.LayerNorm(6, bias=False)
        ),
        ExpectLayer("type: rms_normalization, features: 6", lambda: nn.RMSNorm(6)),
        ExpectLayer("type: batch_normalization, features: 6", lambda: nn.BatchNorm2d(6)),
        ExpectLayer(
            "type: batch_normalization, features: 6, scale: false, center: false",
            lambda: nn.BatchNorm2d(6, affine=False),
        ),
        ExpectLayer("type: group_normalization, features: 6, groups: 3", lambda: nn.GroupNorm(3, 6)),
    ]


@pytest.mark.frameworks
class TestAgainstTorch:
    def test_fans_are_its_own_over_many_shapes(self) -> None:
        import torch

        for shape in SHAPES:
            tensor = torch.empty(shape, device="meta")
            fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(tensor)
            assert calculate_fans(shape) == Fans(fan_in, fan_out), shape

    @pytest.mark.parametrize("shape", [(), (5,)])
    def test_fans_are_undefined_where_torch_refuses_them(self, shape: Shape) -> None:
        import torch

        with pytest.raises(ValueError, match="fewer than 2 dimensions"):
            torch.nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))

    def test_names_shapes_and_dtypes_are_those_of_the_modules(self) -> None:
        import torch

        for case in modules():
            plan = make_plan(parse_spec(f"layers: [{{name: x, {case.layer}}}]\n", framework="torch"))
            found = {t.name.removeprefix("x."): (t.shape, t.dtype) for t in plan.tensors}
            module = case.module()
            assert isinstance(module, torch.nn.Module)
            expected = {
                name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
                for name, value in module.state_dict().items()
            }
            assert found == expected, case.layer

    def test_scales_shifts_and_statistics_begin_as_torch_has_them(self) -> None:
        for case in modules():
            if "normalization" not in case.layer:
                continue
            plan = make_plan(parse_spec(f"layers: [{{name: x, {case.layer}}}]\n", framework="torch"))
            state = case.module().state_dict()  # type: ignore[attr-defined]
            for tensor in plan.tensors:
                value = state[tensor.name.removeprefix("x.")]
                law = tensor.parts[0].law
                assert law.std == 0
                assert bool((value == law.bound).all()), (case.layer, tensor.name)
