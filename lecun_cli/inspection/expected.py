"""What a tensor should hold: what its manifest states, or what its layer's kind asks for."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lecun_cli.dtypes import DTYPES
from lecun_cli.initializers.distributions import Constant, Distribution, mix
from lecun_cli.plan.types import TensorPlan


@dataclass(frozen=True)
class Expected:
    """The law that a tensor is held against.

    Attributes:
        distribution: The law.
        initializer: Its name: a row of the family, or several joined by `+` where parts differ.
        fan_in: The fan-in in force; None where there is none, or parts differ.
        fan_out: The fan-out in force; likewise.
        is_stated: Whether a manifest states it; else it follows from the layer's kind, as LeCun normal.
        is_guessed: Whether the layer's kind is not known, so that the fan-in is a guess from the shape.
        identities: What the streams of its parts are keyed with; only where stated.
    """

    distribution: Distribution
    initializer: str
    fan_in: float | None
    fan_out: float | None
    is_stated: bool
    is_guessed: bool = False
    identities: tuple[str, ...] = ()

    @property
    def is_random(self) -> bool:
        """Whether its law has a density."""
        return self.distribution.is_continuous

    @property
    def is_constant(self) -> bool:
        """Whether all of it is known beforehand."""
        return all(isinstance(component, Constant) for component in self.distribution.components)


def expected_of(tensor: TensorPlan, *, is_stated: bool, is_guessed: bool = False) -> Expected:
    """What a planned tensor should hold.

    Args:
        tensor: How it is planned.
        is_stated: Whether a manifest says so.
        is_guessed: Whether the kind of its layer is not known.
    """
    parts = tensor.parts
    fans = {part.fans for part in parts}
    fan = next(iter(fans)) if len(fans) == 1 else None
    needs = any(part.initializer.is_random for part in parts)
    return Expected(
        distribution=mix((part.n_elements, part.distribution) for part in parts),
        initializer="+".join(dict.fromkeys(part.initializer.name for part in parts)),
        fan_in=fan.fan_in if fan and needs else None,
        fan_out=fan.fan_out if fan and needs else None,
        is_stated=is_stated,
        is_guessed=is_guessed,
        identities=tuple(part.identity for part in parts) if is_stated else (),
    )


def limits_of(expected: Expected | None, dtype: str) -> tuple[float, float]:
    """The smallest and the largest value of a law, rounded as the dtype rounds, or infinities.

    A bound that is no number of the dtype is rounded to it, as the weights are; two steps of float32 are
    left for the arithmetic that made them.
    """
    if expected is None:
        return -math.inf, math.inf
    low, high = expected.distribution.support
    return _outward(low, dtype), _outward(high, dtype)


def as_stored(value: float, dtype: str) -> float:
    """A number as a float dtype rounds it."""
    import numpy as np

    return float(np.float64(value).astype(DTYPES[dtype].numpy()))


def _outward(end: float, dtype: str) -> float:
    if math.isinf(end) or not DTYPES[dtype].is_float:
        return float(end)
    slack = 2.0**-50 if dtype == "float64" else 2.0**-22
    return as_stored(end + math.copysign(abs(end) * slack, end), dtype)
