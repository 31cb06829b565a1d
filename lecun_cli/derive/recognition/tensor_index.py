"""Index of the tensors of a source by name, with facts that follow from all of their shapes."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from lecun_cli.derive.described_model import Tensor
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.fans import Shape

COLLECTIONS = ("params", "batch_stats")
"""The collections of Flax that contain weights."""
EMBEDDING = re.compile(
    r"(^|[._/])(\w*embed\w*|wte|wpe|shared|tok_embeddings|relative_attention_bias|\w*_emb)\Z", re.IGNORECASE
)


class TensorIndex:
    """The tensors of a source, and which of them do not belong to a layer yet.

    Args:
        tensors: The tensors of the source.
        framework: A key of `FRAMEWORKS`.

    Attributes:
        left: Tensors that do not belong to a layer yet, by name.
    """

    def __init__(self, tensors: tuple[Tensor, ...], framework: str) -> None:
        self.tensors = tensors
        self.framework = FRAMEWORKS[framework]
        self._agreed: dict[Callable[[TensorIndex, Tensor], int | None], int | None] = {}
        self.left = {tensor.name: tensor for tensor in tensors}

    def shape(self, prefix: str, leaf: str, collection: str | None = None) -> Shape | None:
        """Return the shape of a tensor of the layer `prefix`, or None if the tensor does not exist."""
        tensor = self.left.get(self.framework.tensor_name((prefix,), leaf, collection))
        return None if tensor is None else tensor.shape

    def tensor(self, prefix: str, leaf: str) -> Tensor | None:
        """Return a tensor of the layer `prefix`, or None if it does not exist."""
        return self.left.get(self.framework.tensor_name((prefix,), leaf))

    def prefixes(self, name: str) -> tuple[str, ...]:
        """Return the names of layers that a tensor may belong to, shortest first, at most three parts up."""
        path = name.split(self.framework.separator)
        if self.framework.collection is not None and path[0] in COLLECTIONS:
            path = path[1:]
        return tuple(self.framework.separator.join(path[:-n]) for n in (3, 2, 1) if len(path) > n)

    def unanimous(self, rule: Callable[[TensorIndex, Tensor], int | None]) -> int | None:
        """Return the value on which all tensors with a value agree, or None; cached for each rule.

        Args:
            rule: Function that returns a value for a tensor, or None.
        """
        if rule not in self._agreed:
            values = {rule(self, tensor) for tensor in self.tensors} - {None}
            self._agreed[rule] = values.pop() if len(values) == 1 else None
        return self._agreed[rule]

    @cached_property
    def width(self) -> int | None:
        """Width of the model, which is the width of its largest embedding, or None without embeddings."""
        embeddings = [t.shape for t in self.tensors if len(t.shape) == 2 and EMBEDDING.search(_layer(t.name))]
        return max(embeddings)[1] if embeddings else None

    @cached_property
    def stored_inputs_first(self) -> frozenset[str]:
        """Last parts of the names of layers whose kernels are stored as `(in, out)`.

        The lengths of the biases prove it. GPT-2 stores its dense layers so (`Conv1D` of transformers),
        whereas PyTorch stores `(out, in)`.
        """
        inward: set[str] = set()
        outward: set[str] = set()
        biases = {t.name: t.shape for t in self.tensors if len(t.shape) == 1}
        for tensor in self.tensors:
            bias = biases.get(_layer(tensor.name) + ".bias")
            if bias is None or len(tensor.shape) != 2 or not tensor.name.endswith(".weight"):
                continue
            first, second = tensor.shape
            if first != second and bias[0] in (first, second):
                (outward if bias[0] == first else inward).add(last_name_of(_layer(tensor.name)))
        return frozenset(inward - outward)


def _layer(name: str) -> str:
    return re.split(r"[./][^./]*\Z", name)[0]


def last_name_of(prefix: str) -> str:
    """Return the last part of a layer's path."""
    return re.split(r"[./]", prefix)[-1]
