"""Samplers: the arithmetic that turns stream words into elements of one distribution and dtype.

It works in float32, or in float64 for float64 tensors, and rounds the result once to the dtype.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from lecun_cli.errors import UsageError
from lecun_cli.initializers.distributions import Distribution, TruncatedNormal, Uniform
from lecun_cli.stream import STREAM
from lecun_cli.stream.rounding import narrow
from lecun_cli.stream.truncated_normal import Scalar, evaluate

if TYPE_CHECKING:
    from lecun_cli.dtypes import DType

AnyArray = np.ndarray[Any, np.dtype[Any]]

_IN_PLACE = ("float32", "float64")


@dataclass(frozen=True)
class Sampler:
    """Conversion of stream words to random elements of one distribution and dtype.

    Attributes:
        dtype: Dtype of the elements.
        scalar: Working type, float32 or float64.
        word: Type of a stream word, int32 or int64, little-endian.
        unit: Factor that scales a word to [-1, 1].
        factor: sigma of a truncated normal, or half the width of a uniform distribution.
        center: Center of a uniform distribution; None if it is 0.
        low: Smallest value of a uniform distribution with a center.
        high: Largest value of a uniform distribution with a center.
        normal: If true, the distribution is a truncated normal.
    """

    dtype: DType
    scalar: type[np.float32 | np.float64]
    word: np.dtype[Any]
    unit: Scalar
    factor: Scalar
    center: Scalar | None
    low: Scalar
    high: Scalar
    normal: bool

    @property
    def per_block(self) -> int:
        """Number of elements per Philox block."""
        return 32 // self.word.itemsize

    def apply(self, words: AnyArray, out: AnyArray, work: tuple[Any, Any, Any, Any]) -> None:
        """Compute one element from each word.

        Args:
            words: Shape `(n,)`, of type `word`.
            out: Shape `(n,)`, of the dtype, with any alignment.
            work: Four working arrays of type `scalar`, shape `(n,)`.
        """
        u, t, p, q = work
        direct = self.dtype.name in _IN_PLACE
        np.copyto(u, words, casting="unsafe")
        np.multiply(u, self.unit, out=u)
        if self.normal:
            z = evaluate(u, t, p, q)
            np.multiply(z, self.factor, out=out if direct else z)
            if not direct:
                narrow(z, out, self.dtype.name, (u, t, q))
            return
        if self.center is None:
            np.multiply(u, self.factor, out=out if direct else u)
        else:
            np.multiply(u, self.factor, out=u)
            np.add(u, self.center, out=u)
            np.maximum(u, self.low, out=u)
            np.minimum(u, self.high, out=out if direct else u)
        if not direct:
            narrow(u, out, self.dtype.name, (t, p, q))


@lru_cache(maxsize=256)
def make_sampler(distribution: Distribution, dtype: DType) -> Sampler:
    """Prepare a random distribution for a dtype.

    Args:
        distribution: `TruncatedNormal` or `Uniform`.
        dtype: A float dtype.

    Returns:
        The sampler; equal arguments return the same object.

    Raises:
        UsageError: The distribution's arguments are invalid, or its values do not fit in the dtype.
        TypeError: The stream does not draw from this distribution.
    """
    if not dtype.is_float:
        raise UsageError(
            f"dtype of random weights: expected a float dtype, got {dtype.name}",
            help="choose a float dtype, or a constant initializer",
        )
    if not distribution.bound <= dtype.largest:
        raise UsageError(
            f"random weights do not fit in {dtype.name}: expected a largest magnitude of at most "
            f"{dtype.largest!r}, got {distribution.bound!r}",
            help="choose an initializer with smaller weights, or a wider dtype",
        )
    match distribution:
        case TruncatedNormal():
            return _truncated_normal_sampler(distribution, dtype)
        case Uniform():
            return _uniform_sampler(distribution, dtype)
        case _:
            raise TypeError(f"stream {STREAM} does not draw from {distribution}")


def _truncated_normal_sampler(distribution: TruncatedNormal, dtype: DType) -> Sampler:
    if distribution.sigma < 0:
        raise UsageError(f"sigma of a truncated normal: expected at least 0, got {distribution.sigma!r}")
    scalar, word, unit = _types(dtype)
    zero = scalar(0)
    return Sampler(dtype, scalar, word, unit, scalar(distribution.sigma), None, zero, zero, normal=True)


def _uniform_sampler(distribution: Uniform, dtype: DType) -> Sampler:
    minval, maxval = distribution.minval, distribution.maxval
    half, center = (maxval - minval) / 2, distribution.mean
    if not (0 <= half < math.inf and abs(center) < math.inf):
        raise UsageError(
            "range of a uniform distribution: expected minval <= maxval and a finite difference, "
            f"got {minval!r} and {maxval!r}"
        )
    scalar, word, unit = _types(dtype)
    # Adding 0 turns -0 into 0. Otherwise the processor chooses which of two zeros is the maximum.
    zero = scalar(0)
    low, high = scalar(minval) + zero, scalar(maxval) + zero
    middle = scalar(center) + zero if center else None
    return Sampler(dtype, scalar, word, unit, scalar(half), middle, low, high, normal=False)


def _types(dtype: DType) -> tuple[type[np.float32 | np.float64], np.dtype[Any], Scalar]:
    """Return the working type, the type of a stream word, and the factor from words to [-1, 1]."""
    if dtype.name == "float64":
        return np.float64, np.dtype("<i8"), np.float64(2.0**-63)
    return np.float32, np.dtype("<i4"), np.float32(2.0**-31)
