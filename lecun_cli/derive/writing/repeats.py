"""Blocks that repeat: layers that follow each other in equal rounds, with one running number in each name."""

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
"""How many lengths of a round are tried from one start."""
_LONGEST = 20_000
"""Layers in one round."""


@dataclass(frozen=True)
class _Step:
    """How a name runs: the number that changes, where it stands, its first value and its step."""

    before: str
    after: str
    first: int
    step: int

    def templated(self, index: str) -> str:
        """The name with the index in place of the number."""
        run = index if self.step == 1 else f"{self.step} * {index}"
        return f"{self.before}{{{f'{run} + {self.first}' if self.first else run}}}{self.after}"


def fold(items: Sequence[DerivedItem], separator: str) -> tuple[DerivedItem, ...]:
    """Items with their blocks written once, and runs of a numbered block under its name.

    Args:
        items: Layers and groups, names plain; they become templates.
        separator: What stands between the parts of a name.
    """
    return _Folder(separator).fold([escaped(item) for item in items], 0)


def escaped(item: DerivedItem) -> DerivedItem:
    """An item whose names are templates that give its plain names back."""
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
        """(rounds, how each name of a round runs) of the repeat that saves most, or None."""
        best: tuple[int, int, list[_Step]] | None = None
        first = bisect_right(alike, at)
        for other in alike[first : first + _MAX_PERIODS]:
            period = other - at
            if period > _LONGEST:
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
        """The name of a round, where all names of it begin with one that holds the number."""
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
        """Runs of three layers or more of one numbered block, under its name."""
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
        """The beginning of a layer's name that ends with a number of its own: `layer1.0`."""
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
    """Text and numbers by turns; a number with a leading zero is text, since an index has none."""
    tokens = [""]
    for i, text in enumerate(_NUMBER.split(name)):
        if i % 2 and (text == "0" or text[0] != "0") and len(text) < 10:
            tokens += [text, ""]
        else:
            tokens[-1] += text
    return tokens


def _likeness(item: DerivedItem) -> object:
    """What is equal for items that may be the same layer of two rounds."""
    text = tuple(_tokens(_name(item))[::2])
    if isinstance(item, DerivedLayer):
        return (item.layer_type, text, item.fields, item.comment, item.dtype)
    return (type(item).__name__, text, item) if isinstance(item, Repeat) else (text, item.fields, item.items)


def _steps(items: list[DerivedItem], shapes: list[object], at: int, period: int) -> list[_Step] | None:
    """How the names of one round become those of the next, or None where the two are no rounds."""
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
    """Whether a round begins where a block does: names that begin alike hold the same number.

    Names that are counted layer by layer (`conv2d_4`, `conv2d_5`) take as many steps as there are of them.
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
    """Whether a round stands at place `count`, counted from zero."""
    start = at + count * len(steps)
    if start + len(steps) > len(items):
        return False
    for j, step in enumerate(steps):
        wanted = f"{step.before}{step.first + count * step.step}{step.after}"
        if shapes[start + j] != shapes[at + j] or _name(items[start + j]) != wanted:
            return False
    return True
