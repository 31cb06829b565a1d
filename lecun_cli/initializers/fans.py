"""Fan-in and fan-out.

The `exact` fans come from the layer types, which know the number of inputs that feed one output. The rules of
the frameworks, right or wrong, compute fans from a stored shape; each rule is in the file of its framework.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Shape = tuple[int, ...]


class FanError(Exception):
    """A shape without fans under a rule; the planner reports it with the tensor and its location."""


@dataclass(frozen=True)
class Fans:
    """The two fans of a kernel.

    Attributes:
        fan_in: Number of inputs that feed one output; a float only if it is not a whole number.
        fan_out: Number of outputs that one input feeds.
    """

    fan_in: float
    fan_out: float


def from_axes(
    shape: Shape,
    in_axes: tuple[int, ...],
    out_axes: tuple[int, ...] | None = None,
    batch_axes: tuple[int, ...] = (),
) -> Fans:
    """Return the fans of a tensor from its axes, like `jax.nn.initializers.variance_scaling`.

    If `out_axes` is given, all axes that are not named are the receptive field and count in both fans.
    Otherwise they are output axes.

    Args:
        shape: Shape of the tensor, outermost axis first.
        in_axes: Axes that one output sums over.
        out_axes: Axes of the outputs, or None.
        batch_axes: Axes of independent kernels, such as experts.

    Example:
        >>> from_axes((3, 5, 16, 32), in_axes=(2,), out_axes=(3,))
        Fans(fan_in=240, fan_out=480)
    """
    if out_axes is None:
        out_axes = tuple(i for i in range(len(shape)) if i not in in_axes and i not in batch_axes)
    named = {*in_axes, *out_axes, *batch_axes}
    field = math.prod(n for i, n in enumerate(shape) if i not in named)
    return Fans(
        math.prod(shape[i] for i in in_axes) * field,
        math.prod(shape[i] for i in out_axes) * field,
    )
