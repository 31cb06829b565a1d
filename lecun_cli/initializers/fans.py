"""Fan-in and fan-out, and the rules that compute them.

`exact` is what each layer kind says of its own parameters: the inputs that feed one output. The
frameworks' rules, right or wrong, compute them from a stored shape; each stands in the framework's
own file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Shape = tuple[int, ...]


class FanError(Exception):
    """A rule that gives no fan for a shape; the plan tells the user, with the tensor and its place."""


@dataclass(frozen=True)
class Fans:
    """The two fans of a kernel, as counts of elements.

    Attributes:
        fan_in: Inputs that feed one output unit; a float only where it is not whole.
        fan_out: Output units that one input feeds.
    """

    fan_in: float
    fan_out: float


def from_axes(
    shape: Shape,
    in_axes: tuple[int, ...],
    out_axes: tuple[int, ...] | None = None,
    batch_axes: tuple[int, ...] = (),
) -> Fans:
    """Fans of a tensor whose axes are named, as `jax.nn.initializers.variance_scaling` has them.

    With `out_axes`, the axes that are named nowhere are the receptive field and count in both fans.
    Without, every axis that is neither an input nor a batch axis is an output.

    Args:
        shape: Tensor shape, outermost axis first.
        in_axes: Axes that one output sums over.
        out_axes: Axes of the outputs.
        batch_axes: Axes of independent kernels, such as experts.
    """
    if out_axes is None:
        out_axes = tuple(i for i in range(len(shape)) if i not in in_axes and i not in batch_axes)
    named = {*in_axes, *out_axes, *batch_axes}
    field = math.prod(n for i, n in enumerate(shape) if i not in named)
    return Fans(
        math.prod(shape[i] for i in in_axes) * field,
        math.prod(shape[i] for i in out_axes) * field,
    )
