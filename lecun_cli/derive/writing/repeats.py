"""Fold repeated blocks: consecutive layers that are equal except for one running number in each name."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Group, Repeat
from lecun_cli.derive.yaml_writer import template

_NUMBER = re.compile(r"(\d+)")
_INDICES = ("i", "j", "k", "m", "n")
_MAX_PERIODS = 8
"""Maximum number of iteration lengths that are tried from one start."""
_MAX_LENGTH = 20_000
"""Maximum number of layers in one iteration."""


@dataclass(frozen=True)
class _Step:
    """How the running number of a name changes.

    Attributes:
        before: Text before the number.
        after: Text after the number.
        first: The number in the first iteration.
        step: Difference of the numbers of consecutive iterations.
    """

    before: str
    after: str
    first: int
    step: int

    def templated(self, index: str) -> str:
        """Return the name with an expression of the index in place of the number."""
        run = index if self.step == 1 else f"{self.step} * {index}"
        return f"{self.before}{{{f'{run} + {self.first}' if self.first else run}}}{self.after}"


def fold(items: Sequence[DerivedItem], separator: str) -> tuple[DerivedItem, ...]:
    """Return items with repeated blocks written once and numbered blocks as groups.

    Args:
        items: Layers and groups with plain names; the names become templates.
        separator: Separator between the parts of a name.
    """
    return _Folder(separator).fold([escaped(item) for item in items], 0)


def escaped(item: DerivedItem) -> DerivedItem:
    """Return an item with names as templates that expand to its plain names."""
    if isinstance(item, DerivedLayer):
        return replace(item, name=template(item.name))
    if isinstance(item, Group):
        return replace(item, name=template(item.name), items=tuple(escaped(below) for below in item.items))
    return item


class _Folder:
    def __init__(self, separator: str) -> None:
        self.separator = separator

    def fold(self, items: list[DerivedItem], depth: int) -> tuple[DerivedItem, ...]:
        if depth < len(_INDICES):
            items = self._repeats(items, depth)
        return tuple(
            replace(item, items=self.fold(list(item.items), depth)) if isinstance(item, Group) else item
            for item in self._groups(items, depth)
        )

    def _repeats(self, items: list[DerivedItem], depth: int) -> list[DerivedItem]:
        shapes = [_likeness(item) for item in items]
        positions: dict[object, list[int]] = defaultdict(list)
        for i, shape in enumerate(shapes):
            positions[shape].append(i)
        folded: list[DerivedItem] = []
        at = 0
        while at < len(items):
            best = self._best(items, shapes, positions[shapes[at]], at)
            if best is None:
                folded.append(items[at])
                at += 1
                continue
            count, steps = best
            folded.append(self._repeat(items[at : at + len(steps)], steps, count, depth))
            at += count * len(steps)
        return folded

    def _best(
        self, items: list[DerivedItem], shapes: list[object], alike: list[int], at: int
    ) -> tuple[int, list[_Step]] | None:
        """Return (iterations, a step for each name) of the repeat that saves most lines, or None."""
        best: tuple[int, int, list[_Step]] | None = None
        first = bisect_right(alike, at)
        for other in alike[first : first + _MAX_PERIODS]:
            period = other - at
            if period > _MAX_LENGTH:
                break
            steps = _steps(items, shapes, at, period)
            if steps is None or not _in_phase(steps):
                continue
            count = 2
            while _continues(items, shapes, at, steps, count):
                count += 1
            saved = count * period - (period + 3)
            if saved > 0 and (best is None or saved > best[0]):
                best = (saved, count, steps)
        return None if best is None else best[1:]

    def _repeat(self, items: list[DerivedItem], steps: list[_Step], count: int, depth: int) -> Repeat:
        index = _INDICES[depth]
        if len(items) == 1 and isinstance(items[0], Group):
            group = items[0]
            inner = self.fold(list(group.items), depth + 1)
            return Repeat(count, index, steps[0].templated(index), inner, group.fields)
        shared = self._shared(steps) if len(items) > 1 else None
        if shared is not None:
            inner = self.fold(
                [
                    _renamed(item, step.after[len(shared.after) + 1 :])
                    for item, step in zip(items, steps, strict=True)
                ],
                depth + 1,
            )
            return Repeat(count, index, shared.templated(index), inner)
        named = tuple(_renamed(item, step.templated(index)) for item, step in zip(items, steps, strict=True))
        return Repeat(count, index, None, named)

    def _shared(self, steps: list[_Step]) -> _Step | None:
        """Return the common first part of all names of an iteration if it contains the number, else None."""
        shared_steps = set()
        for step in steps:
            end = step.after.find(self.separator)
            if end < 0 or end + 1 == len(step.after):
                return None
            shared_steps.add(replace(step, after=step.after[:end]))
        if len(shared_steps) != 1:
            return None
        (shared,) = shared_steps
        return shared if self._is_path(f"{shared.before}0{shared.after}") else None

    def _is_path(self, name: str) -> bool:
        other = "/" if self.separator == "." else "."
        return other not in name and all(name.split(self.separator))

    def _groups(self, items: list[DerivedItem], depth: int) -> list[DerivedItem]:
        """Group three or more consecutive layers of one numbered block under its name."""
        grouped: list[DerivedItem] = []
        at = 0
        while at < len(items):
            name = self._numbered(items[at])
            end = at + 1
            while name is not None and end < len(items) and self._numbered(items[end]) == name:
                end += 1
            if name is None or end - at < 3:
                grouped += items[at:end]
            else:
                inner = tuple(_renamed(item, _name(item)[len(name) + 1 :]) for item in items[at:end])
                grouped.append(Group(name, inner))
            at = end
        return grouped

    def _numbered(self, item: DerivedItem) -> str | None:
        """Return the part of a layer's name up to its first part that is a number, such as `layer1.0`."""
        if not isinstance(item, DerivedLayer):
            return None
        parts = item.name.split(self.separator)
        for i, part in enumerate(parts[:-1]):
            if part.isascii() and part.isdigit():
                name = self.separator.join(parts[: i + 1])
                return name if self._is_path(name) and all(parts[i + 1 :]) else None
        return None


