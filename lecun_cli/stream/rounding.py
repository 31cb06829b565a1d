"""Rounding from float32 to narrower floats, to nearest, ties to even.

It uses integer operations and one float addition that rounds as required, without temporary arrays.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

Float32s = np.ndarray[Any, np.dtype[np.float32]]
Work = tuple[Float32s, Float32s, Float32s]
AnyArray = np.ndarray[Any, np.dtype[Any]]

_EXPONENT_MASK = np.int32(0x7F800000)
_FRACTION_BITS = 23
_BIAS = 127


@dataclass(frozen=True)
class Layout:
    """Bits of a narrow float: sign, exponent and fraction, from the highest bit down.

    Attributes:
        bits: Number of bits.
        fraction: Number of fraction bits.
        lowest: Exponent of the smallest normal number, which the subnormal numbers share.
    """

    bits: int
    fraction: int
    lowest: int


LAYOUTS: dict[str, Layout] = {
    "float16": Layout(16, 10, -14),
    "float8_e4m3fn": Layout(8, 3, -6),
    "float8_e5m2": Layout(8, 2, -14),
}


def narrow(values: Float32s, out: AnyArray, name: str, work: Work) -> None:
    """Write float32 `values` to `out` as the dtype `name`, stored little-endian.

    Args:
        values: Finite, and not larger than the largest finite number of `name`. Overwritten.
        out: Array of the dtype and the shape of `values`, with any alignment and strides.
        name: `float16`, `bfloat16`, `float8_e4m3fn` or `float8_e5m2`.
        work: Three working arrays like `values`.
    """
    if name == "bfloat16":
        if sys.byteorder == "little":
            np.copyto(out, values, casting="unsafe")
        else:
            bfloat16_by_integers(values, out.view("<u2"), work[0])
        return
    by_integers(values, out.view(f"<u{out.itemsize}"), LAYOUTS[name], work)


def bfloat16_by_integers(values: Float32s, out: AnyArray, last: Float32s) -> None:
    """Round to bfloat16 as ml_dtypes does, for hosts where its bfloat16 has the wrong byte order.

    Args:
        values: Finite float32 values. Overwritten.
        out: `<u2`, the same shape.
        last: A working array like `values`.
    """
    bits, odd = values.view(np.uint32), last.view(np.uint32)
    np.right_shift(bits, np.uint32(16), out=odd)
    np.bitwise_and(odd, np.uint32(1), out=odd)
    np.add(bits, np.uint32(0x7FFF), out=bits)
    np.add(bits, odd, out=bits)
    np.right_shift(bits, np.uint32(16), out=bits)
    np.copyto(out, bits, casting="unsafe")


def by_integers(values: Float32s, out: AnyArray, layout: Layout, work: Work) -> None:
    """Round float32 to `layout`.

    Let `e` be the exponent of a value, but at least `layout.lowest`. A unit in the last place of the result
    is `2**(e - fraction)`. This is also the unit of the float32 number `2**(e - fraction + 23)`, so adding
    that power to the magnitude rounds it to nearest, ties to even, and leaves the number of units in the low
    bits of the sum. The bits of the result are this number plus `(e - lowest) << fraction`, for normal and
    subnormal results alike. If the number reaches the next power of two, it carries into the exponent.

    Args:
        values: Finite float32 values within the range of the layout. Overwritten.
        out: Little-endian unsigned integers of `layout.bits`, the same shape.
        layout: Layout of the result.
        work: Three working arrays like `values`.
    """
    shift = _FRACTION_BITS - layout.fraction
    bits, exponent, power, sign = (array.view(np.int32) for array in (values, *work))
    np.bitwise_and(bits, _EXPONENT_MASK, out=exponent)
    np.maximum(exponent, np.int32((layout.lowest + _BIAS) << _FRACTION_BITS), out=exponent)
    np.add(exponent, np.int32(shift << _FRACTION_BITS), out=power)
    np.right_shift(exponent, np.int32(shift), out=exponent)
    np.subtract(exponent, np.int32((layout.lowest + _BIAS) << layout.fraction), out=exponent)
    np.right_shift(bits, np.int32(32 - layout.bits), out=sign)
    np.bitwise_and(sign, np.int32(1 << (layout.bits - 1)), out=sign)
    np.absolute(values, out=values)
    np.add(values, power.view(np.float32), out=values)
    np.add(bits, exponent, out=bits)
    np.bitwise_or(bits, sign, out=bits)
    np.copyto(out, bits, casting="unsafe")  # keeps the low bits
