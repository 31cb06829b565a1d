"""Expressions over params have the values of Python; everything that is not arithmetic is refused."""

from __future__ import annotations

import time
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lecun_cli.layers.expressions import (
    MAX_LENGTH,
    MAX_MAGNITUDE,
    Environment,
    ExpressionError,
    Template,
    evaluate,
    names_in,
    render,
)

ENV = {"d": 4096, "heads": 32, "kv_heads": 8, "i": 3}


@dataclass(frozen=True)
class Expect:
    text: str
    value: int


@dataclass(frozen=True)
class ExpectFail:
    text: str
    message: str
    help: str | None = None


GRAMMAR = "an expression consists of integers, params, + - * // % ** and parentheses"


class TestValues:
    @pytest.mark.parametrize(
        "case",
        [
            Expect("64", 64),
            Expect(" d ", 4096),
            Expect("d // heads * kv_heads", 1024),
            Expect("d // (heads * kv_heads)", 16),
            Expect("(d + 1) % 10", 7),
            Expect("-7 // 2", -4),
            Expect("-7 % 3", 2),
            Expect("-2 ** 2", -4),
            Expect("2 ** 3 ** 2", 512),
            Expect("+d - -1", 4097),
            Expect("2 ** 62", 2**62),
            Expect("1 ** 10000", 1),
            Expect("(-1) ** 10001", -1),
            Expect("0 ** 0", 1),
            Expect("1_000", 1000),
            Expect("0x10", 16),
            Expect(str(MAX_MAGNITUDE), MAX_MAGNITUDE),
            Expect("+".join("1" * 250), 250),
            Expect("-" * 300 + "1", 1),
            Expect("(" * 100 + "d" + ")" * 100, 4096),
        ],
        ids=lambda case: case.text[:30],
    )
    def test_equal_those_of_arithmetic(self, case: Expect) -> None:
        assert evaluate(case.text, ENV) == case.value


atoms = st.one_of(st.integers(0, 50).map(str), st.sampled_from(sorted(ENV)))
leaves = st.one_of(atoms, st.tuples(atoms, st.integers(0, 9)).map(lambda pair: f"{pair[0]} ** {pair[1]}"))
expressions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "//", "%"]), inner).map(" ".join),
        inner.map(lambda text: f"({text})"),
        inner.map(lambda text: f"-{text}"),
    ),
    max_leaves=12,
).filter(lambda text: len(text) <= MAX_LENGTH)


def outcome(text: str) -> int | str:
    """Return the value of an expression, or the message of its error."""
    try:
        return evaluate(text, ENV)
    except ExpressionError as error:
        return error.message


class TestAgainstPython:
    @settings(deadline=None)
    @given(expressions)
    def test_equals_eval_unless_it_overflows_or_divides_by_zero(self, text: str) -> None:
        result = outcome(text)
        try:
            expected = eval(text, {"__builtins__": {}}, dict(ENV))
        except ZeroDivisionError:
            expected = None
        if isinstance(result, int):
            assert result == expected
        elif expected is None:
            assert "divides by zero" in result or "overflows" in result
        else:
            assert "overflows" in result  # an intermediate result, if not the final one

    @settings(deadline=None)
    @given(st.one_of(st.text(max_size=40), st.text(alphabet="d1i+-*/%() .,_[]{}'\"\\\n", max_size=30)))
    def test_any_text_gives_an_integer_or_an_expression_error(self, text: str) -> None:
        result = outcome(text)
        assert type(result) in {int, str}
        if isinstance(result, int):
            assert abs(result) <= MAX_MAGNITUDE


