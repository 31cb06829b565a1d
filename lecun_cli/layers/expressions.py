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

from lecun_cli.display.text import clip

Environment = Mapping[str, int]

MAX_LENGTH = 500
MAX_MAGNITUDE = 2**63 - 1
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class ExpressionError(Exception):
    """An expression cannot be evaluated; a `SpecError` reports it with its location."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


def evaluate(text: str, env: Environment) -> int:
    """Return the value of an expression.

    Args:
        text: For example `d // heads * kv_heads`.
        env: The value of each name.

    Raises:
        ExpressionError: It is not arithmetic, uses an unknown name, divides by zero, or overflows.

    Example:
        >>> evaluate("d // heads", {"d": 512, "heads": 8})
        64
    """
    return _value(parse(text), env, text)


def names_in(text: str) -> frozenset[str]:
    """Return the names that an expression uses.

    Raises:
        ExpressionError: It is not arithmetic.
    """
    return frozenset(node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name))


@lru_cache(maxsize=4096)
def parse(text: str) -> ast.expr:
    """Return the syntax tree of an expression.

    Raises:
        ExpressionError: The expression is not arithmetic.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(
            f"expression too long: expected at most {MAX_LENGTH} characters, got {len(text)}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", SyntaxWarning
            )  # for texts such as "2or d", which are refused below
            tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ExpressionError(
            f'"{clip(text)}" is neither a number nor an arithmetic expression', _GRAMMAR
        ) from None
    for node in ast.walk(tree):
        _check(node, text)
    return tree


_GRAMMAR = "an expression consists of integers, params, + - * // % ** and parentheses"


def _check(node: ast.AST, text: str) -> None:
    match node:
        case ast.BinOp(op=ast.Div()):
            raise ExpressionError(f'"{clip(text)}" contains the operator /', "use // for integer division")
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
    raise ExpressionError(f'"{clip(text)}" is not arithmetic', _GRAMMAR)


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
                raise ExpressionError(f'"{clip(text)}" divides by zero')
            result = _BINARY[type(op)](a, b)
        case _:
            raise ExpressionError(f'"{clip(text)}" is not arithmetic', _GRAMMAR)
    if abs(result) > MAX_MAGNITUDE:
        raise ExpressionError(f'"{clip(text)}" overflows: its value does not fit in 64 bits')
    return result


def unknown_name(name: str, env: Environment) -> ExpressionError:
    """Return the error for an unknown name, with the most similar known name or all known names."""
    close = difflib.get_close_matches(name, list(env), n=1)
    names = f"the names are: {', '.join(sorted(env))}" if env else "the spec has no params"
    return ExpressionError(f'unknown param "{name}"', f"did you mean {close[0]}?" if close else names)


_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


def render(template: str, env: Environment) -> str:
    """Return a name with every `{expression}` replaced by its value, and `{{` and `}}` by a brace.

    Args:
        template: The name.
        env: The value of each name in the expressions.

    Raises:
        ExpressionError: An expression cannot be evaluated, or a brace is not matched.

    Example:
        >>> render("blocks.{i + 1}", {"i": 0})
        'blocks.1'
    """
    if "{" not in template and "}" not in template:
        return template

    def replace(match: re.Match[str]) -> str:
        text = match[0]
        if text in {"{{", "}}"}:
            return text[0]
        if text in {"{", "}"}:
            raise ExpressionError(
                f'unmatched {text} in "{clip(template)}"', f"write {text * 2} for a literal brace"
            )
        return str(evaluate(match[1], env))

    return _FIELD.sub(replace, template)


@dataclass(frozen=True, slots=True)
class Template:
    """A name that `render` accepts, prepared to be rendered many times.

    Attributes:
        pattern: Format string for Python's `%`, with a `%d` for every expression.
        expressions: Syntax tree of each expression, and its text for messages.
        named: Returns the values from an environment, if every expression is only a name, as most are.
    """

    pattern: str
    expressions: tuple[tuple[ast.expr, str], ...]
    named: Callable[[Environment], int | tuple[int, ...]] | None = None

    @classmethod
    def of(cls, text: str) -> Template:
        """Return the template of a text that `render` accepts."""
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
        """Return the same as `render` of its text.

        Raises:
            ExpressionError: An expression cannot be evaluated.
        """
        if self.named is not None:
            try:
                return self.pattern % self.named(env)
            except KeyError:
                pass  # reported below
        return self.pattern % tuple([_value(tree, env, text) for tree, text in self.expressions])
