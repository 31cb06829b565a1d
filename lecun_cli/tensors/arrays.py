"""Generate a LeCun-normal array from its identity, without a spec."""

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
    """Return a LeCun-normal array, equal to the parameter of this identity in a weight file.

    LeCun normal (LeCun et al., "Efficient BackProp", 1998) is variance scaling with scale 1 and mode fan_in.
    The normal distribution is truncated at two standard deviations, as in Keras and JAX: the standard
    deviation of the weights is sqrt(1 / fan_in), and their largest magnitude 2.2737 / sqrt(fan_in).

    Args:
        shape: Canonical shape: `(out, in)` for dense layers, `(out, in / groups, *kernel)` for convolutions.
            Keras and Flax store the transpose.
        fan_in: Number of inputs that feed one output, above 0.
        seed: The seed, 0 to 2**64 - 1.
        identity: The key of the stream, such as `hidden/kernel`.
        dtype: A float dtype.

    Returns:
        An array of the shape and dtype, little-endian.

    Raises:
        UsageError: An argument is out of range.

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
            f'dtype: expected a float dtype, got "{dtype}"', help=f"float dtypes: {', '.join(FLOAT_DTYPES)}"
        )
    if not fan_in > 0:
        raise UsageError(f"fan_in: expected a positive number, got {fan_in}")
    if not 0 <= seed < 2**64:
        raise UsageError(f"seed: expected 0 to 2**64 - 1, got {seed}")
    if any(n < 1 for n in shape):
        raise UsageError(f"shape: expected sizes of at least 1, got {shape}")
    initializer = make("lecun_normal")
    fans = Fans(fan_in, fan_in)
    part = PackedParameter(identity, shape, None, initializer, fans, fans, initializer.distribution(fans))
    tensor = TensorPlan.of(identity, dtype, shape, (part,))
    return draw_tensor(tensor, seed, full_box(shape))
