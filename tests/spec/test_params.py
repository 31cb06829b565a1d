"""Params: integers and expressions over one another, in any order."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import pytest

from lecun_cli.errors import Span
from lecun_cli.spec.params import resolve


class TestValues:
    def test_do_not_depend_on_the_order(self) -> None:
        given = {"a": "b * 2", "b": "c + 1", "c": 3, "d": "a + b + c"}
        for order in itertools.permutations(given.items()):
            values, diagnostics = resolve(dict(order), {})
            assert diagnostics == ()
            assert values == {"a": 8, "b": 4, "c": 3, "d": 15}

    def test_a_string_may_hold_a_plain_number(self) -> None:
        assert resolve({"a": "12", "b": "-3"}, {}) == ({"a": 12, "b": -3}, ())

    def test_a_long_chain_is_resolved_at_once(self) -> None:
        given: dict[str, object] = {f"p{n}": f"p{n + 1} + 1" for n in range(1000)}
        started = time.perf_counter()
        values, diagnostics = resolve({**given, "p1000": 0}, {})
        assert diagnostics == ()
        assert values["p0"] == 1000
        assert time.perf_counter() - started < 2


@dataclass(frozen=True)
class ExpectFail:
    id: str
    given: dict[str, object]
    diagnostics: tuple[tuple[str, str | None], ...]
    values: dict[str, int] = field(default_factory=dict)


GRAMMAR = "integers, params, + - * // % ** and parentheses make an expression"


class TestDiagnostics:
    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(
                "a circle of two",
                {"a": "b", "b": "a + 1"},
                (
                    ('param "a" is defined in terms of itself: a -> b -> a', None),
                    ('param "b" is defined in terms of itself: b -> a -> b', None),
                ),
            ),
            ExpectFail(
                "itself", {"a": "a + 1"}, (('param "a" is defined in terms of itself: a -> a', None),)
            ),
            ExpectFail(
                "what waits for a circle is not told",
                {"a": "a", "b": "a + 1", "c": 2},
                (('param "a" is defined in terms of itself: a -> a', None),),
                {"c": 2},
            ),
            ExpectFail(
                "an unknown name with a near one",
                {"width": 64, "b": "widht * 2"},
                (('param "b": there is no param "widht"', "did you mean width?"),),
                {"width": 64},
            ),
            ExpectFail(
                "an unknown name with none near",
                {"width": 64, "b": "zz"},
                (('param "b": there is no param "zz"', "the params here are: width"),),
                {"width": 64},
            ),
            ExpectFail(
                "a number with a fraction",
                {"a": 1.5},
                (('param "a": expected an integer or an expression, got the number 1.5', None),),
            ),
            ExpectFail(
                "a boolean",
                {"a": True},
                (('param "a": expected an integer or an expression, got the boolean true', None),),
            ),
            ExpectFail(
                "nothing",
                {"a": None},
                (('param "a": expected an integer or an expression, got no value', None),),
            ),
            ExpectFail(
                "a name that is none",
                {"d-x": 1},
                (('invalid param name "d-x": expected letters, digits and _', None),),
            ),
            ExpectFail(
                "what is no expression",
                {"a": "3 apples"},
                (('param "a": "3 apples" is neither a number nor an arithmetic expression', GRAMMAR),),
            ),
            ExpectFail(
                "what divides by zero, and what needs it",
                {"a": "1 // z", "b": "a + 1", "z": 0},
                (('param "a": "1 // z" divides by zero', None),),
                {"z": 0},
            ),
            ExpectFail(
                "several",
                {"a": 0.5, "b": "x", "c": "1 / 2"},
                (
                    ('param "a": expected an integer or an expression, got the number 0.5', None),
                    ('param "c": "1 / 2" divides with /', "write // for the whole quotient"),
                    ('param "b": there is no param "x"', "the params here are: a, c"),
                ),
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_say_which_and_why(self, case: ExpectFail) -> None:
        values, diagnostics = resolve(case.given, {})
        assert tuple((diagnostic.message, diagnostic.help) for diagnostic in diagnostics) == case.diagnostics
        assert values == case.values

    def test_stand_where_the_value_stands(self) -> None:
        _, (diagnostic,) = resolve({"a": "b"}, {"a": Span(3, 7)})
        assert diagnostic.span == Span(3, 7)
