"""Tensors by name -> layers: what the names and shapes alone say, held against our own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from lecun_cli.derive.described_model import Entry, Tensor
from lecun_cli.derive.recognition import keras_flax_names, torch_names
from lecun_cli.derive.recognition.layer_check import settled
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.tensor_index import Names

Matcher = Callable[[Names, str], tuple[Entry, ...]]
_WIDE: dict[str, Matcher] = {
    "torch": torch_names.wide,
    "keras": keras_flax_names.wide,
    "flax": keras_flax_names.wide,
}
_NARROW: dict[str, Matcher] = {
    "torch": torch_names.narrow,
    "keras": keras_flax_names.narrow,
    "flax": keras_flax_names.narrow,
}


def recognise(tensors: tuple[Tensor, ...], framework: str, known: Iterable[Entry] = ()) -> tuple[Entry, ...]:
    """A layer or a raw tensor for every tensor, in the order of the tensors.

    Args:
        tensors: What the source has.
        framework: A key of `FRAMEWORKS`.
        known: Layers and raw tensors that the source itself tells of; a layer that does not reproduce
            tensors of the source is dropped.
    """
    names = Names(tensors, framework)
    found: dict[str, Entry] = {}  # by the first of its tensors
    for entry in known:
        _take(names, (entry,), found)
    order = {tensor.name: i for i, tensor in enumerate(tensors)}
    for tensor in tensors:
        if tensor.name in names.left:
            _recognise_one(names, tensor, found)
    return tuple(sorted(found.values(), key=lambda entry: min(order[t.name] for t in entry.stored)))


def _recognise_one(names: Names, tensor: Tensor, found: dict[str, Entry]) -> None:
    framework = names.framework.name
    prefixes = names.prefixes(tensor.name)
    for prefix in prefixes:
        if _take(names, _WIDE[framework](names, prefix), found) and tensor.name not in names.left:
            return
    if (
        prefixes
        and _take(names, _NARROW[framework](names, prefixes[-1]), found)
        and tensor.name not in names.left
    ):
        return
    experts = torch_names.expert_tensor(names, tensor) if framework == "torch" else None
    _take(names, (experts or raw_tensor(tensor, framework),), found)


def _take(names: Names, entries: tuple[Entry, ...], found: dict[str, Entry]) -> bool:
    """Take entries with their tensors out of what is left; False where one does not reproduce them."""
    framework = names.framework.name
    taken = []
    for entry in entries:
        whole = entry if entry.kind == "tensor" else settled(entry, names.left, framework)
        if whole is None or any(t.name not in names.left for t in whole.stored):
            return False
        taken.append(whole)
    for entry in taken:
        for tensor in entry.stored:
            del names.left[tensor.name]
        kinds = {t.dtype for t in entry.stored if t.dtype not in _FIXED}
        found[entry.stored[0].name] = replace(entry, dtype=kinds.pop() if len(kinds) == 1 else entry.dtype)
    return bool(taken)


_FIXED = frozenset({"int64"})  # a counter's, which its kind has anyway
