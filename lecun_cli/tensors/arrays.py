"""A LeCun-normal array from its identity, without a spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lecun_cli.errors import UsageError
from lecun_cli.initializers.family import make
from lecun_cli.initializers.fans import Fans, Shape
from lecun_cli.tensors.boxes import full_box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def lecun_normal(
    shape: Shape, *, fan_in: float, seed: int, identity: str, dtype: str = "float32"
) -> NDArray[np.generic]:
    """A LeCun-normal array: the very one that a file holds for a parameter of this identity.

    LeCun normal is variance scaling with scale 1, mode fan_in and the normal truncated at two standard
    deviations: the std is sqrt(1 / fan_in), and no weight is past 2.2737 / sqrt(fan_in).

    Args:
        shape: Canonical shape: `(out, in)` for dense, `(out, in / groups, *kernel)` for convolutions.
            Keras and Flax store the transpose.
        fan_in: Inputs that feed one output.
        seed: 0 to 2**64 - 1.
        identity: For example `hidden/kernel`.
        dtype: A float dtype.

    Returns:
        An array `shape` of `dtype`, little-endian.

    Raises:
        UsageError: An argument is out of its range.

    Example:
        >>> lecun_normal((64, 100), fan_in=100, seed=42, identity="hidden/kernel").shape
        (64, 100)
    """
    from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
    from lecun_cli.plan.types import PackedParameter, TensorPlan
    from lecun_cli.tensors.generator import draw_tensor

    shape = tuple(shape)
    if dtype not in DTYPES or not DTYPES[dtype].is_float:
        raise UsageError(
            f"weights are floats, found dtype {dtype!r}", help=f"dtypes are: {', '.join(FLOAT_DTYPES)}"
        )
    if not fan_in > 0:
        raise UsageError(f"fan_in: expected a positive number, got {fan_in}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"a seed is from 0 to 2**64 - 1, found {seed}")
    if any(n < 1 for n in shape):
        raise UsageError(f"a size is at least 1, found the shape {shape}")
    initializer = make("lecun_normal")
    fans = Fans(fan_in, fan_in)
    part = PackedParameter(identity, shape, None, initializer, fans, fans, initializer.distribution(fans))
    tensor = TensorPlan.of(identity, dtype, shape, (part,))
    return draw_tensor(tensor, seed, full_box(shape))
