"""Arithmetic over the parameters of a spec: integers, names, `+ - * // % **` and parentheses.

An expression is parsed with Python's own grammar and evaluated by walking the few node types that
are arithmetic; nothing is executed, and the size of every result is bounded.
"""

from __future__ import annotations

import ast
import difflib
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter

Environment = Mapping[str, int]

MAX_LENGTH = 500
MAX_MAGNITUDE = 2**63 - 1
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ExpressionError(Exception):
    """An expression that cannot be evaluated; `SpecError` carries it to the user with its place."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def evaluate(text: str, env: Environment) -> int:
    """The value of an expression.

    Args:
        text: For example `d // heads * kv_heads`.
        env: The value of each name.

    Raises:
        ExpressionError: It is not arithmetic, names what is not there, divides by zero, or overflows.
    """
    return _value(parse(text), env, text)


def names_in(text: str) -> frozenset[str]:
    """The names that an expression uses.

    Raises:
        ExpressionError: It is not arithmetic.
    """
    return frozenset(node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name))


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """The tree of an expression, checked to be arithmetic.

    Raises:
        ExpressionError: It is not.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"an expression has at most {MAX_LENGTH} characters, and this one has {len(text)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # the likes of "2or d", which are refused below
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(
            f'"{_short(text)}" is neither a number nor an arithmetic expression', _GRAMMAR
        ) from None
    for node in ast.walk(tree):
        _check(node, text)
    return tree


_GRAMMAR = "integers, params, + - * // % ** and parentheses make an expression"


def _check(node: ast.AST, text: str) -> None:
    match node:
        case ast.BinOp(op=ast.Div()):
            raise ExpressionError(f'"{_short(text)}" divides with /', "write // for the whole quotient")
        case ast.BinOp(op=op) if type(op) in _BINARY:
            return
        case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
            return
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            return
        case ast.Name(id=name) if NAME.match(name):
            return
        case ast.operator() | ast.unaryop() | ast.expr_context():
            return
    raise ExpressionError(f'"{_short(text)}" is not arithmetic', _GRAMMAR)


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        raise ExpressionError(f"the exponent {exponent} is negative")
    if exponent > 64 and abs(base) > 1:
        raise ExpressionError(f"{base} ** {exponent} is too large")
    return int(base**exponent)


_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: lambda a, b: a + b,
    ast.Sub: lambda a, b: a - b,
    ast.Mult: lambda a, b: a * b,
    ast.FloorDiv: lambda a, b: a // b,
    ast.Mod: lambda a, b: a % b,
    ast.Pow: _power,
}


def _value(node: ast.expr, env: Environment, text: str) -> int:
    match node:
        case ast.Name(id=name):
            if name not in env:
                raise unknown_name(name, env)
            result = env[name]
        case ast.Constant(value=int() as value):
            result = value
        case ast.UnaryOp(op=op, operand=operand):
            inner = _value(operand, env, text)
            result = -inner if isinstance(op, ast.USub) else inner
        case ast.BinOp(left=left, op=op, right=right):
            a, b = _value(left, env, text), _value(right, env, text)
            if b == 0 and isinstance(op, ast.FloorDiv | ast.Mod):
                raise ExpressionError(f'"{_short(text)}" divides by zero')
            result = _BINARY[type(op)](a, b)
        case _:
            raise ExpressionError(f'"{_short(text)}" is not arithmetic', _GRAMMAR)
    if abs(result) > MAX_MAGNITUDE:
        raise ExpressionError(f'"{_short(text)}" overflows: its value does not fit in 64 bits')
    return result


def unknown_name(name: str, env: Environment) -> ExpressionError:
    """The error for a name that no parameter has, with the nearest one."""
    close = difflib.get_close_matches(name, list(env), n=1)
    params = ", ".join(sorted(env)) or "none"
    advice = f"did you mean {close[0]}?" if close else f"the params here are: {params}"
    return ExpressionError(f'there is no param "{name}"', advice)


_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def render(template: str, env: Environment) -> str:
    """A name with every `{expression}` in it replaced by its value; `{{` and `}}` stand for themselves.

    Raises:
        ExpressionError: An expression cannot be evaluated, or a brace stands alone.
    """
    if "{" not in template and "}" not in template:
        return template

    def replace(match: re.Match[str]) -> str:
        text = match[0]
        if text in {"{{", "}}"}:
            return text[0]
        if text in {"{", "}"}:
            raise ExpressionError(
                f'a single {text} stands in "{_short(template)}"', f"write {text * 2} for a brace"
            )
        return str(evaluate(match[1], env))

    return _FIELD.sub(replace, template)


@dataclass(frozen=True, slots=True)
class Template:
    """A name that `render` has filled in before, made ready to be filled in many times.

    Attributes:
        pattern: For Python's `%`, with a `%d` for every expression.
        expressions: The tree of each expression, and its text for messages.
        named: What takes the values out of an environment where every expression is but a name, as most are.
    """

    pattern: str
    expressions: tuple[tuple[ast.expr, str], ...]
    named: Callable[[Environment], int | tuple[int, ...]] | None = None

    @classmethod
    def of(cls, text: str) -> Template:
        """The template of a text that `render` takes."""
        pattern, expressions, at = "", [], 0
        for match in _FIELD.finditer(text):
            pattern += text[at : match.start()].replace("%", "%%")
            if match[1] is None:
                pattern += match[0][0]
            else:
                pattern += "%d"
                expressions.append((parse(match[1]), match[1]))
            at = match.end()
        names = [tree.id for tree, _ in expressions if isinstance(tree, ast.Name)]
        named = itemgetter(*names) if names and len(names) == len(expressions) else None
        return cls(pattern + text[at:].replace("%", "%%"), tuple(expressions), named)

    def render(self, env: Environment) -> str:
        """The same as `render` of its text.

        Raises:
            ExpressionError: An expression cannot be evaluated.
        """
        if self.named is not None:
            try:
                return self.pattern % self.named(env)
            except KeyError:
                pass  # which is told below
        return self.pattern % tuple([_value(tree, env, text) for tree, text in self.expressions])


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
