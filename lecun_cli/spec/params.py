"""The parameters of a spec: integers and expressions over one another, in any order."""

from __future__ import annotations

from collections.abc import Mapping

from lecun_cli.errors import Diagnostic, Span, describe
from lecun_cli.layers.expressions import NAME, ExpressionError, evaluate, names_in, unknown_name


def resolve(
    expressions: Mapping[str, object], spans: Mapping[str, Span]
) -> tuple[dict[str, int], tuple[Diagnostic, ...]]:
    """The value of every parameter.

    Args:
        expressions: An integer or an expression for each name.
        spans: Where each stands in the text, if it does.

    Returns:
        The values that could be computed, and a fault for each that could not: what is neither a
        number nor an expression, an unknown name, a circle.
    """
    diagnostics: list[Diagnostic] = []
    values: dict[str, int] = {}
    needs: dict[str, frozenset[str]] = {}
    for name, value in expressions.items():
        span = spans.get(name)
        if not NAME.match(name):
            diagnostics.append(
                Diagnostic(f'"{name}" is no name for a param', span, "use letters, digits and _")
            )
        elif isinstance(value, int) and not isinstance(value, bool):
            values[name] = value
        elif isinstance(value, str):
            try:
                needs[name] = names_in(value)
            except ExpressionError as error:
                diagnostics.append(Diagnostic(f'param "{name}": {error.message}', span, error.help))
        else:
            text = describe(value)
            diagnostics.append(
                Diagnostic(f'param "{name}" is an integer or an expression, found {text}', span)
            )

    waiting = dict(needs)
    while ready := [name for name, names in waiting.items() if names <= values.keys()]:
        for name in ready:
            del waiting[name]
            try:
                values[name] = evaluate(str(expressions[name]), values)
            except ExpressionError as error:
                diagnostics.append(
                    Diagnostic(f'param "{name}": {error.message}', spans.get(name), error.help)
                )
    for name, names in waiting.items():
        missing = sorted(names - expressions.keys())
        if missing:
            unknown = unknown_name(missing[0], dict.fromkeys((n for n in expressions if n != name), 0))
            diagnostics.append(
                Diagnostic(f'param "{name}": {unknown.message}', spans.get(name), unknown.help)
            )
        elif circle := _circle(name, waiting):
            text = " -> ".join(circle)
            diagnostics.append(Diagnostic(f'param "{name}" is defined by itself: {text}', spans.get(name)))
    return values, tuple(diagnostics)


def _circle(start: str, needs: Mapping[str, frozenset[str]]) -> list[str] | None:
    """The way from a name back to itself, or None if it only waits for others."""
    stack = [[start]]
    seen = set()
    while stack:
        way = stack.pop()
        for name in sorted(needs.get(way[-1], ())):
            if name == start:
                return [*way, name]
            if name not in seen:
                seen.add(name)
                stack.append([*way, name])
    return None
