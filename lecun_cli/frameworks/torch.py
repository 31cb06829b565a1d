"""PyTorch: `hidden.weight`, channels first, `(out, in)`."""

from __future__ import annotations

import math

from lecun_cli.fans import FanError, Fans, Shape
from lecun_cli.frameworks.base import Framework, slot


def calculate_fans(shape: Shape) -> Fans:
    """What `torch.nn.init._calculate_fan_in_and_fan_out` gives (torch/nn/init.py).

    Args:
        shape: A stored shape of two axes or more; those past the second are the receptive field.

    Raises:
        FanError: The shape has fewer than two axes, for which torch raises ValueError.
    """
    if len(shape) < 2:
        raise FanError(f"torch has no fans for a shape of fewer than two axes, {list(shape)}")
    taps = math.prod(shape[2:])
    return Fans(shape[1] * taps, shape[0] * taps)


_WEIGHT_BIAS = (slot("weight", "kernel"), slot("bias", "bias"))
_AFFINE = (slot("weight", "gamma"), slot("bias", "beta"))

TORCH = Framework(
    name="torch",
    separator=".",
    header="pt",
    fans=calculate_fans,
    table={
        "dense": _WEIGHT_BIAS,
        "experts": _WEIGHT_BIAS,
        "conv1d": _WEIGHT_BIAS,
        "conv2d": _WEIGHT_BIAS,
        "conv3d": _WEIGHT_BIAS,
        "embedding": (slot("weight", "embeddings"),),
        "layer_normalization": _AFFINE,
        "rms_normalization": (slot("weight", "scale"),),
        "batch_normalization": (
            *_AFFINE,
            slot("running_mean", "moving_mean"),
            slot("running_var", "moving_variance"),
            slot("num_batches_tracked", "num_batches_tracked"),
        ),
        "group_normalization": _AFFINE,
    },
)
