"""Activations with parameters."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lecun_cli.initializers.family import make
from lecun_cli.layers.base import Layer, Parameter
from lecun_cli.layers.fields import InitializerField, Sizes

QUARTER = make("constant", {"value": 0.25})


class PReLU(Layer):
    """A rectifier with a learned slope: `alpha (*shape)`, 0.25 as in He et al., arXiv:1502.01852."""

    type: Literal["p_re_lu"]
    shape: Sizes = Field(
        description="one slope for each: [] or [1] for one in all, [channels] for one a channel"
    )
    alpha_initializer: InitializerField = QUARTER

    def parameters(self) -> tuple[Parameter, ...]:
        """`alpha (*shape)`."""
        return (Parameter("alpha", self.shape, self.alpha_initializer),)


LAYER_TYPES = (PReLU,)
