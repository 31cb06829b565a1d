"""Recognize layers by tensor names and shapes, and keep only those that reproduce the tensors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module

from lecun_cli.derive.described_model import DerivedLayer, Tensor
from lecun_cli.derive.recognition.layer_check import with_stored
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.rules import Recognizer
from lecun_cli.derive.recognition.tensor_index import TensorIndex
from lecun_cli.errors import DeriveError
from lecun_cli.frameworks import FRAMEWORKS


@cache
def recognizer_of(framework: str) -> Recognizer:
    """Return the recognizer that the record of a framework refers to.

    Args:
        framework: A key of `FRAMEWORKS`.

    Raises:
        DeriveError: The framework does not have a recognizer.
    """
    reference = FRAMEWORKS[framework].recognizer
    if reference is None:
        raise DeriveError(f"derive does not support {framework} yet", help="write the spec by hand")
    module, _, attribute = reference.partition(":")
    recognizer: Recognizer = getattr(import_module(module), attribute)
    return recognizer


def recognize(
    tensors: tuple[Tensor, ...], framework: str, candidates: Iterable[DerivedLayer] = ()
) -> tuple[DerivedLayer, ...]:
    """Return layers and raw tensors that together describe every tensor, in the order of the tensors.

    Args:
        tensors: The tensors of the source.
        framework: A key of `FRAMEWORKS`.
        candidates: Layers and raw tensors that the source itself describes; they take precedence. A layer
            that does not reproduce tensors of the source is dropped.
    """
    index = TensorIndex(tensors, framework)
    layers: dict[str, DerivedLayer] = {}  # by the first of its tensors
    for layer in candidates:
        _take(index, (layer,), layers)
    order = {tensor.name: i for i, tensor in enumerate(tensors)}
    for tensor in tensors:
        if tensor.name in index.left:
            _recognize_one(index, tensor, layers)
    return tuple(sorted(layers.values(), key=lambda layer: min(order[t.name] for t in layer.stored)))


def _recognize_one(index: TensorIndex, tensor: Tensor, layers: dict[str, DerivedLayer]) -> None:
    framework = index.framework.name
    recognizer = recognizer_of(framework)
    prefixes = index.prefixes(tensor.name)
    rules = [(recognizer.nested, prefix) for prefix in prefixes]
    if prefixes:
        rules.append((recognizer.direct, prefixes[-1]))
    for rule, prefix in rules:
        if _take(index, rule(index, prefix), layers) and tensor.name not in index.left:
            return
    stray = recognizer.stray(index, tensor) if recognizer.stray is not None else None
    _take(index, (stray or raw_tensor(tensor, framework),), layers)


def _take(index: TensorIndex, candidates: tuple[DerivedLayer, ...], layers: dict[str, DerivedLayer]) -> bool:
    """Add layers and remove their tensors from `index.left`; return False if one does not match."""
    framework = index.framework.name
    taken = []
    for layer in candidates:
        checked = layer if layer.layer_type == "tensor" else with_stored(layer, index.left, framework)
        if checked is None or any(t.name not in index.left for t in checked.stored):
            return False
        taken.append(checked)
    for layer in taken:
        for tensor in layer.stored:
            del index.left[tensor.name]
        dtypes = {t.dtype for t in layer.stored if t.dtype not in _FIXED}
        layers[layer.stored[0].name] = replace(layer, dtype=dtypes.pop() if len(dtypes) == 1 else layer.dtype)
    return bool(taken)


_FIXED = frozenset({"int64"})  # counters, whose dtype the layer type fixes
