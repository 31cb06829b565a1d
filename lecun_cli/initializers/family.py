"""The family of initializers, one row each, with Keras's names.

`lecun_normal` is variance scaling with scale 1, mode fan_in and a normal distribution truncated at two
standard deviations (LeCun et al., "Efficient BackProp", 1998; Klambauer et al., arXiv:1706.02515). The std
of the *result* is sqrt(scale / n), as in Keras (`random_initializers.py`, VarianceScaling), JAX and timm.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from lecun_cli.initializers.distributions import (
    TRUNCATED_STD,
    Constant,
    Distribution,
    TruncatedNormal,
    Uniform,
)
from lecun_cli.initializers.fans import Fans

Argument = float | str
MODES = ("fan_in", "fan_out", "fan_avg")
DISTRIBUTIONS = ("truncated_normal", "uniform")


class InitializerError(ValueError):
    """An unknown initializer, or an invalid argument of an initializer."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True)
class Initializer:
    """An initializer with its arguments.

    Attributes:
        name: A key of `FAMILY`.
        arguments: All arguments by name, in the order of the row.
    """

    name: str
    arguments: tuple[tuple[str, Argument], ...] = ()

    @property
    def needs_fans(self) -> bool:
        """If true, the distribution depends on the fans."""
        return FAMILY[self.name].needs_fans

    @property
    def is_random(self) -> bool:
        """If true, the distribution is random, and so uses the stream."""
        return FAMILY[self.name].is_random

    def distribution(self, fans: Fans | None) -> Distribution:
        """Return the distribution of a tensor.

        Args:
            fans: Fans of the tensor; may be None unless `needs_fans`.

        Example:
            >>> make("lecun_uniform").distribution(Fans(fan_in=3, fan_out=5))
            Uniform(minval=-1.0, maxval=1.0)
        """
        return _distribution(self, fans)

    def to_json(self) -> dict[str, Argument]:
        """Return the form that manifests use: `{"name": "lecun_normal"}` and the arguments."""
        return {"name": self.name, **dict(self.arguments)}


@lru_cache(maxsize=1024)
def _distribution(initializer: Initializer, fans: Fans | None) -> Distribution:
    return FAMILY[initializer.name].distribution(dict(initializer.arguments), fans)


@dataclass(frozen=True)
class Row:
    """One initializer of the family.

    Attributes:
        summary: Description in a phrase.
        distribution: Function from arguments and fans to the distribution.
        defaults: Default of every argument; None for a required argument.
        choices: Allowed values of each string argument.
        positive: Names of the numeric arguments that must be positive.
        needs_fans: If true, the distribution depends on the fans.
        is_random: If true, the distribution is random.
    """

    summary: str
    distribution: Callable[[dict[str, Argument], Fans | None], Distribution]
    defaults: Mapping[str, Argument | None]
    choices: Mapping[str, tuple[str, ...]]
    positive: frozenset[str]
    needs_fans: bool
    is_random: bool


def _variance_scaling(arguments: Mapping[str, Argument], fans: Fans | None) -> Distribution:
    """Return the distribution of Keras's VarianceScaling: variance `scale / n`, where `mode` selects `n`."""
    if fans is None:
        raise AssertionError("variance scaling needs fans")
    n = {
        "fan_in": fans.fan_in,
        "fan_out": fans.fan_out,
        "fan_avg": (fans.fan_in + fans.fan_out) / 2,
    }[str(arguments["mode"])]
    variance = float(arguments["scale"]) / n
    if arguments["distribution"] == "uniform":
        limit = math.sqrt(3.0 * variance)
        return Uniform(-limit, limit)
    return TruncatedNormal(math.sqrt(variance) / TRUNCATED_STD)


def _scaled(scale: float, mode: str, distribution_name: str) -> Row:
    fixed: dict[str, Argument] = {"scale": scale, "mode": mode, "distribution": distribution_name}
    divisor = "(fan_in + fan_out) / 2" if mode == "fan_avg" else mode
    shape = "normal cut at two sigma" if distribution_name == "truncated_normal" else "uniform"
    return Row(
        f"{shape}, variance {scale:g} / {divisor}",
        lambda _, fans: _variance_scaling(fixed, fans),
        {},
        {},
        frozenset(),
        needs_fans=True,
        is_random=True,
    )


def _fixed(
    summary: str,
    distribution: Callable[[dict[str, Argument]], Distribution],
    *,
    is_random: bool,
    positive: frozenset[str] = frozenset(),
    **defaults: Argument | None,
) -> Row:
    return Row(
        summary,
        lambda arguments, _: distribution(arguments),
        defaults,
        {},
        positive,
        needs_fans=False,
        is_random=is_random,
    )


