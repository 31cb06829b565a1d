"""Descriptions and examples for the keys of the JSON Schema, which editors show.

A field of a model has its own description where its meaning is special to the model. The descriptions of keys
that mean the same everywhere are here, with the examples of all keys that do not belong to a layer.
"""

from __future__ import annotations

from typing import Any

from lecun_cli.errors import LecunInitError

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "dtype": ("bfloat16",),
    "fan_rule": ("exact",),
    "framework": ("torch",),
    "index": ("i",),
    "layers": ([{"type": "dense", "name": "hidden", "in_features": 100, "out_features": 64}],),
    "match": ("*norm.weight",),
    "model": ("sequential",),
    "name": ("hidden", "blocks.{i}"),
    "params": ({"d": 512, "heads": "d // 64"},),
    "repeat": (12, "blocks"),
    "rules": ([{"match": "*norm.weight", "dtype": "float32"}],),
    "seed": (42,),
    "tensors": ([{"name": "lm_head.weight", "shape": ["vocab", "d"], "in_axes": [1]}],),
}
"""Examples by key. Fields of layers have their own; keys that end in `initializer` share `_INITIALIZER`."""

_SCALE = "the factor of the variance"  # normalization layers also have a key `scale`

_INITIALIZER = ("lecun_normal", {"name": "truncated_normal", "stddev": 0.02})

DESCRIPTIONS = {
    "distribution": "the distribution; truncated_normal is truncated at two standard deviations",
    "maxval": "the largest value",
    "minval": "the smallest value",
    "mode": "the fan that the variance is divided by",
    "name": "the initializer's name",
    "stddev": "the standard deviation of the normal distribution before truncation",
    "value": "the value of every element",
}
"""Descriptions by key, for fields without their own."""

_ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "distribution": ("truncated_normal",),
    "maxval": (0.05,),
    "minval": (-0.05,),
    "mode": ("fan_in",),
    "scale": (2.0,),
    "stddev": (0.02,),
    "value": (0.07,),
}


def describe(definition: dict[str, Any]) -> None:
    """Add a description and examples to every property of a definition, in place.

    Args:
        definition: The JSON Schema of an object: the spec, a layer type, or a rule.
    """
    for key, field in definition.get("properties", {}).items():
        if key == "type":
            field.setdefault("description", definition.get("description", "the layer type"))
            field.setdefault("examples", [field.get("const", field.get("default"))])
        elif key.endswith("initializer"):
            param_name = key.removesuffix("initializer").rstrip("_") or "values"
            field["description"] = f"the initializer of the {param_name}: a name, or a name with arguments"
            field["examples"] = list(_INITIALIZER)
            _describe_arguments(field)
        else:
            field.setdefault("description", DESCRIPTIONS.get(key))
            examples = field.pop("examples", None) or EXAMPLES.get(key)
            if examples is None:
                raise LecunInitError(
                    f'the key "{key}" of {definition.get("title")} has no examples',
                    help="give its field in lecun_cli/layers `examples=[...]`",
                )
            field["examples"] = list(examples)


def _describe_arguments(initializer: dict[str, Any]) -> None:
    for row in initializer.get("anyOf", ()):
        _describe_arguments(row)
    for key, field in initializer.get("properties", {}).items():
        if key == "name":
            field["examples"] = [field["const"]]
        else:
            field.setdefault("description", _SCALE if key == "scale" else DESCRIPTIONS[key])
            field["examples"] = list(_ARGUMENTS[key])
