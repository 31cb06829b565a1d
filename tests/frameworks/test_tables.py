"""What holds for the table of every framework, and of those to come."""

from __future__ import annotations

import pytest

from lecun_cli.frameworks import EXACT, FAN_RULES, FRAMEWORKS, Framework
from lecun_cli.spec.kinds import KINDS


@pytest.mark.parametrize("framework", FRAMEWORKS.values(), ids=lambda framework: framework.name)
class TestTables:
    def test_hold_every_kind(self, framework: Framework) -> None:
        assert set(framework.table) == set(KINDS) - {"tensor"}

    def test_name_each_slot_once(self, framework: Framework) -> None:
        for slots in framework.table.values():
            names = [slot.name for slot in slots]
            assert len(set(names)) == len(names)

    def test_put_each_parameter_in_one_slot(self, framework: Framework) -> None:
        for slots in framework.table.values():
            roles = [role for slot in slots for role in slot.roles]
            assert len(set(roles)) == len(roles)

    def test_move_axes_by_a_permutation(self, framework: Framework) -> None:
        for slots in framework.table.values():
            for slot in slots:
                assert slot.axes is None or sorted(slot.axes) == list(range(len(slot.axes)))

    def test_join_names_with_their_separator(self, framework: Framework) -> None:
        assert framework.tensor_name(("a", "b"), "w") == framework.separator.join("abw")
        assert framework.tensor_name((), "w") == "w"


class TestFanRules:
    def test_are_exact_and_those_of_the_frameworks(self) -> None:
        assert set(FAN_RULES) >= {EXACT, *FRAMEWORKS}
