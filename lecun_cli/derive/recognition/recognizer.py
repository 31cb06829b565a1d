"""Tensors by name -> layers: what the names and shapes alone say, held against our own tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from lecun_cli.derive.described_model import DerivedLayer, Tensor
from lecun_cli.derive.recognition import keras_flax_names, torch_names
from lecun_cli.derive.recognition.layer_check import settled
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.tensor_index import TensorIndex

Matcher = Callable[[TensorIndex, str], tuple[DerivedLayer, ...]]
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


def recognize(
    tensors: tuple[Tensor, ...], framework: str, candidates: Iterable[DerivedLayer] = ()
) -> tuple[DerivedLayer, ...]:
    """A layer or a raw tensor for every tensor, in the order of the tensors.

    Args:
        tensors: What the source has.
        framework: A key of `FRAMEWORKS`.
        candidates: Layers and raw tensors that the source itself tells of; a layer that does not reproduce
            tensors of the source is dropped.
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
    prefixes = index.prefixes(tensor.name)
    for prefix in prefixes:
        if _take(index, _WIDE[framework](index, prefix), layers) and tensor.name not in index.left:
            return
    if (
        prefixes
        and _take(index, _NARROW[framework](index, prefixes[-1]), layers)
        and tensor.name not in index.left
    ):
        return
    experts = torch_names.expert_tensor(index, tensor) if framework == "torch" else None
    _take(index, (experts or raw_tensor(tensor, framework),), layers)


def _take(index: TensorIndex, candidates: tuple[DerivedLayer, ...], layers: dict[str, DerivedLayer]) -> bool:
    """Take entries with their tensors out of what is left; False where one does not reproduce them."""
    framework = index.framework.name
    taken = []
    for layer in candidates:
        checked = layer if layer.layer_type == "tensor" else settled(layer, index.left, framework)
        if checked is None or any(t.name not in index.left for t in checked.stored):
            return False
        taken.append(checked)
    for layer in taken:
        for tensor in layer.stored:
            del index.left[tensor.name]
        dtypes = {t.dtype for t in layer.stored if t.dtype not in _FIXED}
        layers[layer.stored[0].name] = replace(layer, dtype=dtypes.pop() if len(dtypes) == 1 else layer.dtype)
    return bool(taken)


_FIXED = frozenset({"int64"})  # a counter's, which its kind has anyway
