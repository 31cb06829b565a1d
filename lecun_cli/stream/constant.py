"""Constants, rounded once from float64."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from lecun_cli.errors import UsageError

if TYPE_CHECKING:
    from lecun_cli.dtypes import DType

_WITHOUT_INFINITY = "float8_e4m3fn"


def constant(value: float, dtype: DType) -> np.ndarray[Any, np.dtype[Any]]:
    """Return `value` as a zero-dimensional array of a dtype.

    Integers and bools are exact. Floats are rounded once from float64, to nearest, ties to even. Infinities
    and NaN are allowed if the dtype has them.

    Args:
        value: The constant.
        dtype: The dtype of the tensor.

    Raises:
        UsageError: The value does not fit in the dtype.
    """
    if dtype.is_float:
        return _float(float(value), dtype)
    lowest = -dtype.largest - 1 if dtype.kind == "int" else 0
    if not (math.isfinite(value) and value == int(value) and lowest <= int(value) <= dtype.largest):
        raise UsageError(
            f"a constant does not fit in {dtype.name}: expected a whole number from {lowest} to "
            f"{dtype.largest}, got {value!r}",
            help="change the value or the dtype",
        )
    return np.array(int(value), dtype=dtype.numpy())


def _float(value: float, dtype: DType) -> np.ndarray[Any, np.dtype[Any]]:
    if abs(value) > dtype.largest and not (math.isinf(value) and dtype.name != _WITHOUT_INFINITY):
        raise UsageError(
            f"a constant does not fit in {dtype.name}: expected a magnitude of at most {dtype.largest!r}, "
            f"got {value!r}",
            help="change the value or the dtype",
        )
    if dtype.name == "float64":
        return np.array(value, dtype=dtype.numpy())
    single = np.float32(value)
    if dtype.name == "float32":
        return np.array(single, dtype=dtype.numpy())
    if math.isfinite(value) and float(single) != value and not single.view(np.uint32) & np.uint32(1):
        # Rounding to odd first makes the second rounding equal to one rounding from float64.
        single = np.nextafter(single, np.float32(math.copysign(math.inf, value - float(single))))
    rounded = np.array(single).astype(dtype.numpy())
    # A bfloat16 dtype always has the byte order of the host.
    return rounded.byteswap() if dtype.name == "bfloat16" and sys.byteorder == "big" else rounded
