"""Expected distribution of a tensor: stated by its manifest, or implied by its layer type."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lecun_cli.dtypes import DTYPES
from lecun_cli.initializers.distributions import Constant, Distribution, mix
from lecun_cli.plan.types import TensorPlan


@dataclass(frozen=True)
class Expected:
    """The distribution with which a tensor is compared.

    Attributes:
        distribution: The expected distribution.
        initializer: Name of the initializer, or several names joined by `+` if packed parameters differ.
        fan_in: Effective fan-in; None if it is unknown, not needed, or packed parameters differ.
        fan_out: Effective fan-out; None in the same cases.
        is_stated: If true, a manifest states it; otherwise it is LeCun normal by the layer type.
        is_guessed: If true, the layer type is unknown, and the fan-in is guessed from the shape.
        identities: Stream identities of the parameters; empty unless a manifest states them.
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
        """If true, the distribution is continuous, so the values are random."""
        return self.distribution.is_continuous

    @property
    def is_constant(self) -> bool:
        """If true, the tensor consists of constants, which are known in advance."""
        return all(isinstance(component, Constant) for component in self.distribution.components)


def expected_of(tensor: TensorPlan, *, is_stated: bool, is_guessed: bool = False) -> Expected:
    """Return the expected distribution of a planned tensor.

    Args:
        tensor: The planned tensor.
        is_stated: If true, a manifest states it.
        is_guessed: If true, the type of its layer is unknown.
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
    """Return the smallest and largest allowed value, or infinities without an expected distribution.

    The bounds are rounded to the dtype as the weights are, with a slack of a few rounding errors for the
    arithmetic that produced the weights.

    Args:
        expected: The expected distribution, or None.
        dtype: A key of `DTYPES`.
    """
    if expected is None:
        return -math.inf, math.inf
    low, high = expected.distribution.support
    return _outward(low, dtype), _outward(high, dtype)


def as_stored(value: float, dtype: str) -> float:
    """Return a number rounded to a float dtype."""
    import numpy as np

    return float(np.float64(value).astype(DTYPES[dtype].numpy()))


def _outward(end: float, dtype: str) -> float:
    if math.isinf(end) or not DTYPES[dtype].is_float:
        return float(end)
    slack = 2.0**-50 if dtype == "float64" else 2.0**-22
    return as_stored(end + math.copysign(abs(end) * slack, end), dtype)
