"""Convert Keras's initializers to those of the family, if they are supported."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lecun_cli.derive.described_model import Map, Scalar, Value
from lecun_cli.derive.readers.keras_layers import snake_case
from lecun_cli.initializers.family import FAMILY, Initializer, InitializerError, make

# Keras's names that differ from ours.
_NAMES = {"random_uniform": "uniform", "zero": "zeros", "one": "ones"}
_ARGUMENTS = {
    "constant": ("value",),
    "truncated_normal": ("stddev",),
    "uniform": ("minval", "maxval"),
    "variance_scaling": ("scale", "mode", "distribution"),
}


class UnsupportedInitializerError(Exception):
    """An unsupported initializer; the text of the exception names it."""


def from_keras(initializer: object) -> Value | None:
    """Return a Keras initializer as the value of a field, or None if the config does not state one.

    Args:
        initializer: A name, or Keras's `{"class_name": ..., "config": {...}}`.

    Raises:
        UnsupportedInitializerError: The family does not have such an initializer.
    """
    if initializer is None:
        return None
    name, config = _parts(initializer)
    family_name = _NAMES.get(snake_case(name), snake_case(name))
    if family_name not in FAMILY:
        raise UnsupportedInitializerError(name)
    arguments = {key: config[key] for key in _ARGUMENTS.get(family_name, ()) if key in config}
    if config.get("mean"):
        raise UnsupportedInitializerError(f"{name} with a mean of {config['mean']}")
    if arguments.get("distribution") == "normal":
        arguments["distribution"] = "truncated_normal"  # as Keras reads it
    try:
        return value_of(make(family_name, arguments))
    except InitializerError as error:
        raise UnsupportedInitializerError(f"{name} ({error.message})") from None


def value_of(initializer: Initializer) -> Value:
    """Return an initializer as a spec writes it: only its name if all arguments are defaults."""
    defaults = FAMILY[initializer.name].defaults
    pairs: list[tuple[str, Scalar]] = [(k, v) for k, v in initializer.arguments if v != defaults[k]]
    return Map((("name", initializer.name), *pairs)) if pairs else initializer.name


def _parts(initializer: object) -> tuple[str, Mapping[str, Any]]:
    if isinstance(initializer, str):
        return initializer, {}
    if isinstance(initializer, dict) and isinstance(initializer.get("class_name"), str):
        config = initializer.get("config")
        return initializer["class_name"], config if isinstance(config, dict) else {}
    raise UnsupportedInitializerError(f"a {type(initializer).__name__}")
