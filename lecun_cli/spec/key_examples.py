"""What an editor shows about a field of a spec: a description and examples for every key of the schema.

A description stands beside its field where it says something of that field alone; what a key means everywhere
is here, with examples, which are the same wherever the key stands.
"""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, tuple[Any, ...]] = {
    "activation": ("selu",),
    "batch_axes": ([0],),
    "bias": (False,),
    "center": (False,),
    "collection": ("batch_stats",),
    "depth_multiplier": (1,),
    "dtype": ("bfloat16",),
    "embed_dim": (512, "d"),
    "embedding_dim": (768, "d"),
    "fan_in": (100, "d"),
    "fan_out": (64,),
    "fan_rule": ("exact",),
    "features": (64, "d"),
    "framework": ("torch",),
    "groups": (1, 8),
    "head_dim": (64, "d // heads"),
    "hidden_size": (128,),
    "in_axes": ([1],),
    "in_channels": (3,),
    "in_features": (100, "4 * d"),
    "index": ("i",),
    "input_size": (64,),
    "kdim": (256,),
    "kernel_size": (3, [3, 3]),
    "layer": ({"type": "lstm", "input_size": 64, "hidden_size": 128},),
    "layers": ([{"type": "dense", "name": "hidden", "in_features": 100, "out_features": 64}],),
    "match": ("*norm.weight",),
    "model": ("sequential",),
    "name": ("hidden", "blocks.{i}"),
    "num_embeddings": (50257, "vocab"),
    "num_experts": (8,),
    "num_heads": (12, "heads"),
    "num_kv_heads": (8, "kv_heads"),
    "num_layers": (2,),
    "out_axes": ([0],),
    "out_channels": (64,),
    "out_features": (64, "4 * d"),
    "params": ({"d": 512, "heads": "d // 64"},),
    "repeat": (12, "blocks"),
    "reset_after": (True,),
    "rules": ([{"match": "*norm.weight", "dtype": "float32"}],),
    "scale": (False,),
    "seed": (42,),
    "shape": ([1000, 64], ["vocab", "d"]),
    "stream": ("embed/embeddings",),
    "stride": (2, [2, 2]),
    "tensors": ([{"name": "lm_head.weight", "shape": ["vocab", "d"], "in_axes": [1]}],),
    "unit_forget_bias": (True,),
    "vdim": (256,),
}
"""By key. Keys that end in `initializer` share theirs."""

_SCALE = "what the variance is multiplied by"  # a normalisation has a key `scale` too

_INITIALIZER = ("lecun_normal", {"name": "truncated_normal", "stddev": 0.02})

DESCRIPTIONS = {
    "distribution": "the law: truncated_normal is cut at two standard deviations",
    "maxval": "the largest value",
    "minval": "the least value",
    "mode": "the fan that the variance is divided by",
    "name": "the initializer's name",
    "stddev": "standard deviation of the normal before it is cut",
    "value": "the value of every element",
}
"""By key, where the field has none of its own."""

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
    """Give every property of a definition, in place, a description and examples.

    Args:
        definition: A JSON Schema of an object: the spec itself, a layer kind, a rule.
    """
    for key, field in definition.get("properties", {}).items():
        if key == "type":
            field.setdefault("description", definition.get("description", "the kind"))
            field.setdefault("examples", [field.get("const", field.get("default"))])
        elif key.endswith("initializer"):
            param_name = key.removesuffix("initializer").rstrip("_") or "values"
            field["description"] = f"initializer of its {param_name}: a name, or a name with arguments"
            field["examples"] = list(_INITIALIZER)
            _describe_arguments(field)
        else:
            field.setdefault("description", DESCRIPTIONS.get(key))
            field.setdefault("examples", list(EXAMPLES[key]))


def _describe_arguments(initializer: dict[str, Any]) -> None:
    for row in initializer.get("anyOf", ()):
        _describe_arguments(row)
    for key, field in initializer.get("properties", {}).items():
        if key == "name":
            field["examples"] = [field["const"]]
        else:
            field.setdefault("description", _SCALE if key == "scale" else DESCRIPTIONS[key])
            field["examples"] = list(_ARGUMENTS[key])
