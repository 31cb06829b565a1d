"""Normalisations and the learned rectifier, each with the framework's own epsilon."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.errors import UsageError
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.activation import PReLU
from lecun_cli.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
)
from lecun_cli.propagation.activations import Array
from lecun_cli.propagation.layer_weights import Weights
from lecun_cli.propagation.operation import AS_IT_IS, Operation

EPSILON = {
    ("layer_normalization", "keras"): 1e-3,
    ("layer_normalization", "torch"): 1e-5,
    ("layer_normalization", "flax"): 1e-6,
    ("rms_normalization", "keras"): 1e-6,
    ("rms_normalization", "torch"): float(np.finfo(np.float32).eps),
    ("rms_normalization", "flax"): 1e-6,
    ("batch_normalization", "keras"): 1e-3,
    ("batch_normalization", "torch"): 1e-5,
    ("batch_normalization", "flax"): 1e-5,
    ("group_normalization", "keras"): 1e-3,
    ("group_normalization", "torch"): 1e-5,
    ("group_normalization", "flax"): 1e-6,
}
"""The epsilon that each framework's layer has by default; a spec holds none."""


def _feature_axes(features: Shape, shape: Shape, framework: str) -> bool | None:
    """Whether features are an image in PyTorch's order, `(channels, *image)`; None where they do not fit.

    Args:
        features: What a layer normalises.
        shape: One sample, channels last.
        framework: A key of `FRAMEWORKS`.
    """
    if features == shape[len(shape) - len(features) :]:
        return False
    if framework == "torch" and features == (shape[-1], *shape[:-1]):
        return True
    return None


def _enter_features(layer: Any, shape: Shape, framework: str) -> str | None:  # noqa: ANN401
    return None if _feature_axes(layer.features, shape, framework) is None else AS_IT_IS


def _of_features(values: Array, features: Shape, shape: Shape, framework: str) -> Array:
    """A parameter `(*features)` in the order of the signal."""
    first = _feature_axes(features, shape, framework)
    return np.moveaxis(values, 0, -1) if first else values


def _normalized(x: Array, axes: tuple[int, ...], epsilon: float, *, center: bool) -> Array:
    """Over axes: less the mean if `center`, and over the root of the mean square; moments in float64."""
    mean = x.mean(axis=axes, keepdims=True, dtype=np.float64) if center else np.zeros(())
    y = x - mean.astype(np.float32)
    square = np.square(y).mean(axis=axes, keepdims=True, dtype=np.float64)
    y *= (1.0 / np.sqrt(square + epsilon)).astype(np.float32)
    return y


def _layer(layer: LayerNormalization, weights: Weights, x: Array, framework: str) -> Array:
    shape = x.shape[1:]
    axes = tuple(range(x.ndim - len(layer.features), x.ndim))
    y = _normalized(x, axes, EPSILON["layer_normalization", framework], center=True)
    if "gamma" in weights:
        y *= _of_features(weights.read("gamma"), layer.features, shape, framework)
    if "beta" in weights:
        y += _of_features(weights.read("beta"), layer.features, shape, framework)
    return y


def _rms(layer: RMSNormalization, weights: Weights, x: Array, framework: str) -> Array:
    axes = tuple(range(x.ndim - len(layer.features), x.ndim))
    y = _normalized(x, axes, EPSILON["rms_normalization", framework], center=False)
    y *= _of_features(weights.read("scale"), layer.features, x.shape[1:], framework)
    return y


def _batch(layer: BatchNormalization, weights: Weights, x: Array, framework: str) -> Array:
    """With the stored running statistics, as in inference."""
    del layer
    variance = weights.read("moving_variance").astype(np.float64)
    scale = (1.0 / np.sqrt(variance + EPSILON["batch_normalization", framework])).astype(np.float32)
    y = x - weights.read("moving_mean")
    y *= scale
    return _affine(y, weights)


def _group(layer: GroupNormalization, weights: Weights, x: Array, framework: str) -> Array:
    if layer.features % layer.groups:
        raise UsageError(
            f"groups divides features, and {layer.features} is no multiple of {layer.groups} "
            f'in "{layer.name}"',
            help="give the layer its groups; weights do not depend on them, a forward pass does",
        )
    grouped = x.reshape(*x.shape[:-1], layer.groups, -1)
    axes = (*range(1, x.ndim - 1), x.ndim)
    y = _normalized(grouped, axes, EPSILON["group_normalization", framework], center=True)
    return _affine(y.reshape(x.shape), weights)


def _affine(y: Array, weights: Weights) -> Array:
    """Scaled and shifted in place, by channel."""
    if "gamma" in weights:
        y *= weights.read("gamma")
    if "beta" in weights:
        y += weights.read("beta")
    return y


def _slopes(shape: Shape, framework: str) -> Shape:
    """The shape of slopes as it stands against a signal with the channels last."""
    return (max(shape, default=1),) if framework == "torch" else shape


def _enter_slopes(layer: PReLU, shape: Shape, framework: str) -> str | None:
    slopes = _slopes(layer.shape, framework)
    features = shape[len(shape) - len(slopes) :]
    fits = len(features) == len(slopes) and all(a in {1, b} for a, b in zip(slopes, features, strict=True))
    return AS_IT_IS if fits else None


def _p_re_lu(layer: PReLU, weights: Weights, x: Array, framework: str) -> Array:
    alpha = weights.read("alpha").reshape(_slopes(layer.shape, framework))
    return np.where(x > 0, x, alpha * x)


def _demanded(layer: Any, channels: int, rank: int, framework: str) -> Shape | None:  # noqa: ANN401
    """The image that is normalised as a whole."""
    features: Shape = layer.features
    if len(features) != rank + 1:
        return None
    first = framework == "torch"
    image = features[1:] if first else features[:-1]
    return image if features[0 if first else -1] == channels else None


def _keep(layer: Any, shape: Shape) -> Shape:  # noqa: ANN401
    del layer
    return shape


def _over_features(apply: Any) -> Operation:  # noqa: ANN401
    return Operation(
        enter=_enter_features,
        fresh=lambda layer, _: layer.features,
        output=_keep,
        apply=apply,
        before=_keep,
        demands=_demanded,
    )


def _over_channels(apply: Any) -> Operation:  # noqa: ANN401
    return Operation(
        enter=lambda layer, shape, _: AS_IT_IS if shape[-1] == layer.features else None,
        fresh=lambda layer, _: (layer.features,),
        output=_keep,
        apply=apply,
        before=_keep,
    )


LAYER = _over_features(_layer)
RMS = _over_features(_rms)
BATCH = _over_channels(_batch)
GROUP = _over_channels(_group)
P_RE_LU = Operation(
    enter=_enter_slopes,
    fresh=lambda layer, _: layer.shape or (1,),
    output=_keep,
    apply=_p_re_lu,
    before=_keep,
)
