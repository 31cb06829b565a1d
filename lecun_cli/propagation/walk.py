"""Forward pass through chains of layers, with one input and one output in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Fans
from lecun_cli.layers.operation import FLATTENED, POOLED
from lecun_cli.plan.types import PackedParameter, Plan, TensorPlan
from lecun_cli.propagation.activations import activate
from lecun_cli.propagation.chain import Link
from lecun_cli.propagation.layer_weights import ReadParameter, Weights, params_of
from lecun_cli.tensors.generator import draw_tensor

if TYPE_CHECKING:
    from lecun_cli.layers.operation import Array, Conventions


def inputs(link: Link, samples: int, seed: int) -> Array:
    """Draw the inputs of a layer that starts a chain.

    Args:
        link: The layer.
        samples: Number of samples.
        seed: Seed of the inputs, which come from the stream: the same on every machine.

    Returns:
        `(samples, *shape)` float32, or `(samples,)` int64 token IDs.
    """
    shape = (samples, *link.shape)
    tokens = link.operation.tokens
    if tokens is not None:
        initializer = make("uniform", {"minval": 0.0, "maxval": 1.0})
        dtype = "float64"
    else:
        initializer, dtype = make("lecun_normal"), "float32"
    fans = Fans(1, 1)
    part = PackedParameter(
        f"propagate/{link.name}", shape, None, initializer, fans, fans, initializer.distribution(fans)
    )
    values: Any = draw_tensor(TensorPlan.of("input", dtype, shape, (part,)), seed)
    if tokens is not None:
        count = tokens(link.layer)
        return np.minimum((values * count).astype(np.int64), count - 1)  # type: ignore[no-any-return]
    return values  # type: ignore[no-any-return]


def outputs(
    plan: Plan, links: Sequence[Link], samples: Sequence[int], read_parameter: ReadParameter, input_seed: int
) -> Iterator[tuple[Link, tuple[float, float], Array]]:
    """Yield (link, mean and variance before the activation, output) for each link in turn.

    The output is valid until the next iteration.

    Args:
        plan: The plan.
        links: Links of its layers.
        samples: Number of samples for each link.
        read_parameter: The source of the weights.
        input_seed: Seed of the inputs.
    """
    framework = FRAMEWORKS[plan.framework]
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    x: Any = None
    for link, count in zip(links, samples, strict=True):
        starts = x is None or link.begins
        x = inputs(link, count, input_seed) if starts else _enter(x, link.entry, framework)
        weights = Weights(params_of(link.planned, link.layer, plan.framework, tensors), read_parameter)
        with np.errstate(
            over="ignore", under="ignore", invalid="ignore"
        ):  # a signal may explode, which the result shows
            x = link.operation.apply(link.layer, weights, x, framework)
        before = moments(x)
        if link.activation is not None:
            activate(link.activation, x, framework)
        yield link, before, x


def _enter(x: Array, entry: str, conventions: Conventions) -> Array:
    """Return a signal `(samples, *image, channels)` in the form in which it enters the next layer."""
    if entry == FLATTENED:
        ordered = np.moveaxis(x, -1, 1) if conventions.channels_first else x
        return np.ascontiguousarray(ordered).reshape(len(x), -1)
    if entry == POOLED:
        mean: Array = x.mean(axis=tuple(range(1, x.ndim - 1)), dtype=np.float64).astype(np.float32)
        return mean
    return x


def moments(x: Array) -> tuple[float, float]:
    """Return mean and variance of all elements in float64; not finite if an element is not."""
    flat = x.reshape(-1)
    chunks = [flat[k : k + 2**20] for k in range(0, len(flat), 2**20)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = math.fsum(_sum(chunk.sum(dtype=np.float64)) for chunk in chunks) / len(flat)
        if not math.isfinite(mean):
            return math.nan, math.inf
        square = math.fsum(_sum(np.square(chunk.astype(np.float64) - mean).sum()) for chunk in chunks)
    return mean, square / len(flat)


def _sum(value: Any) -> float:  # noqa: ANN401 - a NumPy scalar
    """Return a sum as a float, NaN if it is infinite: `fsum` raises an error if it meets both infinities."""
    return float(value) if math.isfinite(value) else math.nan