class TestRefusals:
    @pytest.mark.parametrize(
        "text",
        [
            "max(d, 2)", "__import__('os')", "d.real", "d[0]", "'a' * 3", "[1]", "(1, 2)", "{}", "1.5", "1e3",
            "2j", "True", "None", "d < 3", "d and i", "not d", "~d", "d << 2", "d >> 1", "d | 1", "d & 1",
            "d ^ 1", "d @ i", "d if i else 1", "lambda: 1", "[x for x in d]", "f'{d}'", "...", "2or 3",
        ],
    )  # fmt: skip
    def test_python_that_is_not_arithmetic_is_refused(self, text: str) -> None:
        with pytest.raises(ExpressionError) as caught:
            evaluate(text, ENV)
        assert caught.value.message == f'"{text}" is not arithmetic'
        assert caught.value.help == GRAMMAR

    @pytest.mark.parametrize(
        "text", ["", " ", "d +", "(d", "d)", "$", "017", "d d", "d := 3", "*d", "class", "d\n+1"]
    )
    def test_text_that_is_not_an_expression_is_refused(self, text: str) -> None:
        with pytest.raises(ExpressionError) as caught:
            evaluate(text, ENV)
        assert caught.value.message == f'"{text}" is neither a number nor an arithmetic expression'
        assert caught.value.help == GRAMMAR

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail("d / 2", '"d / 2" contains the operator /', "use // for integer division"),
            ExpectFail("d // 0", '"d // 0" divides by zero'),
            ExpectFail("d % (i - 3)", '"d % (i - 3)" divides by zero'),
            ExpectFail("2 ** -1", "the exponent -1 is negative"),
            ExpectFail("2 ** 65", "2 ** 65 is too large"),
            ExpectFail("9 ** 9 ** 9", "9 ** 387420489 is too large"),
            ExpectFail("2 ** 63", '"2 ** 63" overflows: its value does not fit in 64 bits'),
            ExpectFail("d ** 64", '"d ** 64" overflows: its value does not fit in 64 bits'),
            ExpectFail(
                f"{MAX_MAGNITUDE} + 1 - 1",
                f'"{MAX_MAGNITUDE} + 1 - 1" overflows: its value does not fit in 64 bits',
            ),
            ExpectFail("1" * 501, "expression too long: expected at most 500 characters, got 501"),
            ExpectFail("vocab", 'unknown param "vocab"', "the names are: d, heads, i, kv_heads"),
            ExpectFail("head * 2", 'unknown param "head"', "did you mean heads?"),
        ],
        ids=lambda case: case.text[:30],
    )
    def test_have_a_message_and_advice(self, case: ExpectFail) -> None:
        with pytest.raises(ExpressionError) as caught:
            evaluate(case.text, ENV)
        assert caught.value.message == case.message
        assert caught.value.help == case.help

    @pytest.mark.parametrize("text", ["(" * 240 + "1" + ")" * 240, "9**9**9**9**9", "**".join(["99"] * 100)])
    def test_large_and_deep_expressions_are_refused_at_once(self, text: str) -> None:
        started = time.perf_counter()
        with pytest.raises(ExpressionError):
            evaluate(text, ENV)
        assert time.perf_counter() - started < 0.5


class TestNames:
    @dataclass(frozen=True)
    class Expect:
        text: str
        names: frozenset[str]

    @pytest.mark.parametrize(
        "case",
        [
            Expect("12", frozenset()),
            Expect("d // heads * kv_heads", frozenset({"d", "heads", "kv_heads"})),
            Expect("x + x * y", frozenset({"x", "y"})),
        ],
        ids=lambda case: case.text,
    )
    def test_are_those_that_the_expression_uses(self, case: Expect) -> None:
        assert names_in(case.text) == case.names


class TestTemplates:
    @dataclass(frozen=True)
    class Expect:
        template: str
        name: str

    @pytest.mark.parametrize(
        "case",
        [
            Expect("plain", "plain"),
            Expect("block_{i}", "block_3"),
            Expect("layer{i + 1}.{i}", "layer4.3"),
            Expect("{d // heads}", "128"),
            Expect("{{i}}", "{i}"),
            Expect("{{{i}}}", "{3}"),
            Expect("a%sb$", "a%sb$"),
        ],
        ids=lambda case: case.template,
    )
    def test_are_replaced_by_values(self, case: Expect) -> None:
        assert render(case.template, ENV) == case.name

    @pytest.mark.parametrize(
        "case",
        [
            ExpectFail("a{", 'unmatched { in "a{"', "write {{ for a literal brace"),
            ExpectFail("a}", 'unmatched } in "a}"', "write }} for a literal brace"),
            ExpectFail("{j}", 'unknown param "j"', "the names are: d, heads, i, kv_heads"),
            ExpectFail("{i!r}", '"i!r" is neither a number nor an arithmetic expression', GRAMMAR),
            ExpectFail("{i:02}", '"i:02" is neither a number nor an arithmetic expression', GRAMMAR),
            ExpectFail("{}", '"" is neither a number nor an arithmetic expression', GRAMMAR),
        ],
        ids=lambda case: case.text,
    )
    def test_with_an_invalid_expression_are_refused(self, case: ExpectFail) -> None:
        with pytest.raises(ExpressionError) as caught:
            render(case.text, ENV)
        assert caught.value.message == case.message
        assert caught.value.help == case.help

    def test_depend_only_on_the_environment(self) -> None:
        first: Environment = {"i": 0}
        assert [render("b{i}", first), render("b{i}", {"i": 1}), render("b{i}", first)] == ["b0", "b1", "b0"]


class TestPreparedTemplates:
    @pytest.mark.parametrize(
        "text",
        [
            "w",
            "t.{i}",
            "{i}%{j}",
            "{i}{j}",
            "a{{{i + 2 * j}}}b",
            "100%",
            "%d{i}%s",
            "{-i}",
            "größe_{ i }",
            "{{}}",
            "{7}",
        ],
    )
    def test_render_like_the_text(self, text: str) -> None:
        for env in ({"i": 0, "j": 3}, {"i": -12, "j": 2**40}):
            assert Template.of(text).render(env) == render(text, env)

    def test_fail_like_the_text(self) -> None:
        template = Template.of("a{1 // (1 - i)}")
        assert template.render({"i": 0}) == "a1"
        with pytest.raises(ExpressionError, match="divides by zero"):
            template.render({"i": 1})
        for text in ("a{1 // (1 - i)}", "a{i}", "{i}{j}"):
            with pytest.raises(ExpressionError, match='unknown param "i"'):
                Template.of(text).render({"j": 1})
