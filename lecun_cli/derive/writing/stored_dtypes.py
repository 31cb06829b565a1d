"""The dtypes of a derived spec: one for all, and rules for the tensors that differ."""

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
    """(dtype of the spec, items that say only where they differ, rules).

    Args:
        items: Layers with the dtype that the source gives them, None where their tensors differ.
        framework: For the raw tensors that a layer falls apart into, where no rule can tell it.
        separator: What stands between the parts of a name.
    """
    default = _most(items)
    tensors = tuple(t for layer in layers_of(items) for t in layer.stored)
    rules = _Rules(tensors, separator)
    settled = tuple(below for item in items for below in _settle(item, default, framework, rules))
    return default, settled, rules.fields()


def _most(items: tuple[DerivedItem, ...]) -> str:
    """The dtype of most weights; where no tensors are known, of most layers."""
    weights: Counter[str] = Counter()
    for layer in layers_of(items):
        for tensor in layer.stored:
            if DTYPES[tensor.dtype].is_float:
                weights[tensor.dtype] += prod(tensor.shape)
        if not layer.stored and layer.dtype is not None:
            weights[layer.dtype] += 1
    return weights.most_common(1)[0][0] if weights else "float32"


def _settle(item: DerivedItem, default: str, framework: str, rules: _Rules) -> list[DerivedItem]:
    if isinstance(item, Group):
        inner = tuple(below for one in item.items for below in _settle(one, default, framework, rules))
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
    """The rules so far: each a glob that no tensor of another dtype matches."""

    def __init__(self, tensors: tuple[Tensor, ...], separator: str) -> None:
        self.dtypes = {t.name: t.dtype for t in tensors}
        self.separator = separator
        self.by_glob: dict[str, str] = {}
        self.sound: dict[tuple[str, str], bool] = {}

    def cover(self, tensor: Tensor) -> bool:
        """Whether a rule, old or new, gives a tensor its dtype."""
        for glob in self._globs(tensor.name):
            if self.by_glob.get(glob) == tensor.dtype:
                return True
            if len(self.by_glob) >= MAX_RULES:
                return False
            if self._is_sound(glob, tensor.dtype):
                self.by_glob[glob] = tensor.dtype
                return True
        return False

    def _is_sound(self, glob: str, dtype: str) -> bool:
        if (glob, dtype) not in self.sound:
            match = re.compile(fnmatch.translate(glob)).match
            self.sound[glob, dtype] = all(d == dtype for name, d in self.dtypes.items() if match(name))
        return self.sound[glob, dtype]

    def _globs(self, name: str) -> Iterator[str]:
        """Globs for a name, from the widest: by its last word, by the end of its layer's, the name itself."""
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
        """The rules as they are written."""
        return tuple((("match", glob), ("dtype", dtype)) for glob, dtype in self.by_glob.items())


def _literal(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)
