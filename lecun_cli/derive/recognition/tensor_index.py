"""The tensors of a source by name, and what their shapes say together."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property

from lecun_cli.derive.described_model import Tensor
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.fans import Shape

_COLLECTIONS = ("params", "batch_stats")
EMBEDDING = re.compile(
    r"(^|[._/])(\w*embed\w*|wte|wpe|shared|tok_embeddings|relative_attention_bias|\w*_emb)\Z", re.IGNORECASE
)


class TensorIndex:
    """The tensors of a source that no layer has taken yet.

    Args:
        tensors: What the source has.
        framework: A key of `FRAMEWORKS`.
    """

    def __init__(self, tensors: tuple[Tensor, ...], framework: str) -> None:
        self.tensors = tensors
        self.framework = FRAMEWORKS[framework]
        self._agreed: dict[Callable[[TensorIndex, Tensor], int | None], int | None] = {}
        self.left = {tensor.name: tensor for tensor in tensors}

    def shape(self, prefix: str, leaf: str, collection: str | None = None) -> Shape | None:
        """The shape of a tensor of the layer `prefix`, or None if there is none."""
        tensor = self.left.get(self.framework.tensor_name((prefix,), leaf, collection))
        return None if tensor is None else tensor.shape

    def tensor(self, prefix: str, leaf: str) -> Tensor | None:
        """A tensor of the layer `prefix`."""
        return self.left.get(self.framework.tensor_name((prefix,), leaf))

    def prefixes(self, name: str) -> tuple[str, ...]:
        """The layers that a tensor may belong to by its name, the widest first: at most three parts away."""
        path = name.split(self.framework.separator)
        if self.framework.collection is not None and path[0] in _COLLECTIONS:
            path = path[1:]
        return tuple(self.framework.separator.join(path[:-n]) for n in (3, 2, 1) if len(path) > n)

    def unanimous(self, says: Callable[[TensorIndex, Tensor], int | None]) -> int | None:
        """What all tensors that say something say alike; each is asked once."""
        if says not in self._agreed:
            answers = {says(self, tensor) for tensor in self.tensors} - {None}
            self._agreed[says] = answers.pop() if len(answers) == 1 else None
        return self._agreed[says]

    @cached_property
    def width(self) -> int | None:
        """The width of the model: that of its largest embedding."""
        embeddings = [t.shape for t in self.tensors if len(t.shape) == 2 and EMBEDDING.search(_layer(t.name))]
        return max(embeddings)[1] if embeddings else None

    @cached_property
    def stored_inputs_first(self) -> frozenset[str]:
        """The last words of layers whose dense kernels are `(in, out)`, as the lengths of biases prove.

        GPT-2 stores its dense layers so (the Hub's `Conv1D`), where torch has `(out, in)`.
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
    """The last word of a layer's path."""
    return re.split(r"[./]", prefix)[-1]
