"""EinsumDense: its equations, the layers that it generalizes, and its forward pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lecun_cli.errors import SpecError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.chain import chain
from lecun_cli.propagation.layer_weights import Weights, drawn, params_of
from lecun_cli.spec.load import Spec, parse_spec
from lecun_cli.tensors.slices import slice_tensor

BIAS = "bias_initializer: {name: truncated_normal, stddev: 0.5}"


def spec_of(fields: str, layer_type: str = "einsum_dense") -> Spec:
    return parse_spec(f"seed: 5\nlayers: [{{name: x, type: {layer_type}, {fields}}}]")


class TestEquations:
    @pytest.mark.parametrize(
        ("fields", "message"),
        [
            ("equation: 7, in_features: 3, out_features: 4", "equation: expected a string, got the number 7"),
            (
                'equation: "ab,bc", in_features: 3, out_features: 4',
                'equation: expected "input,kernel->output"',
            ),
            (
                'equation: "...b,bc->c", in_features: 3, out_features: 4',
                'equation: expected "input,kernel->output"',
            ),
            (
                'equation: "abb,bc->ac", in_features: 3, out_features: 4',
                'equation: expected each axis once in "abb", got "b" twice',
            ),
            (
                'equation: "abz,bc->ac", in_features: 3, out_features: 4',
                'equation: expected each axis in two of the three terms, got "z" in one',
            ),
            (
                'equation: "ab,bcd->acd", in_features: 3, out_features: 4',
                'out_features: expected one size for each axis of "cd", got 1',
            ),
            (
                'equation: "ab,bc->ac", in_features: [3, 3], out_features: 4',
                'in_features: expected one size for each axis of "b", got 2',
            ),
            (
                'equation: "ab,bc->ac", in_features: 3, out_features: 4, bias_axes: a',
                'bias_axes: expected different axes of "c", got "a"',
            ),
        ],
    )
    def test_that_are_not_valid_are_refused(self, fields: str, message: str) -> None:
        with pytest.raises(SpecError) as refused:
            spec_of(fields)
        assert message in str(refused.value)

    def test_sizes_may_be_expressions(self) -> None:
        layer = 'type: einsum_dense, equation: "ab,bcd->acd", in_features: d, out_features: [h, d // h]'
        spec = parse_spec(f"params: {{d: 8, h: 2}}\nlayers: [{{name: x, {layer}}}]")
        assert make_plan(spec).tensors[0].shape == (8, 2, 4)


class TestWeights:
    @pytest.mark.parametrize(
        ("fields", "layer_type", "same"),
        [
            ('equation: "...a,ab->...b", in_features: 6, out_features: 4', "dense", ""),
            (
                'equation: "eci,eio->eco", in_features: 6, out_features: [3, 4]',
                "experts",
                "num_experts: 3, ",
            ),
        ],
    )
    def test_are_those_of_the_layer_that_it_generalizes(
        self, fields: str, layer_type: str, same: str
    ) -> None:
        plan = make_plan(spec_of(fields))
        other = make_plan(spec_of(f"{same}in_features: 6, out_features: 4", layer_type))
        expected = slice_tensor(other, "x/kernel")
        assert slice_tensor(plan, "x/kernel").tobytes() == expected.tobytes()

    def test_have_the_fan_in_of_the_axes_that_are_summed_over(self) -> None:
        fields = 'equation: "bde,edc->bc", in_features: [64, 8], out_features: 100'
        (part,) = make_plan(spec_of(fields)).tensors[0].parts
        assert part.fans is not None
        assert (part.fans.fan_in, part.fans.fan_out) == (512, 100)
        assert part.canonical_shape == (100, 64, 8)


class TestForwardPass:
    @pytest.mark.parametrize(
        ("fields", "output"),
        [
            ('equation: "abc,cde->abde", in_features: 7, out_features: [2, 3], bias_axes: de', 6),
            ('equation: "abc,cde->abde", in_features: 7, out_features: [2, 3], bias_axes: e', 6),
            ('equation: "...de,edc->...c", in_features: [2, 3], out_features: 5, bias_axes: c', 5),
            ('equation: "eci,oie->oce", in_features: 5, out_features: [4, 3], bias_axes: oe', 12),
            ('equation: "eci,eio->eco", in_features: 5, out_features: [3, 7]', 21),
        ],
    )
    def test_is_the_equation_at_one_position(self, fields: str, output: int) -> None:
        spec = spec_of(f"{fields}, {BIAS}")
        plan = make_plan(spec)
        (link,) = chain(spec.layers, plan.layers, "keras").links
        assert link.output == (output,)
        weights = Weights(
            params_of(link.planned, link.layer, "keras", {t.name: t for t in plan.tensors}), drawn(5)
        )
        x = np.random.default_rng(1).standard_normal((4, *link.shape)).astype(np.float32)
        y = link.operation.apply(link.layer, weights, x, FRAMEWORKS["keras"])

        equation = link.layer.equation.replace(" ", "")  # type: ignore[union-attr]
        signal, rest = equation.replace("...", "").split(",")
        kernel, result = rest.split("->")
        stored: Any = slice_tensor(plan, "x/kernel")
        sizes = dict(zip(kernel, stored.shape, strict=True))
        shaped: Any = x.reshape(4, *(sizes.get(axis, 1) for axis in signal))
        expected = np.einsum(f"...{signal},{kernel}->...{result}", shaped, stored)
        if len(plan.tensors) > 1:
            expected = expected + slice_tensor(plan, "x/bias")
        assert y.dtype == np.float32
        assert y == pytest.approx(expected.reshape(4, -1), abs=1e-5)
