"""Keras 3: `hidden/kernel`, channels last, `(in, out)`."""

from __future__ import annotations

import math

from lecun_cli.fans import FanError, Fans, Shape
from lecun_cli.frameworks.base import Framework, Slot, slot


def compute_fans(shape: Shape) -> Fans:
    """What `keras.initializers.compute_fans` gives (keras/src/initializers/random_initializers.py).

    Args:
        shape: A stored shape; from three axes on, all but the last two are the receptive field.
    """
    match shape:
        case ():
            return Fans(1, 1)
        case (n,):
            return Fans(n, n)
        case (*window, fan_in, fan_out):
            taps = math.prod(window)
            return Fans(fan_in * taps, fan_out * taps)
    raise FanError(f"keras has no fans for {shape}")


def _conv(rank: int) -> tuple[Slot, ...]:
    window = tuple(range(2, 2 + rank))
    return (slot("kernel", "kernel", (*window, 1, 0)), slot("bias", "bias"))


_GAMMA_BETA = (slot("gamma", "gamma"), slot("beta", "beta"))

KERAS = Framework(
    name="keras",
    separator="/",
    header="keras",
    fans=compute_fans,
    table={
        "dense": (slot("kernel", "kernel", (1, 0)), slot("bias", "bias")),
        "experts": (slot("kernel", "kernel", (0, 2, 1)), slot("bias", "bias")),
        "conv1d": _conv(1),
        "conv2d": _conv(2),
        "conv3d": _conv(3),
        "embedding": (slot("embeddings", "embeddings"),),
        "layer_normalization": _GAMMA_BETA,
        "rms_normalization": (slot("scale", "scale"),),
        "batch_normalization": (
            *_GAMMA_BETA,
            slot("moving_mean", "moving_mean"),
            slot("moving_variance", "moving_variance"),
        ),
        "group_normalization": _GAMMA_BETA,
    },
)
