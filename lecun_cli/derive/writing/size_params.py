"""Params of a derived spec: name the count of every repeat."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Repeat

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*", re.ASCII)
# Common names of a stack of blocks, which say nothing else about it.
_STACKS = frozenset({"layers", "layer", "h", "block", "blocks", "stages", "resblocks", "encoder", "decoder"})
_RESERVED = frozenset({"i", "j", "k", "m", "n"})


def with_params(
    items: tuple[DerivedItem, ...],
) -> tuple[tuple[DerivedItem, ...], tuple[tuple[str, int], ...]]:
    """Return the items with a param for every count, and the params with their values."""
    paths = [_path_names(repeat, above) for repeat, above in _repeats(items, "")]
    short = Counter(_short(w) for w in paths)
    longer = Counter(_long(w) for w in paths)
    names: list[str] = []
    for path in paths:
        name = _short(path)
        if short[name] > 1 and longer[_long(path)] == 1:
            name = _long(path)
        if name in names or name in _RESERVED:
            name = next(n for i in count(2) if (n := f"{name}_{i}") not in names)
        names.append(name)
    params: list[tuple[str, int]] = []
    return _named(items, iter(names), params), tuple(params)


def _repeats(items: tuple[DerivedItem, ...], above: str) -> Iterator[tuple[Repeat, str]]:
    for item in items:
        if isinstance(item, Repeat):
            yield item, above
        if not isinstance(item, DerivedLayer):
            yield from _repeats(item.items, item.name or "")


def _named(
    items: tuple[DerivedItem, ...], names: Iterator[str], params: list[tuple[str, int]]
) -> tuple[DerivedItem, ...]:
    named: list[DerivedItem] = []
    for item in items:
        if isinstance(item, DerivedLayer):
            named.append(item)
            continue
        if isinstance(item, Repeat):
            params.append((next(names), int(item.count)))
            item = replace(item, count=params[-1][0])  # noqa: PLW2901
        named.append(replace(item, items=_named(item.items, names, params)))
    return tuple(named)


def _path_names(repeat: Repeat, above: str) -> list[str]:
    """Return the words of a name before the index; the last one names what is counted."""
    first = repeat.name or repeat.items[0].name or ""
    before = re.split(r"(?<!\{)\{(?!\{)", first)[0]
    return _WORD.findall(f"{above} {before}") or ["blocks"]


def _long(path: list[str]) -> str:
    return "_".join([*(w.lower() for w in path[-2:-1]), _short(path)])


def _short(path: list[str]) -> str:
    last = path[-1].lower()
    if last in _STACKS:
        return "blocks"
    return f"{last}_blocks" if last.rstrip("0123456789") in _STACKS else last
