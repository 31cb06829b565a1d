"""Embeddings."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.base import LECUN_NORMAL, Layer, Parameter
from lecun_cli.layers.fields import InitializerField, Size


class Embedding(Layer):
    """A table of vectors: `embeddings (num_embeddings, embedding_dim)`.

    A look-up sums over nothing, so its fan-in is a convention: the width, as Flax has it
    (`flax/linen/linear.py`, `default_embed_init`).
    """

    type: Literal["embedding"]
    num_embeddings: Size = Field(description="how many vectors")
    embedding_dim: Size = Field(description="width of a vector")
    embeddings_initializer: InitializerField = LECUN_NORMAL

    def parameters(self) -> tuple[Parameter, ...]:
        """`embeddings (num_embeddings, embedding_dim)`."""
        fans = Fans(self.embedding_dim, self.num_embeddings)
        shape = (self.num_embeddings, self.embedding_dim)
        return (Parameter("embeddings", shape, self.embeddings_initializer, fans),)


LAYER_TYPES = (Embedding,)
