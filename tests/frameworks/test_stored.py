"""Names, shapes, fans and elements of every layer type in every framework, compared with tables and NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from lecun_cli import GenerateOptions, generate, lecun_normal, make_plan, parse_spec, slice_tensor
from lecun_cli.errors import PlanError
from lecun_cli.frameworks import EXACT, FRAMEWORKS, RULES
from lecun_cli.layers import Layer, Parameter
from lecun_cli.plan.types import Plan
from lecun_cli.tensors.generator import TensorGenerator
from tests.frameworks.by_hand import STORED_BY_HAND, by_hand
from tests.frameworks.cases import CASES, Case, in_file
from tests.frameworks.real import REAL

SEED = 42
STORED = [
    pytest.param(case, framework, id=f"{case.id}-{framework}")
    for case in CASES
    for framework in FRAMEWORKS
    if not isinstance(case.stored(framework), str)
]
WITH_FANS = [case for case in CASES if case.fans]

# Second biases are zeros by default; here a rule makes them random, so that they can be distinguished.
RULE = 'rules: [{match: "x/*bias*", initializer: truncated_normal}]\n'


def plan_of(case: Case, framework: str) -> Plan:
    """Return a plan with random biases, scales and statistics."""
    return make_plan(parse_spec(REAL[case.id].spec(case) + RULE, framework=framework))


def drawn(parameter: Parameter) -> Any:
    """Draw a canonical parameter: by `lecun_normal`, or as a raw tensor with its identity."""
    identity = f"x/{parameter.param_name}"
    if parameter.fans is not None:
        return lecun_normal(parameter.shape, fan_in=parameter.fans.fan_in, seed=SEED, identity=identity)
    initializer = parameter.initializer
    arguments = {"name": initializer.name, **dict(initializer.arguments)}
    raw = {
        "name": identity,
        "shape": list(parameter.shape),
        "initializer": "truncated_normal" if "bias" in parameter.param_name else arguments,
        "dtype": parameter.dtype or "float32",
    }
    return slice_tensor(make_plan(parse_spec(json.dumps({"seed": SEED, "tensors": [raw]}))), identity)


def expected_of(case: Case, framework: str) -> dict[str, Any]:
    """Return the expected content of the file: the canonical parameters, rearranged by NumPy."""
    (expanded,) = parse_spec(REAL[case.id].spec(case)).layers
    assert isinstance(expanded.layer, Layer)
    canonical = {parameter.param_name: drawn(parameter) for parameter in expanded.layer.parameters()}
    layer_type = case.layer_type
    if layer_type == "bidirectional":
        layer_type += "-" + case.id.split("-")[1]
    if case.id in STORED_BY_HAND:
        layer_type = case.id
    stored = by_hand(framework, layer_type, canonical)
    return {in_file(framework, name): np.array(w, order="C") for name, w in stored.items()}


class TestNamesAndShapes:
    @pytest.mark.parametrize(("case", "framework"), STORED)
    def test_equal_those_of_the_table(self, case: Case, framework: str) -> None:
        stored = case.stored(framework)
        assert not isinstance(stored, str)
        plan = make_plan(parse_spec(case.spec(), framework=framework))
        assert {t.name: t.shape for t in plan.tensors} == {
            in_file(framework, name): shape for name, shape in stored.items()
        }

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_nest_in_groups_with_the_separator_of_the_framework(self, case: Case) -> None:
        grouped = f"layers: [{{name: a.b, layers: [{{name: x, {case.layer}}}]}}]"
        for framework in FRAMEWORKS:
            stored = case.stored(framework)
            if isinstance(stored, str):
                continue
            separator = FRAMEWORKS[framework].separator
            plan = make_plan(parse_spec(grouped, framework=framework))
            expected = {
                in_file(framework, name).replace("x", separator.join("abx"), 1)
                if framework != "flax"
                else in_file(framework, name).replace("/x/", "/a/b/x/", 1)
                for name in stored
            }
            assert {t.name for t in plan.tensors} == expected


class TestFans:
    @pytest.mark.parametrize("case", WITH_FANS, ids=lambda case: case.id)
    @pytest.mark.parametrize("rule", [EXACT, *RULES])
    def test_equal_those_of_the_table_under_every_rule(self, case: Case, rule: str) -> None:
        for framework in FRAMEWORKS:
            if isinstance(case.stored(framework), str):
                continue
            spec = parse_spec(case.spec(), framework=framework, fan_rule=rule)
            if any(kernel.by(rule) is None for kernel in case.fans.values()):
                with pytest.raises(PlanError, match=r"are undefined: .* has no such layer"):
                    make_plan(spec)
                continue
            by_identity = {part.identity: part for tensor in make_plan(spec).tensors for part in tensor.parts}
            for param_name, kernel in case.fans.items():
                part = by_identity[f"x/{param_name}"]
                assert (part.fans, part.exact) == (kernel.by(rule), kernel.exact), param_name


@pytest.mark.parametrize(("case", "framework"), STORED)
class TestElements:
    def test_are_the_canonical_parameters_rearranged(self, case: Case, framework: str) -> None:
        expected = expected_of(case, framework)
        plan = plan_of(case, framework)
        assert {t.name for t in plan.tensors} == set(expected)
        for name, array in expected.items():
            values = slice_tensor(plan, name)
            assert values.shape == array.shape
            assert values.tobytes() == array.tobytes(), name

    def test_of_any_range_and_box_equal_those_of_the_whole_tensor(self, case: Case, framework: str) -> None:
        expected = expected_of(case, framework)
        generator = np.random.default_rng(11)
        tensor_generator = TensorGenerator(SEED)
        plan = plan_of(case, framework)
        for tensor in plan.tensors:
            array = expected[tensor.name]
            for _ in range(4):
                start, stop = sorted(generator.choice(array.size + 1, 2, replace=False).tolist())
                out = np.empty(stop - start, array.dtype)
                tensor_generator.draw_range(tensor, start, out)
                assert out.tobytes() == array.reshape(-1)[start:stop].tobytes(), (tensor.name, start, stop)
            for _ in range(4):
                ends = [sorted(generator.choice(n + 1, 2, replace=False).tolist()) for n in array.shape]
                text = ",".join(f"{a}:{b}" for a, b in ends)
                box = array[tuple(slice(a, b) for a, b in ends)]
                assert slice_tensor(plan, tensor.name, text).tobytes() == box.tobytes(), (tensor.name, text)

    @pytest.mark.parametrize("chunk", [37, 4096])
    def test_of_a_file_written_in_chunks_are_the_same(
        self, case: Case, framework: str, chunk: int, tmp_path: Path
    ) -> None:
        path = tmp_path / "x.safetensors"
        generate(
            plan_of(case, framework), path, GenerateOptions(chunk_nbytes=chunk, workers=2, no_manifest=True)
        )
        arrays = load_file(path)
        expected = expected_of(case, framework)
        assert set(arrays) == set(expected)
        for name, array in expected.items():
            assert arrays[name].shape == array.shape
            assert arrays[name].tobytes() == array.tobytes(), name
