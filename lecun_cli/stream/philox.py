"""Keys and Philox4x64-10 blocks, contiguous or scattered.

Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3" (SC'11). Block b is a function of
the counter `(b, 0, 0, 0)` and a 128-bit key, in the numbering of the Random123 library. Contiguous blocks
come from NumPy's `Philox.random_raw`, the only part of `numpy.random` that NumPy promises never to change;
scattered blocks come from the same function written with NumPy's integer operations.
"""

from __future__ import annotations

import hashlib
import struct
from typing import Any

import numpy as np
from numpy.random import Philox

Key = tuple[int, int]
Words = np.ndarray[Any, np.dtype[np.uint64]]

WORDS_PER_BLOCK = 4
MAX_BLOCK = 2**64 - 1

_DOMAIN = b"lecun-init stream 1\0"
_KEY = struct.Struct("<2Q")
_U64 = np.uint64
_CHUNK = 4096  # blocks per step: few ufunc calls, and all operands stay in the cache of a core
_ROUNDS = 10
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_WEYL = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
_LOW = _U64(0xFFFFFFFF)
_SHIFT = _U64(32)


def stream_key(seed: int, identity: str) -> Key:
    """Return the Philox key of one parameter.

    Args:
        seed: `0 <= seed < 2**64`.
        identity: The canonical path of the parameter, such as `hidden/kernel`.

    Returns:
        The first 16 bytes of `SHA-256("lecun-init stream 1" NUL seed identity)` as two little-endian u64. The
        seed is hashed as 8 little-endian bytes and the identity as UTF-8.

    Raises:
        ValueError: `seed` is out of range.
    """
    return key_of(key_prefix(seed), identity)


def key_prefix(seed: int) -> bytes:
    """Return the hashed prefix that the keys of one seed share, for `key_of`.

    Raises:
        ValueError: `seed` is out of range.
    """
    if not 0 <= seed < 2**64:
        raise ValueError(f"seed: expected 0 to 2**64 - 1, got {seed}")
    return _DOMAIN + seed.to_bytes(8, "little")


def key_of(prefix: bytes, identity: str) -> Key:
    """Return the key of an identity; faster than `stream_key` for many keys of one seed."""
    key: Key = _KEY.unpack_from(hashlib.sha256(prefix + identity.encode()).digest())
    return key


class BlockReader:
    """Reader of contiguous blocks of one stream, for one thread. It positions NumPy's Philox at any block."""

    def __init__(self, key: Key) -> None:
        # NumPy increments the counter before it computes a block: counter -1 gives block 0.
        self._generator = Philox(key=np.array(key, dtype=_U64), counter=np.full(4, MAX_BLOCK, dtype=_U64))
        self._next = 0

    def read(self, block: int, count: int) -> Words:
        """Return the blocks `block .. block + count - 1` as native u64 words, shape `(4 * count,)`."""
        if block != self._next:
            self._generator.advance((block - self._next) % 2**256)
        self._next = block + count
        return self._generator.random_raw(WORDS_PER_BLOCK * count)


def blocks(key: Key, numbers: Words, out: Words | None = None, work: Words | None = None) -> Words:
    """Compute blocks with any numbers, in any order.

    Args:
        key: From `stream_key`.
        numbers: Block numbers, shape `(n,)`.
        out: Array for the words, shape `(n, 4)`; allocated if None.
        work: Working memory from `block_work()`; allocated if None.

    Returns:
        Native u64 words, shape `(n, 4)`.
    """
    if out is None:
        out = np.empty((len(numbers), WORDS_PER_BLOCK), dtype=_U64)
    if work is None:
        work = block_work()
    keys = [tuple((k + r * w) % 2**64 for k, w in zip(key, _WEYL, strict=True)) for r in range(_ROUNDS)]
    columns = [np.array(pair, dtype=_U64).reshape(2, 1) for pair in keys]
    for first in range(0, len(numbers), _CHUNK):
        part = numbers[first : first + _CHUNK]
        _philox(part, keys, columns, work[:, :, : len(part)], out[first : first + _CHUNK])
    return out


def block_work() -> Words:
    """Allocate working memory for `blocks`, for one thread."""
    work = np.empty((9, 2, _CHUNK), dtype=_U64)
    multipliers = np.array(_MULTIPLIERS, dtype=_U64).reshape(2, 1)
    # Repeated to full width, because an operand with a stride of zero halves the speed.
    work[0], work[1], work[2] = multipliers, multipliers & _LOW, multipliers >> _SHIFT
    return work


def _philox(
    numbers: Words, keys: list[tuple[int, ...]], columns: list[Words], work: Words, out: Words
) -> None:
    """Compute ten rounds; the rows of `even` are words 0 and 2, those of `odd` are words 3 and 1.

    The counters are `(number, 0, 0, 0)`. A round is
    `0, 1, 2, 3 <- high(M1 * w2) ^ w1 ^ k0, low(M1 * w2), high(M0 * w0) ^ w3 ^ k1, low(M0 * w0)`.
    """
    multipliers, (even, odd, high, low, *spare) = work[:3], work[3:]
    # Round 0 has w1 = w2 = w3 = 0, so that its product by M1 is 0, and so w0 = k0, w1 = 0 in round 1.
    even[0] = numbers
    _multiply(even[0], multipliers[:, 0], high[0], odd[0], [s[0] for s in spare])
    np.bitwise_xor(high[0], _U64(keys[0][1]), out=even[1])
    product = _MULTIPLIERS[0] * keys[0][0]
    np.bitwise_xor(odd[0], _U64((product >> 64) ^ keys[1][1]), out=low[0])
    _multiply(even[1], multipliers[:, 1], high[1], odd[1], [s[1] for s in spare])
    np.bitwise_xor(high[1], _U64(keys[1][0]), out=even[0])
    even[1] = low[0]
    odd[0] = product % 2**64
    for column in columns[2:]:
        _multiply(even, multipliers, high, low, spare)
        np.bitwise_xor(high, odd, out=high)
        np.bitwise_xor(high[::-1], column, out=even)
        odd, low = low, odd
    out[:, 0], out[:, 1], out[:, 2], out[:, 3] = even[0], odd[1], even[1], odd[0]


def _multiply(x: Words, multipliers: Words, high: Words, low: Words, spare: list[Words]) -> None:
    """Compute the 128-bit product as two u64 from 32-bit halves; no partial sum overflows."""
    full, m_low, m_high = multipliers
    a, b = spare
    np.bitwise_and(x, _LOW, out=low)
    np.right_shift(x, _SHIFT, out=high)
    np.multiply(low, m_low, out=a)
    np.right_shift(a, _SHIFT, out=a)
    np.multiply(high, m_low, out=b)
    np.add(a, b, out=a)
    np.multiply(low, m_high, out=low)
    np.bitwise_and(a, _LOW, out=b)
    np.add(low, b, out=low)
    np.right_shift(low, _SHIFT, out=low)
    np.right_shift(a, _SHIFT, out=a)
    np.multiply(high, m_high, out=high)
    np.add(high, a, out=high)
    np.add(high, low, out=high)
    np.multiply(x, full, out=low)
