"""Shapes, names and fans in Keras: as tables, and compared with keras itself."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lecun_cli.frameworks.keras import KERAS, compute_fans
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.plan.planner import make_plan
from lecun_cli.spec.load import parse_spec
from lecun_cli.tensors.generator import draw_tensor
from tests.frameworks.cases import CASES, Case
from tests.frameworks.real import REAL, import_keras, keras_model

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
STORED = [case for case in CASES if "keras" in REAL[case.id].frameworks(case)]


def built(case: Case) -> Any:
    """Return a built model with only this layer."""
    real = REAL[case.id]
    assert real.keras is not None
    layer = real.keras(import_keras().layers)
    return keras_model(lambda *xs: real.keras_call(layer, *xs), real.arrays())


def real_compute_fans() -> Callable[..., tuple[int, int]]:
    """Return `compute_fans` of Keras itself."""
    import_keras()
    from keras.src.initializers import random_initializers

    compute_fans: Callable[..., tuple[int, int]] = random_initializers.compute_fans
    return compute_fans


def is_kernel(path: str) -> bool:
    return path.endswith("kernel")


def computed_fans(case: Case, monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[Shape, Fans]]:
    """Return the shapes and fans that the initializers of a layer compute while it is built."""
    real = real_compute_fans()
    computed: Counter[tuple[Shape, Fans]] = Counter()

    def noted(shape: Shape, *axes: Any, **named: Any) -> tuple[int, int]:
        fans = real(shape, *axes, **named)
        computed[tuple(shape), Fans(*fans)] += 1
        return fans

    from keras.src.initializers import random_initializers

    monkeypatch.setattr(random_initializers, "compute_fans", noted)
    built(case)
    return computed


class TestAgainstKeras:
    def test_every_case_that_keras_stores_has_a_layer(self) -> None:
        assert [case for case in CASES if not isinstance(case.keras, str)] == STORED

    def test_fans_of_many_shapes_equal_those_of_keras(self) -> None:
        real = real_compute_fans()
        for shape in SHAPES:
            fan_in, fan_out = real(shape)
            assert compute_fans(shape) == Fans(fan_in, fan_out), shape

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    def test_names_shapes_and_dtypes_equal_those_of_the_variables(self, case: Case) -> None:
        plan = make_plan(parse_spec(case.spec(), framework="keras"))
        planned = {t.name: (t.shape, t.dtype) for t in plan.tensors}
        assert planned == {v.path: (tuple(v.shape), v.dtype) for v in built(case).weights}

    # An EinsumDense passes its axes to the initializer; the fan rule treats experts as a stacked weight.
    @pytest.mark.parametrize(
        "case", [case for case in STORED if case.layer_type != "experts"], ids=lambda case: case.id
    )
    def test_fans_equal_those_that_the_initializers_compute(
        self, case: Case, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Including those of attention, where only the layer knows the axes."""
        computed = computed_fans(case, monkeypatch)
        plan = make_plan(parse_spec(case.spec(), framework="keras", fan_rule="keras"))
        expected: Counter[tuple[Shape, Fans]] = Counter()
        for tensor in plan.tensors:
            # The default in Keras is glorot_uniform for every kernel except those of the hidden state.
            if is_kernel(tensor.name) and not tensor.name.endswith("recurrent_kernel"):
                (fans,) = {part.fans for part in tensor.parts}
                assert fans is not None
                expected[tensor.shape, fans] += 1
        assert computed == expected

    def test_the_fan_in_of_stacked_experts_is_exact_only_in_einsum_dense(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (case,) = (case for case in CASES if case.layer_type == "experts")
        assert real_compute_fans()((3, 5, 7)) == (15, 21)
        assert set(computed_fans(case, monkeypatch)) == {((3, 5, 7), Fans(5, 21))}

    @pytest.mark.parametrize("case", STORED, ids=lambda case: case.id)
    @pytest.mark.parametrize("rule", ["keras", "keras-3.14"])
    def test_fans_without_axes_are_those_of_the_shape(self, case: Case, rule: str) -> None:
        real = real_compute_fans()
        plan = make_plan(parse_spec(case.spec(), framework="keras", fan_rule=rule))
        shapes = {v.path: tuple(v.shape) for v in built(case).weights}
        for tensor in plan.tensors:
            if rule == "keras" and (case.layer_type.endswith("attention") or "einsum" in case.layer_type):
                continue  # an EinsumDense passes its axes to the initializer, which the test above checks
            if is_kernel(tensor.name) or tensor.name.endswith("embeddings"):
                expected = Fans(*real(shapes[tensor.name]))
                assert {part.fans for part in tensor.parts} == {expected}, tensor.name

    # In Keras, the bias of an LSTM's forget gate is 1 and the slope of a PReLU 0; here, 0 and 0.25.
    @pytest.mark.parametrize(
        "case",
        [case for case in STORED if case.layer_type != "p_re_lu" and "lstm" not in case.id]
        + [case for case in STORED if case.id == "lstm-that-does-not-forget"],
        ids=lambda case: case.id,
    )
    def test_biases_scales_and_statistics_equal_those_of_keras(self, case: Case) -> None:
        keras = import_keras()
        plan = make_plan(parse_spec(case.spec(), framework="keras"))
        for variable in built(case).weights:
            if is_kernel(variable.path) or variable.path.endswith("embeddings"):
                continue
            tensor = plan.tensor(variable.path)
            assert tensor is not None
            value = keras.ops.convert_to_numpy(variable.value)
            assert all(part.distribution.std == 0 for part in tensor.parts)
            assert np.array_equal(value, draw_tensor(tensor, 0)), variable.path
