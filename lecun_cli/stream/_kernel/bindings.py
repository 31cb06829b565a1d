"""The kernel's face to the stream: the same elements as the NumPy code, in one pass."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import numpy as np

from lecun_cli.stream._kernel.loader import DTYPE_CODES, TRUNCATED_NORMAL, UNIFORM, UNIFORM_OFF_CENTER, load
from lecun_cli.stream.philox import Key
from lecun_cli.stream.sampler import Sampler

AnyArray = np.ndarray[Any, np.dtype[Any]]

_MAX_INDEX = 2**63
"""Past this the NumPy code draws; no tensor that fits a disk comes near."""

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def available() -> bool:
    """Whether the kernel draws."""
    return load().module is not None


def draw(out: AnyArray, sampler: Sampler, key: Key, start: int, counts: tuple[int, ...]) -> bool:
    """Fill an array of any strides, if the kernel can.

    Args:
        out: Of the recipe's dtype, any alignment and strides.
        sampler: A law and a dtype.
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
    distribution, dtype, numbers = _codes(sampler)
    unsigned = out.view(_UNSIGNED[out.itemsize])
    module.draw(unsigned, start, counts, key, distribution, dtype, numbers)
    return True


def _codes(sampler: Sampler) -> tuple[int, int, tuple[float, float, float, float]]:
    """A recipe in the kernel's words."""
    distribution = (
        TRUNCATED_NORMAL if sampler.normal else UNIFORM if sampler.center is None else UNIFORM_OFF_CENTER
    )
    numbers = (float(sampler.factor), float(sampler.center or 0), float(sampler.low), float(sampler.high))
    return distribution, DTYPE_CODES[sampler.dtype.name], numbers


_RANGE = struct.Struct("=5Q")
_SAMPLER = struct.Struct("=2i4d")


def packed_sampler(sampler: Sampler) -> bytes:
    """A law and a dtype, for `packed_run`."""
    distribution, dtype, numbers = _codes(sampler)
    return _SAMPLER.pack(distribution, dtype, *numbers)


def packed_run(packed: bytes, key: Key, start: int, offset: int, n_elements: int) -> bytes:
    """A run of consecutive elements, for `draw_runs`.

    Args:
        packed: From `packed_sampler`.
        key: From `stream_key`.
        start: Index in the stream of the first element.
        offset: Where they go in the buffer, in bytes.
        n_elements: How many, at least 1.
    """
    return _RANGE.pack(offset, n_elements, start, *key) + packed


def draw_runs(out: AnyArray, runs: Iterable[bytes]) -> None:
    """Fill many runs of one buffer in one call; only where the kernel is `available`.

    Args:
        out: uint8, contiguous.
        runs: From `packed_run`, in any order.
    """
    module = load().module
    if module is None:
        raise AssertionError("runs are drawn by the kernel, and there is none")
    module.draw_runs(out, b"".join(runs))