def _name(item: DerivedItem) -> str:
    return item.name or ""


def _renamed(item: DerivedItem, name: str) -> DerivedItem:
    return replace(item, name=name)


def _tokens(name: str) -> list[str]:
    """Split a name into alternating text and numbers; a number with a leading zero counts as text."""
    tokens = [""]
    for i, text in enumerate(_NUMBER.split(name)):
        if i % 2 and (text == "0" or text[0] != "0") and len(text) < 10:
            tokens += [text, ""]
        else:
            tokens[-1] += text
    return tokens


def _likeness(item: DerivedItem) -> object:
    """Return a key that is equal for items that may be the same layer of two iterations."""
    text = tuple(_tokens(_name(item))[::2])
    if isinstance(item, DerivedLayer):
        return (item.layer_type, text, item.fields, item.comment, item.dtype)
    return (type(item).__name__, text, item) if isinstance(item, Repeat) else (text, item.fields, item.items)


def _steps(items: list[DerivedItem], shapes: list[object], at: int, period: int) -> list[_Step] | None:
    """Return how the names of one iteration become those of the next, or None if the two do not match."""
    if at + 2 * period > len(items) or shapes[at : at + period] != shapes[at + period : at + 2 * period]:
        return None
    steps = []
    for here, there in zip(items[at : at + period], items[at + period : at + 2 * period], strict=True):
        step = _step(_name(here), _name(there))
        if step is None:
            return None
        steps.append(step)
    return steps


def _step(here: str, there: str) -> _Step | None:
    first, second = _tokens(here), _tokens(there)
    changed = [i for i in range(1, len(first), 2) if first[i] != second[i]]
    if len(changed) != 1:
        return None
    i = changed[0]
    step = int(second[i]) - int(first[i])
    if step < 1:
        return None
    return _Step("".join(first[:i]), "".join(first[i + 1 :]), int(first[i]), step)


def _in_phase(steps: list[_Step]) -> bool:
    """Return whether an iteration begins at the start of a block: names that begin alike share a number.

    Names that are numbered layer by layer (`conv2d_4`, `conv2d_5`) advance by their count per iteration.
    """
    runs = defaultdict(list)
    for step in steps:
        runs[step.before].append(step)
    for run in runs.values():
        firsts = Counter(step.first for step in run)
        stride = {step.step for step in run}
        if len(stride) != 1 or (len(firsts) > 1 and stride != {len(firsts)}):
            return False
        if len(firsts) > 1 and max(firsts) - min(firsts) >= len(firsts):
            return False
    return True


def _continues(
    items: list[DerivedItem], shapes: list[object], at: int, steps: list[_Step], count: int
) -> bool:
    """Return whether iteration number `count`, counted from zero, exists."""
    start = at + count * len(steps)
    if start + len(steps) > len(items):
        return False
    for j, step in enumerate(steps):
        expected_name = f"{step.before}{step.first + count * step.step}{step.after}"
        if shapes[start + j] != shapes[at + j] or _name(items[start + j]) != expected_name:
            return False
    return True
