"""The groups around a layer."""

from __future__ import annotations

from typing import NamedTuple


class Container(NamedTuple):
    """A group, or an iteration of a repeat that has a name. It is a tuple because there may be a million.

    Attributes:
        path: The names of the enclosing groups, outermost first, then its own.
        model: The Keras model that it becomes: `functional` or `sequential`.
    """

    path: tuple[str, ...]
    model: str
