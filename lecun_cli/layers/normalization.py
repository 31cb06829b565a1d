"""Normalizations: scales of one, shifts of zero, and the running statistics of a batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import Field

from lecun_cli.errors import UsageError
from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.base import ONES, ZEROS, AnyLayerType, Layer, LayerType, Parameter
from lecun_cli.layers.fields import InitializerField, Size, Sizes
from lecun_cli.layers.operation import AS_IS, Operation

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions, LayerWeights


def _affine(
    shape: tuple[int, ...],
    scale: bool,
    center: bool,
    gamma: Initializer,
    beta: Initializer,
) -> tuple[Parameter, ...]:
    parameters = []
    if scale:
        parameters.append(Parameter("gamma", shape, gamma))
    if center:
        parameters.append(Parameter("beta", shape, beta))
    return tuple(parameters)


class LayerNormalization(Layer):
    """Layer normalization: `gamma` and `beta`, both `(*features)`."""

    type: Literal["layer_normalization"]
    features: Sizes = Field(description="the normalized shape", examples=[64, "d"])
    scale: bool = Field(
        default=True, description="if true, the layer has a gamma (PyTorch's weight)", examples=[False]
    )
    center: bool = Field(
        default=True, description="if true, the layer has a beta (PyTorch's bias)", examples=[False]
    )
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `gamma (*features)` and `beta (*features)`."""
        return _affine(self.features, self.scale, self.center, self.gamma_initializer, self.beta_initializer)


