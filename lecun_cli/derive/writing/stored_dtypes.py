"""Dtypes of a derived spec: one default, and rules or fields for tensors that differ."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Fields, Group, Tensor, layers_of
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.dtypes import DTYPES

MAX_RULES = 50


def with_dtypes(
    items: tuple[DerivedItem, ...], framework: str, separator: str
) -> tuple[str, tuple[DerivedItem, ...], tuple[Fields, ...]]:
    """Choose the default dtype of a spec and rules for exceptions.

    Args:
        items: Layers with the dtype of the source, or None if the dtypes of their tensors differ.
        framework: Framework of the raw tensors that replace a layer if no rule can describe its dtypes.
        separator: Separator between the parts of a name.

    Returns:
        The default dtype, the items with a dtype only where they differ from it, and the rules.
    """
    default = _most(items)
    tensors = tuple(t for layer in layers_of(items) for t in layer.stored)
    rules = _Rules(tensors, separator)
    resolved = tuple(below for item in items for below in _resolve(item, default, framework, rules))
    return default, resolved, rules.fields()


def _most(items: tuple[DerivedItem, ...]) -> str:
    """Return the dtype of most weights, or of most layers if the source does not name tensors."""
    weights: Counter[str] = Counter()
    for layer in layers_of(items):
        for tensor in layer.stored:
            if DTYPES[tensor.dtype].is_float:
                weights[tensor.dtype] += prod(tensor.shape)
        if not layer.stored and layer.dtype is not None:
            weights[layer.dtype] += 1
    return weights.most_common(1)[0][0] if weights else "float32"


def _resolve(item: DerivedItem, default: str, framework: str, rules: _Rules) -> list[DerivedItem]:
    if isinstance(item, Group):
        inner = tuple(below for one in item.items for below in _resolve(one, default, framework, rules))
        return [replace(item, items=inner)]
    if not isinstance(item, DerivedLayer):
        return [item]
    if item.dtype == default or (item.dtype is None and not item.stored):
        return [replace(item, dtype=None)]
    others = [t for t in item.stored if t.dtype != default and DTYPES[t.dtype].is_float]
    small = item.layer_type.endswith("_normalization") or item.dtype is None
    if item.layer_type == "tensor" or not small or not item.stored:
        return [item]
    if all(rules.cover(t) for t in others):
        return [replace(item, dtype=None)]
    if item.dtype is not None:
        return [item]
    comment = "its tensors have several dtypes"
    return [replace(raw_tensor(t, framework), comment=comment) for t in item.stored]


class _Rules:
    """The rules so far: each is a glob that matches tensors of one dtype only."""

    def __init__(self, tensors: tuple[Tensor, ...], separator: str) -> None:
        self.dtypes = {t.name: t.dtype for t in tensors}
        self.separator = separator
        self.by_glob: dict[str, str] = {}
        self.checked: dict[tuple[str, str], bool] = {}

    def cover(self, tensor: Tensor) -> bool:
        """Return whether an existing or new rule can give a tensor its dtype; add the new rule."""
        for glob in self._globs(tensor.name):
            if self.by_glob.get(glob) == tensor.dtype:
                return True
            if len(self.by_glob) >= MAX_RULES:
                return False
            if self._matches_only(glob, tensor.dtype):
                self.by_glob[glob] = tensor.dtype
                return True
        return False

    def _matches_only(self, glob: str, dtype: str) -> bool:
        if (glob, dtype) not in self.checked:
            match = re.compile(fnmatch.translate(glob)).match
            self.checked[glob, dtype] = all(d == dtype for name, d in self.dtypes.items() if match(name))
        return self.checked[glob, dtype]

    def _globs(self, name: str) -> Iterator[str]:
        """Yield globs for a name, widest first: by its last part, by the end of its layer's name, in full."""
        above, _, leaf = name.rpartition(self.separator)
        last_name = above.rpartition(self.separator)[2]
        tail, leaf = _literal(last_name.rpartition("_")[2]), _literal(leaf)
        if above:
            yield f"*{self.separator}{leaf}"
            if tail.lower().endswith("norm"):
                yield f"*{tail[-4:]}{self.separator}{leaf}"
            yield f"*{tail}{self.separator}{leaf}"
            yield f"*{self.separator}{_literal(last_name)}{self.separator}{leaf}"
        yield _literal(name)

    def fields(self) -> tuple[Fields, ...]:
        """Return the rules as fields of a spec."""
        return tuple((("match", glob), ("dtype", dtype)) for glob, dtype in self.by_glob.items())


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
