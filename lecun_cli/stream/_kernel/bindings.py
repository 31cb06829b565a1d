"""Bindings of the C kernel, which draws the same elements as the NumPy code in one pass."""

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
"""Largest index that the kernel draws; NumPy draws beyond it. Tensors that fit on a disk are far below."""

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


def available() -> bool:
    """Return true if the kernel is in use."""
    return load().module is not None


def draw(out: AnyArray, sampler: Sampler, key: Key, start: int, counts: tuple[int, ...]) -> bool:
    """Fill an array of any strides if the kernel is in use.

    Args:
        out: Array of the sampler's dtype, with any alignment and strides.
        sampler: The sampler of the elements.
        key: The result of `stream_key`.
        start: Index in the stream of the first element.
        counts: Distance in the stream between neighbors along each axis of `out`; the last is 1.

    Returns:
        True if the array was filled.
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
    """Return the codes of a sampler's distribution and dtype, and its numbers."""
    distribution = (
        TRUNCATED_NORMAL if sampler.normal else UNIFORM if sampler.center is None else UNIFORM_OFF_CENTER
    )
    numbers = (float(sampler.factor), float(sampler.center or 0), float(sampler.low), float(sampler.high))
    return distribution, DTYPE_CODES[sampler.dtype.name], numbers


_RANGE = struct.Struct("=5Q")
_SAMPLER = struct.Struct("=2i4d")


def packed_sampler(sampler: Sampler) -> bytes:
    """Pack a sampler for `packed_run`."""
    distribution, dtype, numbers = _codes(sampler)
    return _SAMPLER.pack(distribution, dtype, *numbers)


def packed_run(packed: bytes, key: Key, start: int, offset: int, n_elements: int) -> bytes:
    """Pack a run of consecutive elements for `draw_runs`.

    Args:
        packed: The result of `packed_sampler`.
        key: The result of `stream_key`.
        start: Index in the stream of the first element.
        offset: Offset of the run in the buffer, in bytes.
        n_elements: Number of elements, at least 1.
    """
    return _RANGE.pack(offset, n_elements, start, *key) + packed


def draw_runs(out: AnyArray, runs: Iterable[bytes]) -> None:
    """Fill many runs of one buffer in one call. The kernel must be `available`.

    Args:
        out: Contiguous uint8 buffer.
        runs: Results of `packed_run`, in any order.
    """
    module = load().module
    if module is None:
        raise AssertionError("draw_runs needs the kernel")
    module.draw_runs(out, b"".join(runs))