class RMSNormalization(Layer):
    """Root-mean-square normalization: `scale (*features)`."""

    type: Literal["rms_normalization"]
    features: Sizes = Field(description="the normalized shape", examples=[64, "d"])
    scale_initializer: InitializerField = ONES

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `scale (*features)`."""
        return (Parameter("scale", self.features, self.scale_initializer),)


class BatchNormalization(Layer):
    """Batch normalization: `gamma`, `beta`, `moving_mean`, `moving_variance`, all `(features,)`.

    PyTorch also stores a counter, `num_batches_tracked ()` int64.
    """

    type: Literal["batch_normalization"]
    features: Size = Field(description="number of channels", examples=[64, "d"])
    scale: bool = Field(
        default=True, description="if true, the layer has a gamma (PyTorch's weight)", examples=[False]
    )
    center: bool = Field(
        default=True, description="if true, the layer has a beta (PyTorch's bias)", examples=[False]
    )
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS
    moving_mean_initializer: InitializerField = ZEROS
    moving_variance_initializer: InitializerField = ONES

    def parameters(self) -> tuple[Parameter, ...]:
        """Return scale and shift, the two running statistics, and the counter."""
        shape = (self.features,)
        return (
            *_affine(shape, self.scale, self.center, self.gamma_initializer, self.beta_initializer),
            Parameter("moving_mean", shape, self.moving_mean_initializer),
            Parameter("moving_variance", shape, self.moving_variance_initializer),
            Parameter("num_batches_tracked", (), ZEROS, dtype="int64"),
        )


class GroupNormalization(Layer):
    """Group normalization: `gamma` and `beta`, both `(features,)`."""

    type: Literal["group_normalization"]
    features: Size = Field(description="number of channels", examples=[64, "d"])
    groups: Size = Field(
        default=32,
        description="number of groups of channels; it affects propagate, not the weights",
        examples=[1, 8],
    )
    scale: bool = Field(
        default=True, description="if true, the layer has a gamma (PyTorch's weight)", examples=[False]
    )
    center: bool = Field(
        default=True, description="if true, the layer has a beta (PyTorch's bias)", examples=[False]
    )
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """Return `gamma (features,)` and `beta (features,)`."""
        return _affine(
            (self.features,), self.scale, self.center, self.gamma_initializer, self.beta_initializer
        )


def _is_channels_first(features: Shape, shape: Shape, conventions: Conventions) -> bool | None:
    """Return whether features are an image with the channels first, or None if they do not fit the signal.

    Args:
        features: The shape that a layer normalizes.
        shape: The signal, one sample, channels last.
        conventions: Those of the framework.
    """
    if features == shape[len(shape) - len(features) :]:
        return False
    if conventions.channels_first and features == (shape[-1], *shape[:-1]):
        return True
    return None


def _normalize(x: Array, axes: tuple[int, ...], epsilon: float, *, center: bool) -> Array:
    """Divide by the root mean square over axes, after subtracting the mean if `center`.

    The moments are computed in float64.
    """
    import numpy as np

    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64) if center else np.zeros(())
    y = x - mean.astype(np.float32)
    square = np.square(y).mean(axis=axes, keepdims=True, dtype=np.float64)
    y *= (1.0 / np.sqrt(square + epsilon)).astype(np.float32)
    return y


def _normalize_features(
    layer: LayerNormalization | RMSNormalization,
    weights: LayerWeights,
    x: Array,
    conventions: Conventions,
) -> Array:
    import numpy as np

    def in_signal_order(param_name: str) -> Array:
        values = weights.read(param_name)
        first = _is_channels_first(layer.features, x.shape[1:], conventions)
        return np.moveaxis(values, 0, -1) if first else values

    axes = tuple(range(x.ndim - len(layer.features), x.ndim))
    center = isinstance(layer, LayerNormalization)
    y = _normalize(x, axes, conventions.epsilon_of(layer.type), center=center)
    for scale in ("gamma", "scale"):
        if scale in weights:
            y *= in_signal_order(scale)
    if "beta" in weights:
        y += in_signal_order("beta")
    return y


def _normalize_batch(
    layer: BatchNormalization, weights: LayerWeights, x: Array, conventions: Conventions
) -> Array:
    """Normalize by the stored statistics, as in inference."""
    import numpy as np

    variance = weights.read("moving_variance").astype(np.float64)
    scale = (1.0 / np.sqrt(variance + conventions.epsilon_of(layer.type))).astype(np.float32)
    y = x - weights.read("moving_mean")
    y *= scale
    return _scale_and_shift(y, weights)


def _normalize_groups(
    layer: GroupNormalization, weights: LayerWeights, x: Array, conventions: Conventions
) -> Array:
    if layer.features % layer.groups:
        raise UsageError(
            f'groups of "{layer.name}": expected a divisor of features = {layer.features}, '
            f"got {layer.groups}",
            help="give the layer its groups, which affect the forward pass",
        )
    grouped = x.reshape(*x.shape[:-1], layer.groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    y = _normalize(grouped, axes, conventions.epsilon_of(layer.type), center=True)
    return _scale_and_shift(y.reshape(x.shape), weights)


def _scale_and_shift(y: Array, weights: LayerWeights) -> Array:
    """Apply `gamma` and `beta` to each channel in place, as far as the layer has them."""
    if "gamma" in weights:
        y *= weights.read("gamma")
    if "beta" in weights:
        y += weights.read("beta")
    return y


def _enter_features(
    layer: LayerNormalization | RMSNormalization, shape: Shape, conventions: Conventions
) -> str | None:
    return None if _is_channels_first(layer.features, shape, conventions) is None else AS_IS


def _demanded_image(
    layer: LayerNormalization | RMSNormalization, channels: int, rank: int, conventions: Conventions
) -> Shape | None:
    """Return the image that the layer normalizes as a whole, or None if it normalizes something else."""
    features = layer.features
    if len(features) != rank + 1:
        return None
    first = conventions.channels_first
    image = features[1:] if first else features[:-1]
    return image if features[0 if first else -1] == channels else None


_OVER_FEATURES = Operation[LayerNormalization | RMSNormalization](
    enter=_enter_features,
    fresh=lambda layer, _: layer.features,
    output=lambda _, shape: shape,
    apply=_normalize_features,
    before=lambda _, image: image,
    demands=_demanded_image,
)

C = TypeVar("C", BatchNormalization, GroupNormalization)


def _over_channels(
    apply: Callable[[C, LayerWeights, Array, Conventions], Array], note: str | None = None
) -> Operation[C]:
    return Operation(
        enter=lambda layer, shape, _: AS_IS if shape[-1] == layer.features else None,
        fresh=lambda layer, _: (layer.features,),
        output=lambda _, shape: shape,
        apply=apply,
        before=lambda _, image: image,
        note=note,
    )


LAYER_TYPES: tuple[AnyLayerType, ...] = (
    LayerType(LayerNormalization, _OVER_FEATURES, has_kernel=False, synonyms=("layer_norm", "layernorm")),
    LayerType(RMSNormalization, _OVER_FEATURES, has_kernel=False, synonyms=("rms_norm", "rmsnorm")),
    LayerType(
        BatchNormalization,
        _over_channels(_normalize_batch, "batch normalization uses its stored statistics, as in inference"),
        has_kernel=False,
        precedes_activation=True,
        synonyms=("batch_norm", "batchnorm", "batchnorm1d", "batchnorm2d"),
    ),
    LayerType(
        GroupNormalization,
        _over_channels(_normalize_groups),
        has_kernel=False,
        precedes_activation=True,
        synonyms=("group_norm", "groupnorm"),
    ),
)