FAMILY: dict[str, Row] = {
    "lecun_normal": _scaled(1.0, "fan_in", "truncated_normal"),
    "lecun_uniform": _scaled(1.0, "fan_in", "uniform"),
    "he_normal": _scaled(2.0, "fan_in", "truncated_normal"),
    "he_uniform": _scaled(2.0, "fan_in", "uniform"),
    "glorot_normal": _scaled(1.0, "fan_avg", "truncated_normal"),
    "glorot_uniform": _scaled(1.0, "fan_avg", "uniform"),
    "variance_scaling": Row(
        "variance scale / n, n the fan that mode names",
        _variance_scaling,
        {"scale": 1.0, "mode": "fan_in", "distribution": "truncated_normal"},
        {"mode": MODES, "distribution": DISTRIBUTIONS},
        frozenset({"scale"}),
        needs_fans=True,
        is_random=True,
    ),
    "truncated_normal": _fixed(
        "normal of this stddev before it is cut at two sigma",
        lambda a: TruncatedNormal(float(a["stddev"])),
        is_random=True,
        positive=frozenset({"stddev"}),
        stddev=0.05,
    ),
    "uniform": _fixed(
        "uniform between minval and maxval",
        lambda a: Uniform(float(a["minval"]), float(a["maxval"])),
        is_random=True,
        minval=-0.05,
        maxval=0.05,
    ),
    "zeros": _fixed("all zeros", lambda _: Constant(0), is_random=False),
    "ones": _fixed("all ones", lambda _: Constant(1), is_random=False),
    "constant": _fixed(
        "all of one value",
        lambda a: Constant(a["value"] if isinstance(a["value"], int) else float(a["value"])),
        is_random=False,
        value=None,
    ),
}

# Known initializers that are not available, with the nearest available one.
REFUSED: dict[str, str] = {
    "orthogonal": "lecun_normal",
    "identity": "lecun_normal",
    "eye": "lecun_normal",
    "dirac": "lecun_normal",
    "sparse": "lecun_normal",
    "stft": "lecun_normal",
    "normal": "truncated_normal",
    "random_normal": "truncated_normal",
    "trunc_normal": "truncated_normal",
    "untruncated_normal": "truncated_normal",
    "random_uniform": "uniform",
    "kaiming_normal": "he_normal",
    "kaiming_uniform": "he_uniform",
    "xavier_normal": "glorot_normal",
    "xavier_uniform": "glorot_uniform",
}


def make(name: str, arguments: Mapping[str, object] | None = None) -> Initializer:
    """Create an initializer by its name.

    Args:
        name: A key of `FAMILY`.
        arguments: Arguments by name; the others take their defaults.

    Raises:
        InitializerError: The name or an argument is unknown or invalid; the help names the nearest name.

    Example:
        >>> make("truncated_normal", {"stddev": 0.02}).distribution(None)
        TruncatedNormal(sigma=0.02)
    """
    row = FAMILY.get(name)
    if row is None:
        raise _unknown(name)
    passed = dict(arguments or {})
    for key in passed:
        if key not in row.defaults:
            names = ", ".join(row.defaults) or "no arguments"
            raise InitializerError(f'{name} has no argument "{key}"', f"it takes {names}")
    complete = tuple((key, _argument(name, row, key, passed)) for key in row.defaults)
    initializer = Initializer(name, complete)
    if name == "uniform":
        low, high = dict(complete)["minval"], dict(complete)["maxval"]
        if not float(low) < float(high):
            raise InitializerError(f"range of uniform: expected minval < maxval, got {low!r} and {high!r}")
    return initializer


def _argument(name: str, row: Row, key: str, arguments: Mapping[str, object]) -> Argument:
    default = row.defaults[key]
    value = arguments.get(key, default)
    if value is None:
        raise InitializerError(f'missing argument "{key}" of {name}')
    if isinstance(default, str):
        if value not in row.choices[key]:
            raise InitializerError(
                f"{key} of {name}: expected one of {', '.join(row.choices[key])}, got {value!r}"
            )
        return str(value)
    if not isinstance(value, int | float) or (isinstance(value, bool) and name != "constant"):
        raise InitializerError(f"{key} of {name}: expected a number, got {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise InitializerError(f"{key} of {name}: expected a finite number, got {value!r}")
    if key in row.positive and value <= 0:
        raise InitializerError(f"{key} of {name}: expected a positive number, got {value!r}")
    if name == "constant":
        return int(value) if isinstance(value, bool) else value
    try:
        return float(value)
    except OverflowError:
        raise InitializerError(f"{key} of {name} overflows a float") from None


def _unknown(name: str) -> InitializerError:
    names = ", ".join(FAMILY)
    letters = (f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))
    snake = "".join(letters).rstrip("_")
    nearest = snake if snake in FAMILY else REFUSED.get(snake)
    if nearest is None:
        close = difflib.get_close_matches(snake, [*FAMILY, *REFUSED], n=1)
        nearest = REFUSED.get(close[0], close[0]) if close else None
    advice = f"the nearest one is {nearest}" if nearest else f"choose one of {names}"
    return InitializerError(f'unknown initializer "{name}"', advice)
