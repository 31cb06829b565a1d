"""Rules by which the layers of a framework are recognized: one record per framework."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lecun_cli.derive.described_model import DerivedLayer, Tensor
from lecun_cli.derive.recognition.tensor_index import TensorIndex

LayerRule = Callable[[TensorIndex, str], tuple[DerivedLayer, ...]]
"""Returns the layers that the tensors under a prefix look like, or an empty tuple."""


@dataclass(frozen=True)
class Recognizer:
    """Rules that turn the tensor names and shapes of one framework into layers.

    Attributes:
        nested: Rule for layers whose tensors are up to three levels below their name, such as attention.
        direct: Rule for layers whose tensors are directly below their name.
        stray: Rule for a tensor outside all recognized layers, or None if the framework has no such rule.
        leaf_names: Last parts of tensor names that are typical of the framework.
    """

    nested: LayerRule
    direct: LayerRule
    leaf_names: frozenset[str]
    stray: Callable[[TensorIndex, Tensor], DerivedLayer | None] | None = None
