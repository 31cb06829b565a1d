"""A model's own initializers -> ours, where they are offered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lecun_cli.derive.described_model import Map, Scalar, Value
from lecun_cli.initializers.family import FAMILY, Initializer, InitializerError, make

# Keras's names that ours differ from.
_NAMES = {"random_uniform": "uniform", "zero": "zeros", "one": "ones"}
_KEPT = {
    "constant": ("value",),
    "truncated_normal": ("stddev",),
    "uniform": ("minval", "maxval"),
    "variance_scaling": ("scale", "mode", "distribution"),
}


class NotOfferedError(Exception):
    """An initializer that is not offered; its text names it."""


def from_keras(initializer: object) -> Value | None:
    """Keras's initializer as a field's value; None where the config says none.

    Args:
        initializer: A name, or Keras's `{"class_name": ..., "config": {...}}`.

    Raises:
        NotOfferedError: It is not offered.
    """
    if initializer is None:
        return None
    name, config = _parts(initializer)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    ours = _NAMES.get(snake, snake)
    if ours not in FAMILY:
        raise NotOfferedError(name)
    arguments = {key: config[key] for key in _KEPT.get(ours, ()) if key in config}
    if config.get("mean"):
        raise NotOfferedError(f"{name} with a mean of {config['mean']}")
    if arguments.get("distribution") == "normal":
        arguments["distribution"] = "truncated_normal"  # as Keras reads it
    try:
        return value_of(make(ours, arguments))
    except InitializerError as error:
        raise NotOfferedError(f"{name} ({error.message})") from None


def value_of(initializer: Initializer) -> Value:
    """An initializer as it is written: its name alone where its arguments are the defaults."""
    defaults = FAMILY[initializer.name].defaults
    pairs: list[tuple[str, Scalar]] = [(k, v) for k, v in initializer.arguments if v != defaults[k]]
    return Map((("name", initializer.name), *pairs)) if pairs else initializer.name


def _parts(initializer: object) -> tuple[str, Mapping[str, Any]]:
    if isinstance(initializer, str):
        return initializer, {}
    if isinstance(initializer, dict) and isinstance(initializer.get("class_name"), str):
        config = initializer.get("config")
        return initializer["class_name"], config if isinstance(config, dict) else {}
    raise NotOfferedError(f"a {type(initializer).__name__}")
