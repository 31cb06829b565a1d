"""Activations with parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.base import Layer, LayerType, Parameter
from lecun_cli.layers.fields import InitializerField, Sizes
from lecun_cli.layers.operation import AS_IS, Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights

QUARTER = make("constant", {"value": 0.25})


class PReLU(Layer):
    """A rectifier with a learned slope: `alpha (*shape)`, initially 0.25 (He et al., arXiv:1502.01852)."""

    type: Literal["p_re_lu"]
    shape: Sizes = Field(
        description="shape of the slopes: [] or [1] for a single slope, [channels] for one per channel",
        examples=[64, [1, 1, 64]],
    )
    alpha_initializer: InitializerField = QUARTER

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `alpha (*shape)`."""
        return (Parameter("alpha", self.shape, self.alpha_initializer),)


def _slopes(layer: PReLU, conventions: Conventions) -> Shape:
    """Return the shape of the slopes, broadcastable to a signal with the channels last."""
    return (max(layer.shape, default=1),) if conventions.channels_first else layer.shape


def _enter(layer: PReLU, shape: Shape, conventions: Conventions) -> str | None:
    slopes = _slopes(layer, conventions)
    features = shape[len(shape) - len(slopes) :]
    fits = len(features) == len(slopes) and all(a in {1, b} for a, b in zip(slopes, features, strict=True))
    return AS_IS if fits else None


def _p_re_lu(layer: PReLU, weights: LayerWeights, x: Array, conventions: Conventions) -> Array:
    import numpy as np

    alpha = weights.read("alpha").reshape(_slopes(layer, conventions))
    return np.where(x > 0, x, alpha * x)


_OPERATION = Operation[PReLU](
    enter=_enter,
    fresh=lambda layer, _: layer.shape or (1,),
    output=lambda _, shape: shape,
    apply=_p_re_lu,
    before=lambda _, image: image,
)

LAYER_TYPES = (LayerType(PReLU, _OPERATION, has_kernel=False, is_activation=True),)
