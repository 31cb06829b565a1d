"""Params: integers, and expressions that use other params."""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass, field

import pytest

from lecun_cli.errors import Span
from lecun_cli.spec.params import resolve


class TestValues:
    def test_do_not_depend_on_the_order(self) -> None:
        expressions = {"a": "b * 2", "b": "c + 1", "c": 3, "d": "a + b + c"}
        for order in itertools.permutations(expressions.items()):
            values, diagnostics = resolve(dict(order), {})
            assert diagnostics == ()
            assert values == {"a": 8, "b": 4, "c": 3, "d": 15}

    def test_a_string_can_contain_a_number(self) -> None:
        assert resolve({"a": "12", "b": "-3"}, {}) == ({"a": 12, "b": -3}, ())

    def test_a_long_chain_is_resolved_quickly(self) -> None:
        expressions: dict[str, object] = {f"p{n}": f"p{n + 1} + 1" for n in range(1000)}
        started = time.perf_counter()
        values, diagnostics = resolve({**expressions, "p1000": 0}, {})
        assert diagnostics == ()
        assert values["p0"] == 1000
        assert time.perf_counter() - started < 2


@dataclass(frozen=True)
class ExpectFail:
    id: str
    expressions: dict[str, object]
    diagnostics: tuple[tuple[str, str | None], ...]
    values: dict[str, int] = field(default_factory=dict)


GRAMMAR = "an expression consists of integers, params, + - * // % ** and parentheses"


class TestDiagnostics:
    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail(
                "a cycle of two",
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
                "params that depend on a cycle are not reported",
                {"a": "a", "b": "a + 1", "c": 2},
                (('param "a" is defined in terms of itself: a -> a', None),),
                {"c": 2},
            ),
            ExpectFail(
                "an unknown name with a similar one",
                {"width": 64, "b": "widht * 2"},
                (('param "b": unknown param "widht"', "did you mean width?"),),
                {"width": 64},
            ),
            ExpectFail(
                "an unknown name without a similar one",
                {"width": 64, "b": "zz"},
                (('param "b": unknown param "zz"', "the names are: width"),),
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
                "an invalid name",
                {"d-x": 1},
                (('invalid param name "d-x": expected letters, digits and _', None),),
            ),
            ExpectFail(
                "an invalid expression",
                {"a": "3 apples"},
                (('param "a": "3 apples" is neither a number nor an arithmetic expression', GRAMMAR),),
            ),
            ExpectFail(
                "a division by zero, and a param that depends on it",
                {"a": "1 // z", "b": "a + 1", "z": 0},
                (('param "a": "1 // z" divides by zero', None),),
                {"z": 0},
            ),
            ExpectFail(
                "several",
                {"a": 0.5, "b": "x", "c": "1 / 2"},
                (
                    ('param "a": expected an integer or an expression, got the number 0.5', None),
                    ('param "c": "1 / 2" contains the operator /', "use // for integer division"),
                    ('param "b": unknown param "x"', "the names are: a, c"),
                ),
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_name_the_param_and_the_reason(self, case: ExpectFail) -> None:
        values, diagnostics = resolve(case.expressions, {})
        assert tuple((diagnostic.message, diagnostic.help) for diagnostic in diagnostics) == case.diagnostics
        assert values == case.values

    def test_have_the_span_of_the_value(self) -> None:
        _, (diagnostic,) = resolve({"a": "b"}, {"a": Span(3, 7)})
        assert diagnostic.span == Span(3, 7)
