"""Rules for the table of every framework."""

from __future__ import annotations

import math

import pytest

from lecun_cli.errors import PlanError
from lecun_cli.frameworks import EXACT, FAN_RULES, FRAMEWORKS, Framework, UnsupportedError
from lecun_cli.frameworks.base import Slots
from lecun_cli.initializers.distributions import Constant
from lecun_cli.layers import LAYER_TYPES, Parameter
from lecun_cli.plan.planner import make_plan
from lecun_cli.spec.expand import ExpandedLayer
from lecun_cli.spec.load import parse_spec
from tests.frameworks.cases import CASES, UNSTORED, Case


def expanded_of(case: Case) -> ExpandedLayer:
    (expanded,) = parse_spec(case.spec()).layers
    return expanded


def slots_of(framework: Framework, case: Case) -> Slots:
    """Return the slots that hold a parameter of a layer, or an empty tuple if it is not supported."""
    expanded = expanded_of(case)
    try:
        slots = framework.slots(expanded.layer_type, expanded.layer)
    except UnsupportedError:
        return ()
    param_names = set(parameters_of(case))
    return tuple(slot for slot in slots if param_names & set(slot.param_names))


def parameters_of(case: Case) -> dict[str, Parameter]:
    return {parameter.param_name: parameter for parameter in expanded_of(case).layer.parameters()}


class TestCases:
    def test_cover_every_layer_type(self) -> None:
        assert {case.layer_type for case in CASES} == set(LAYER_TYPES) - {"tensor"}

    def test_have_unique_names(self) -> None:
        assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=lambda framework: framework.name)
class TestTables:
    def test_have_a_row_for_every_layer_type(self, framework: Framework) -> None:
        assert set(framework.table) == set(LAYER_TYPES) - {"tensor"}

    def test_store_a_layer_of_every_type(self, framework: Framework) -> None:
        stored = {case.layer_type for case in CASES if slots_of(framework, case)}
        assert stored == set(LAYER_TYPES) - {"tensor"}

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_refuse_layers_that_the_framework_does_not_support(
        self, framework: Framework, case: Case
    ) -> None:
        expanded = expanded_of(case)
        stored = case.stored(framework.name)
        if not isinstance(stored, str):
            assert framework.slots(expanded.layer_type, expanded.layer)
            return
        with pytest.raises(UnsupportedError) as refused:
            framework.slots(expanded.layer_type, expanded.layer)
        assert str(refused.value) == stored
        with pytest.raises(PlanError) as error:
            make_plan(parse_spec(case.spec(), framework=framework.name))
        (diagnostic,) = error.value.diagnostics
        assert (
            diagnostic.message
            == f"layer type {case.layer_type} cannot be stored for {framework.name}: {stored}"
        )
        assert diagnostic.span is not None

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_name_each_slot_once(self, framework: Framework, case: Case) -> None:
        names = [(slot.collection, slot.name) for slot in slots_of(framework, case)]
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_put_each_parameter_in_one_slot(self, framework: Framework, case: Case) -> None:
        slots = slots_of(framework, case)
        if not slots:
            return
        stored = [param_name for slot in slots for param_name in slot.param_names]
        unstored = UNSTORED.get((framework.name, case.id), ())
        parameters = parameters_of(case)
        assert sorted(
            [*(param_name for param_name in stored if param_name in parameters), *unstored]
        ) == sorted(parameters)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_omit_only_zeros(self, framework: Framework, case: Case) -> None:
        parameters = parameters_of(case)
        for param_name in UNSTORED.get((framework.name, case.id), ()):
            assert parameters[param_name].initializer.distribution(None) == Constant(0)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_permute_axes(self, framework: Framework, case: Case) -> None:
        parameters = parameters_of(case)
        for slot in slots_of(framework, case):
            for parameter in (
                parameters[param_name] for param_name in slot.param_names if param_name in parameters
            ):
                rank = len(parameter.shape)
                assert slot.axes is None or sorted(slot.axes) == list(range(rank))
                assert set(slot.flip) <= set(range(rank))
                assert slot.merge is None or sum(slot.merge) == rank or math.prod(parameter.shape) == 1

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_keep_every_element(self, framework: Framework, case: Case) -> None:
        slots = slots_of(framework, case)
        if not slots:
            return
        parameters = parameters_of(case)
        for slot in slots:
            shapes = [
                parameters[param_name].shape for param_name in slot.param_names if param_name in parameters
            ]
            stored = slot.tensor_shape(tuple(slot.part_shape(shape) for shape in shapes))
            assert math.prod(stored) == sum(math.prod(shape) for shape in shapes)
        unstored = UNSTORED.get((framework.name, case.id), ())
        expected = sum(
            math.prod(p.shape) for param_name, p in parameters.items() if param_name not in unstored
        )
        assert make_plan(parse_spec(case.spec(), framework=framework.name)).n_elements == expected

    def test_join_names_with_the_separator(self, framework: Framework) -> None:
        first = (framework.collection,) if framework.collection else ()
        joined = framework.separator.join
        assert framework.tensor_name(("a", "b"), "w") == joined((*first, "a", "b", "w"))
        assert framework.tensor_name((), "w") == joined((*first, "w"))
        other = ("other",) if framework.collection else ()  # only Flax has collections
        assert framework.tensor_name(("a",), "w", "other") == joined((*other, "a", "w"))


class TestIdentities:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_distributions_and_canonical_shapes_are_the_same_in_every_framework(self, case: Case) -> None:
        parameters = {f"x/{param_name}": parameter for param_name, parameter in parameters_of(case).items()}
        for framework in FRAMEWORKS:
            if isinstance(case.stored(framework), str):
                continue
            plan = make_plan(parse_spec(case.spec(), framework=framework))
            parts = {part.identity: part for tensor in plan.tensors for part in tensor.parts}
            unstored = {f"x/{param_name}" for param_name in UNSTORED.get((framework, case.id), ())}
            assert set(parts) == set(parameters) - unstored
            for identity, part in parts.items():
                parameter = parameters[identity]
                assert part.canonical_shape == parameter.shape
                assert part.distribution == parameter.initializer.distribution(parameter.fans)

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_a_rule_for_one_parameter_does_not_change_those_packed_with_it(self, framework: str) -> None:
        """Flax stores the bias of each gate separately; Keras and PyTorch pack them."""
        (case,) = (case for case in CASES if case.id == "gru")
        rule = "rules: [{match: x/recurrent_bias_candidate, initializer: ones}]\n"
        plan = make_plan(parse_spec(case.spec() + rule, framework=framework))
        distributions = {part.identity: part.distribution for tensor in plan.tensors for part in tensor.parts}
        biases = {
            identity: distribution for identity, distribution in distributions.items() if "bias" in identity
        }
        assert biases.pop("x/recurrent_bias_candidate") == Constant(1)
        assert set(biases.values()) == {Constant(0)}


class TestFanRules:
    def test_are_exact_and_those_of_the_frameworks(self) -> None:
        assert set(FAN_RULES) >= {EXACT, *FRAMEWORKS}
        assert "keras-3.14" in FAN_RULES
