"""Shapes, names and fans in PyTorch: as tables, and compared with torch itself."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lecun_cli import GenerateOptions, generate, lecun_normal
from lecun_cli.frameworks.torch import TORCH, calculate_fans
from lecun_cli.initializers.fans import FanError, Fans, Shape
from lecun_cli.plan.planner import make_plan
from lecun_cli.spec.load import parse_spec
from lecun_cli.tensors.generator import draw_tensor
from tests.frameworks.cases import CASES, Case
from tests.frameworks.real import REAL


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

    def test_the_format_in_the_header_of_files_is_pt(self) -> None:
        assert TORCH.header == "pt"


SHAPES = [shape for rank in range(2, 6) for shape in itertools.product((1, 2, 3, 7), repeat=rank)]
STORED = [case for case in CASES if "torch" in REAL[case.id].frameworks(case)]


def state_of(case: Case) -> dict[str, Any]:
    """Return the state of the module `x`."""
    import torch

    real = REAL[case.id]
    assert real.torch is not None
    state: dict[str, Any] = torch.nn.ModuleDict({"x": real.torch(torch.nn)}).state_dict()
    return state


@pytest.mark.frameworks
class TestAgainstTorch:
    def test_every_case_that_torch_stores_has_a_module(self) -> None:
        assert [case for case in CASES if not isinstance(case.torch, str)] == STORED

    def test_fans_of_many_shapes_equal_those_of_torch(self) -> None:
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

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    def test_names_shapes_and_dtypes_equal_those_of_the_state(self, case: Case) -> None:
        plan = make_plan(parse_spec(case.spec(), framework="torch"))
        assert {t.name: (t.shape, t.dtype) for t in plan.tensors} == {
            name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
            for name, value in state_of(case).items()
        }

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    def test_fans_equal_those_of_the_parameters(self, case: Case) -> None:
        import torch

        plan = make_plan(parse_spec(case.spec(), framework="torch", fan_rule="torch"))
        state = state_of(case)
        for tensor in plan.tensors:
            fans = {part.fans for part in tensor.parts} - {None}
            if fans:
                fan_in, fan_out = torch.nn.init._calculate_fan_in_and_fan_out(state[tensor.name])
                assert fans == {Fans(fan_in, fan_out)}, tensor.name

    @pytest.mark.parametrize(
        "case",
        [case for case in STORED if "normalization" in case.layer_type or case.layer_type == "p_re_lu"],
        ids=lambda case: case.id,
    )
    def test_scales_shifts_slopes_and_statistics_equal_those_of_torch(self, case: Case) -> None:
        plan = make_plan(parse_spec(case.spec(), framework="torch"))
        state = state_of(case)
        for tensor in plan.tensors:
            assert np.array_equal(state[tensor.name].numpy(), draw_tensor(tensor, 0)), tensor.name


@pytest.mark.frameworks
class TestGroupedTransposedConvolution:
    def test_equals_one_convolution_for_each_group(self, tmp_path: Path) -> None:
        """Only PyTorch supports it, so the kernels of the groups come from the canonical parameter."""
        import torch
        from safetensors.torch import load_file

        text = (
            "seed: 42\nlayers: [{type: conv2d_transpose, name: x, in_channels: 6, out_channels: 10, "
            "kernel_size: [3, 2], groups: 2, stride: 2, bias: false}]"
        )
        path = tmp_path / "x.safetensors"
        generate(make_plan(parse_spec(text, framework="torch")), path, GenerateOptions(no_manifest=True))
        module = torch.nn.ConvTranspose2d(6, 10, (3, 2), 2, groups=2, bias=False)
        module.load_state_dict({"weight": load_file(path)["x.weight"]}, strict=True)
        x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 6, 5, 4)).astype("f4"))
        fan_in = 3 * 6 / 4
        kernel = lecun_normal((2, 5, 3, 3, 2), fan_in=fan_in, seed=42, identity="x/kernel")
        with torch.no_grad():
            expected = torch.cat(
                [
                    torch.nn.functional.conv_transpose2d(half, torch.tensor(one).transpose(0, 1), stride=2)
                    for half, one in zip(x.split(3, 1), kernel, strict=True)
                ],
                1,
            )
            assert torch.allclose(module(x), expected, atol=1e-6)
