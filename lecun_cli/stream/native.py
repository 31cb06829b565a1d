"""The kernel's face to the stream: the same elements as the NumPy code, in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.kernel import DTYPE_CODES, TRUNCATED_NORMAL, UNIFORM, UNIFORM_OFF_CENTER, load
from lecun_cli.stream.philox import Key
from lecun_cli.stream.recipe import Recipe

AnyArray = np.ndarray[Any, np.dtype[Any]]

_MAX_INDEX = 2**63
"""Past this the NumPy code draws; no tensor that fits a disk comes near."""

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def available() -> bool:
    """Whether the kernel draws."""
    return load().module is not None


def draw(out: AnyArray, made: Recipe, key: Key, start: int, counts: tuple[int, ...]) -> bool:
    """Fill an array of any strides, if the kernel can.

    Args:
        out: Of the recipe's dtype, any alignment and strides.
        made: A law and a dtype.
        key: From `stream_key`.
        start: Index in the stream of the first element.
        counts: Distance in the stream between neighbours along each axis of `out`; the last is 1.

    Returns:
        Whether it was done.
    """
    module = load().module
    if module is None or out.size == 0:
        return False
    span = sum(count * (n - 1) for count, n in zip(counts, out.shape, strict=True))
    if not 0 <= start <= _MAX_INDEX - span:
        return False
    law = TRUNCATED_NORMAL if made.normal else UNIFORM if made.center is None else UNIFORM_OFF_CENTER
    numbers = (float(made.factor), float(made.center or 0), float(made.low), float(made.high))
    unsigned = out.view(_UNSIGNED[out.itemsize])
    module.draw(unsigned, start, counts, key, law, DTYPE_CODES[made.dtype.name], numbers)
    return True
