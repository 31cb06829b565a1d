"""The tree of a spec: plain values with their spans in the text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lecun_cli.errors import describe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lecun_cli.errors import Span


@dataclass(frozen=True, slots=True)
class Scalar:
    """A string, number, boolean or null."""

    value: str | int | float | bool | None
    span: Span


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Mapping:
    """A mapping with unique string keys.

    Attributes:
        entries: The value of each key.
        keys: The span of each key itself.
        span: The span of the start of the mapping.
    """

    entries: dict[str, Node]
    keys: dict[str, Span]
    span: Span

    def get(self, key: str) -> Node | None:
        """Return the value of `key`, or None."""
        return self.entries.get(key)


Node = Scalar | Sequence | Mapping


def plain(node: Node) -> Any:  # noqa: ANN401 - the value of a YAML document is any value
    """Convert a tree to dicts, lists and scalars, for the validator."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Sequence):
        return [plain(item) for item in node.items]
    return {key: plain(value) for key, value in node.entries.items()}


def locate(node: Node, path: tuple[int | str, ...], *, key: bool = False) -> Span:
    """Return the span of the value at a path, or of the deepest value on the path that exists.

    Args:
        node: The root of the path.
        path: Keys and indices, as the validator reports them.
        key: If true, return the span of the last key instead of its value.
    """
    for depth, step in enumerate(path):
        last = depth == len(path) - 1
        if isinstance(node, Mapping) and step in node.entries:
            if last and key:
                return node.keys[str(step)]
            node = node.entries[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node.span


def describe_node(node: Node) -> str:
    """Describe a node for a message: `a list`, `the number 0.5`."""
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    return describe(node.value)


def walk(node: Node) -> Iterator[Node]:
    """Iterate over all nodes of a tree, parents first."""
    stack = [node]
    while stack:
        here = stack.pop()
        yield here
        if isinstance(here, Sequence):
            stack.extend(reversed(here.items))
        elif isinstance(here, Mapping):
            stack.extend(reversed(here.entries.values()))
