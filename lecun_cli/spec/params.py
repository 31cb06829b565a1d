"""The params of a spec: integers, and expressions that use other params, in any order."""

from __future__ import annotations

from collections.abc import Mapping

from lecun_cli.errors import Diagnostic, Span, describe
from lecun_cli.layers.expressions import NAME, ExpressionError, evaluate, names_in, unknown_name


def resolve(
    expressions: Mapping[str, object], spans: Mapping[str, Span]
) -> tuple[dict[str, int], tuple[Diagnostic, ...]]:
    """Compute the value of every param.

    Args:
        expressions: An integer or an expression for each name.
        spans: The span of each value that is in the text.

    Returns:
        The values that could be computed, and a diagnostic for each value that could not: it is neither a
        number nor an expression, uses an unknown name, or is defined in terms of itself.

    Example:
        >>> resolve({"d": 512, "heads": "d // 64"}, {})
        ({'d': 512, 'heads': 8}, ())
    """
    resolver = _Resolver(expressions, spans)
    for name in expressions:
        resolver.read(name)
    resolver.evaluate()
    for name in resolver.dependencies:
        resolver.explain(name)
    return resolver.values, tuple(resolver.diagnostics)


class _Resolver:
    """Computes params in the order of their dependencies.

    Attributes:
        values: The values so far.
        dependencies: The names that each param without a value uses.
        diagnostics: The errors so far.
    """

    def __init__(self, expressions: Mapping[str, object], spans: Mapping[str, Span]) -> None:
        self.values: dict[str, int] = {}
        self.dependencies: dict[str, frozenset[str]] = {}
        self.diagnostics: list[Diagnostic] = []
        self._expressions = expressions
        self._spans = spans

    def read(self, name: str) -> None:
        """Read one param: take its number, or the names that its expression uses."""
        value = self._expressions[name]
        if not NAME.match(name):
            self._add(name, f'invalid param name "{name}": expected letters, digits and _')
        elif isinstance(value, int) and not isinstance(value, bool):
            self.values[name] = value
        elif isinstance(value, str):
            try:
                self.dependencies[name] = names_in(value)
            except ExpressionError as error:
                self._add_error(name, error)
        else:
            text = describe(value)
            self._add(name, f'param "{name}": expected an integer or an expression, got {text}')

    def evaluate(self) -> None:
        """Evaluate every param whose dependencies have values, until no such param remains."""
        while ready := [name for name, names in self.dependencies.items() if names <= self.values.keys()]:
            for name in ready:
                del self.dependencies[name]
                try:
                    self.values[name] = evaluate(str(self._expressions[name]), self.values)
                except ExpressionError as error:
                    self._add_error(name, error)

    def explain(self, name: str) -> None:
        """Report why a param has no value, unless another param is to blame."""
        missing = sorted(self.dependencies[name] - self._expressions.keys())
        if missing:
            others = dict.fromkeys((other for other in self._expressions if other != name), 0)
            self._add_error(name, unknown_name(missing[0], others))
        elif cycle := _cycle(name, self.dependencies):
            self._add(name, f'param "{name}" is defined in terms of itself: {" -> ".join(cycle)}')

    def _add(self, name: str, message: str, help: str | None = None) -> None:
        self.diagnostics.append(Diagnostic(message, self._spans.get(name), help))

    def _add_error(self, name: str, error: ExpressionError) -> None:
        self._add(name, f'param "{name}": {error.message}', error.help)


def _cycle(start: str, dependencies: Mapping[str, frozenset[str]]) -> list[str] | None:
    """Return a path of dependencies from a name back to itself, or None if it is not part of a cycle."""
    stack = [[start]]
    seen = set()
    while stack:
        path = stack.pop()
        for name in sorted(dependencies.get(path[-1], ())):
            if name == start:
                return [*path, name]
            if name not in seen:
                seen.add(name)
                stack.append([*path, name])
    return None
