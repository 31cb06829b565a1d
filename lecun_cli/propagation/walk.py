"""A forward pass through chains of layers, one input and one output in memory at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Fans
from lecun_cli.plan.types import PackedParameter, Plan, TensorPlan
from lecun_cli.propagation.activations import Array, activate
from lecun_cli.propagation.chain import TOKENS, Link
from lecun_cli.propagation.layer_weights import ReadParameter, Weights, params_of
from lecun_cli.propagation.operation import entered
from lecun_cli.tensors.generator import draw_tensor


def inputs(link: Link, samples: int, seed: int) -> Array:
    """The inputs of a layer that begins a chain: `(samples, *shape)` float32, or `(samples,)` token numbers.

    Args:
        link: The layer.
        samples: How many.
        seed: The seed of the inputs, which are of this project's own stream: the same on every machine.
    """
    shape = (samples, *link.shape)
    if link.entry == TOKENS:
        initializer = make("uniform", {"minval": 0.0, "maxval": 1.0})
        dtype = "float64"
    else:
        initializer, dtype = make("lecun_normal"), "float32"
    fans = Fans(1, 1)
    part = PackedParameter(
        f"propagate/{link.name}", shape, None, initializer, fans, fans, initializer.distribution(fans)
    )
    values: Any = draw_tensor(TensorPlan.of("input", dtype, shape, (part,)), seed)
    if link.entry == TOKENS:
        count = link.layer.num_embeddings  # type: ignore[union-attr]
        return np.minimum((values * count).astype(np.int64), count - 1)  # type: ignore[no-any-return]
    return values  # type: ignore[no-any-return]


def outputs(
    plan: Plan, links: Sequence[Link], samples: Sequence[int], read_parameter: ReadParameter, input_seed: int
) -> Iterator[tuple[Link, tuple[float, float], Array]]:
    """The output of each link in turn, with the mean and variance before its activation.

    An array is no longer that of its link when the next is asked for.
    """
    tensors = {tensor.name: tensor for tensor in plan.tensors}
    x: Array | None = None
    for link, count in zip(links, samples, strict=True):
        if link.begins or x is None:
            x = inputs(link, count, input_seed)
        else:
            x = entered(x, link.entry, plan.framework)
        weights = Weights(params_of(link.planned, link.layer, plan.framework, tensors), read_parameter)
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # it may explode: that is shown
            x = link.operation.apply(link.layer, weights, x, plan.framework)
        before = moments(x)
        if link.activation is not None:
            activate(link.activation, x, plan.framework)
        yield link, before, x


def moments(x: Array) -> tuple[float, float]:
    """Mean and variance of all elements, in float64, in blocks; not finite where an element is not."""
    flat = x.reshape(-1)
    chunks = [flat[k : k + 2**20] for k in range(0, len(flat), 2**20)]
    with np.errstate(over="ignore", invalid="ignore"):
        mean = math.fsum(_sum(chunk.sum(dtype=np.float64)) for chunk in chunks) / len(flat)
        if not math.isfinite(mean):
            return math.nan, math.inf
        square = math.fsum(_sum(np.square(chunk.astype(np.float64) - mean).sum()) for chunk in chunks)
    return mean, square / len(flat)


def _sum(value: Any) -> float:  # noqa: ANN401 - a NumPy scalar
    """A sum, of which `fsum` must not meet both infinities."""
    return float(value) if math.isfinite(value) else math.nan
