"""Embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, Layer, LayerType, Parameter
from lecun_cli.layers.fields import InitializerField, Size
from lecun_cli.layers.operation import Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


class Embedding(Layer):
    """A table of vectors: `embeddings (num_embeddings, embedding_dim)`.

    A look-up is not a sum, so its fan-in is a convention: the width, as in Flax
    (`flax/linen/linear.py`, `default_embed_init`).
    """

    type: Literal["embedding"]
    num_embeddings: Size = Field(description="number of vectors", examples=[50257, "vocab"])
    embedding_dim: Size = Field(description="width of a vector", examples=[768, "d"])
    embeddings_initializer: InitializerField = LECUN_NORMAL

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `embeddings (num_embeddings, embedding_dim)`."""
        fans = Fans(self.embedding_dim, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        return (Parameter("embeddings", shape, self.embeddings_initializer, fans),)


def _embedding(layer: Embedding, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    """Look up the vectors of token IDs `x (samples,)`, reading only the rows that occur."""
    import numpy as np

    del conventions
    y = np.empty((len(x), layer.embedding_dim), np.float32)
    for row, token in zip(y, x.tolist(), strict=True):
        row[...] = weights.rows("embeddings", int(token), int(token) + 1)[0]
    return y


_OPERATION = Operation[Embedding](
    enter=lambda *_: None,  # the output of a layer is not token IDs, so an embedding starts a new chain
    fresh=lambda *_: (),
    output=lambda layer, _: (layer.embedding_dim,),
    apply=_embedding,
    tokens=lambda layer: layer.num_embeddings,
)

LAYER_TYPES = (LayerType(Embedding, _OPERATION, has_kernel=False, synonyms=("embed",)),)
