"""What holds for the table of every framework, and of those to come."""

from __future__ import annotations

import math

import pytest

from lecun_cli.errors import PlanError
from lecun_cli.frameworks import EXACT, FAN_RULES, FRAMEWORKS, Framework, UnsupportedError
from lecun_cli.frameworks.base import Slots
from lecun_cli.initializers.distributions import Constant
from lecun_cli.layers import KINDS, Parameter
from lecun_cli.plan.planner import make_plan
from lecun_cli.spec.expand import PlacedLayer
from lecun_cli.spec.load import parse_spec
from tests.frameworks.cases import CASES, UNSTORED, Case


def placed_of(case: Case) -> PlacedLayer:
    (placed,) = parse_spec(case.spec()).layers
    return placed


def slots_of(framework: Framework, case: Case) -> Slots:
    """The slots of a layer that hold one of its parameters; none where the framework refuses it."""
    placed = placed_of(case)
    try:
        slots = framework.slots(placed.kind, placed.layer)
    except UnsupportedError:
        return ()
    roles = set(parameters_of(case))
    return tuple(slot for slot in slots if roles & set(slot.roles))


def parameters_of(case: Case) -> dict[str, Parameter]:
    return {parameter.role: parameter for parameter in placed_of(case).layer.parameters()}


class TestCases:
    def test_are_of_every_kind(self) -> None:
        assert {case.kind for case in CASES} == set(KINDS) - {"tensor"}

    def test_have_one_name_each(self) -> None:
        assert len({case.id for case in CASES}) == len(CASES)


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=lambda framework: framework.name)
class TestTables:
    def test_hold_every_kind(self, framework: Framework) -> None:
        assert set(framework.table) == set(KINDS) - {"tensor"}

    def test_store_a_layer_of_every_kind(self, framework: Framework) -> None:
        stored = {case.kind for case in CASES if slots_of(framework, case)}
        assert stored == set(KINDS) - {"tensor"}

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_refuse_what_they_cannot_store(self, framework: Framework, case: Case) -> None:
        placed = placed_of(case)
        stored = case.stored(framework.name)
        if not isinstance(stored, str):
            assert framework.slots(placed.kind, placed.layer)
            return
        with pytest.raises(UnsupportedError) as refused:
            framework.slots(placed.kind, placed.layer)
        assert str(refused.value) == stored
        with pytest.raises(PlanError) as told:
            make_plan(parse_spec(case.spec(), framework=framework.name))
        (fault,) = told.value.diagnostics
        assert fault.message == f"a {case.kind} layer cannot be stored for {framework.name}: {stored}"
        assert fault.place is not None

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_name_each_slot_once(self, framework: Framework, case: Case) -> None:
        names = [(slot.collection, slot.name) for slot in slots_of(framework, case)]
        assert len(set(names)) == len(names)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_put_each_parameter_in_one_slot(self, framework: Framework, case: Case) -> None:
        slots = slots_of(framework, case)
        if not slots:
            return
        stored = [role for slot in slots for role in slot.roles]
        unstored = UNSTORED.get((framework.name, case.id), ())
        parameters = parameters_of(case)
        assert sorted([*(role for role in stored if role in parameters), *unstored]) == sorted(parameters)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_leave_out_nothing_that_is_not_zero(self, framework: Framework, case: Case) -> None:
        parameters = parameters_of(case)
        for role in UNSTORED.get((framework.name, case.id), ()):
            assert parameters[role].initializer.law(None) == Constant(0)

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_move_axes_by_a_permutation(self, framework: Framework, case: Case) -> None:
        parameters = parameters_of(case)
        for slot in slots_of(framework, case):
            for parameter in (parameters[role] for role in slot.roles if role in parameters):
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
            shapes = [parameters[role].shape for role in slot.roles if role in parameters]
            stored = slot.tensor_shape(tuple(slot.part_shape(shape) for shape in shapes))
            assert math.prod(stored) == sum(math.prod(shape) for shape in shapes)
        unstored = UNSTORED.get((framework.name, case.id), ())
        expected = sum(math.prod(p.shape) for role, p in parameters.items() if role not in unstored)
        assert make_plan(parse_spec(case.spec(), framework=framework.name)).n_elements == expected

    def test_join_names_with_their_separator(self, framework: Framework) -> None:
        first = (framework.collection,) if framework.collection else ()
        joined = framework.separator.join
        assert framework.tensor_name(("a", "b"), "w") == joined((*first, "a", "b", "w"))
        assert framework.tensor_name((), "w") == joined((*first, "w"))
        other = ("other",) if framework.collection else ()  # Flax alone has collections
        assert framework.tensor_name(("a",), "w", "other") == joined((*other, "a", "w"))


class TestIdentities:
    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
    def test_laws_and_canonical_shapes_are_the_same_in_every_framework(self, case: Case) -> None:
        parameters = {f"x/{role}": parameter for role, parameter in parameters_of(case).items()}
        for framework in FRAMEWORKS:
            if isinstance(case.stored(framework), str):
                continue
            plan = make_plan(parse_spec(case.spec(), framework=framework))
            parts = {part.identity: part for tensor in plan.tensors for part in tensor.parts}
            unstored = {f"x/{role}" for role in UNSTORED.get((framework, case.id), ())}
            assert set(parts) == set(parameters) - unstored
            for identity, part in parts.items():
                parameter = parameters[identity]
                assert part.canonical_shape == parameter.shape
                assert part.law == parameter.initializer.law(parameter.fans)

    @pytest.mark.parametrize("framework", FRAMEWORKS)
    def test_a_rule_for_one_leaves_those_packed_with_it_alone(self, framework: str) -> None:
        """Flax stores each gate's bias by itself; Keras and PyTorch pack them."""
        (case,) = (case for case in CASES if case.id == "gru")
        rule = "rules: [{match: x/recurrent_bias_candidate, initializer: ones}]\n"
        plan = make_plan(parse_spec(case.spec() + rule, framework=framework))
        laws = {part.identity: part.law for tensor in plan.tensors for part in tensor.parts}
        biases = {identity: law for identity, law in laws.items() if "bias" in identity}
        assert biases.pop("x/recurrent_bias_candidate") == Constant(1)
        assert set(biases.values()) == {Constant(0)}


class TestFanRules:
    def test_are_exact_and_those_of_the_frameworks(self) -> None:
        assert set(FAN_RULES) >= {EXACT, *FRAMEWORKS}
        assert "keras-3.14" in FAN_RULES
