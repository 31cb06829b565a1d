"""Normalisations: scales of one, shifts of zero, and the running statistics of a batch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lecun_cli.initializers.family import Initializer
from lecun_cli.layers.base import ONES, ZEROS, Layer, Parameter
from lecun_cli.layers.fields import InitializerField, Size, Sizes


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
    """Layer normalisation: `gamma` and `beta`, both `(*features)`."""

    type: Literal["layer_normalization"]
    features: Sizes = Field(description="the normalised shape")
    scale: bool = Field(default=True, description="whether there is a gamma")
    center: bool = Field(default=True, description="whether there is a beta (PyTorch's bias)")
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """`gamma (*features)` and `beta (*features)`."""
        return _affine(self.features, self.scale, self.center, self.gamma_initializer, self.beta_initializer)


class RMSNormalization(Layer):
    """Root-mean-square normalisation: `scale (*features)`."""

    type: Literal["rms_normalization"]
    features: Sizes = Field(description="the normalised shape")
    scale_initializer: InitializerField = ONES

    def parameters(self) -> tuple[Parameter, ...]:
        """`scale (*features)`."""
        return (Parameter("scale", self.features, self.scale_initializer),)


class BatchNormalization(Layer):
    """Batch normalisation: `gamma`, `beta`, `moving_mean`, `moving_variance`, all `(features,)`.

    PyTorch stores a counter besides, `num_batches_tracked ()` int64.
    """

    type: Literal["batch_normalization"]
    features: Size = Field(description="channels")
    scale: bool = Field(default=True, description="whether there is a gamma")
    center: bool = Field(default=True, description="whether there is a beta")
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS
    moving_mean_initializer: InitializerField = ZEROS
    moving_variance_initializer: InitializerField = ONES

    def parameters(self) -> tuple[Parameter, ...]:
        """The affine pair, the two running statistics, and the counter."""
        shape = (self.features,)
        return (
            *_affine(shape, self.scale, self.center, self.gamma_initializer, self.beta_initializer),
            Parameter("moving_mean", shape, self.moving_mean_initializer),
            Parameter("moving_variance", shape, self.moving_variance_initializer),
            Parameter("num_batches_tracked", (), ZEROS, dtype="int64"),
        )


class GroupNormalization(Layer):
    """Group normalisation: `gamma` and `beta`, both `(features,)`."""

    type: Literal["group_normalization"]
    features: Size = Field(description="channels")
    groups: Size = Field(default=32, description="groups of channels; no effect on weights")
    scale: bool = Field(default=True, description="whether there is a gamma")
    center: bool = Field(default=True, description="whether there is a beta")
    gamma_initializer: InitializerField = ONES
    beta_initializer: InitializerField = ZEROS

    def parameters(self) -> tuple[Parameter, ...]:
        """`gamma (features,)` and `beta (features,)`."""
        return _affine(
            (self.features,), self.scale, self.center, self.gamma_initializer, self.beta_initializer
        )


LAYER_TYPES = (LayerNormalization, RMSNormalization, BatchNormalization, GroupNormalization)
