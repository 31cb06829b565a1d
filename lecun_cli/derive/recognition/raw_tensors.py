"""Raw tensors: describe tensors whose layer type is unknown."""

from __future__ import annotations

import re

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor, Value
from lecun_cli.dtypes import DTYPES
from lecun_cli.frameworks import FRAMEWORKS

# The last part of a name tells whether a tensor with one axis scales (initially ones) or shifts
# (initially zeros).
_ONES = re.compile(
    r"(weight|gamma|scale|running_var|moving_variance|var|variance|g|weight_g|ln_\w+|\w*norm\w*)(:0)?\Z"
)
_SCALES = re.compile(r"(\w+_)?scales?(_inv)?\Z")
_BIASES = re.compile(r"(\w+_)?bias(_\w+)?(:0)?\Z(?<!table)")
_EMBEDDING = re.compile(r"embed|_token\Z|(^|[._/])(wte|wpe|pos|query_tokens)\b", re.IGNORECASE)
_EXPERTS = re.compile(r"experts?\b|(^|[._/])moe\b", re.IGNORECASE)


def raw_tensor(
    tensor: Tensor, framework: str, *, fields: Fields | None = None, comment: str | None = None
) -> DerivedLayer:
    """Return a raw tensor for a tensor of the source.

    Args:
        tensor: The tensor of the source.
        framework: The framework whose storage order decides which axis is the input if nothing else does.
        fields: Axes of the fans or initializer, if known; otherwise they are guessed.
        comment: Comment on `fields`; for guesses, the comment states the assumption.
    """
    if fields is None:
        fields, comment = _guess(tensor, framework)
    shape: Value = tensor.shape
    name = tensor.name
    in_collection: Fields = ()
    default_collection = FRAMEWORKS[framework].collection
    if default_collection is not None:
        collection, _, name = name.partition("/")
        in_collection = () if collection == default_collection else (("collection", collection),)
    keys = (("shape", shape), *in_collection, *fields)
    return DerivedLayer("tensor", name, keys, comment, dtype=tensor.dtype, stored=(tensor,))


def _guess(tensor: Tensor, framework: str) -> tuple[Fields, str]:
    name, rank = tensor.name, len(tensor.shape)
    if not DTYPES[tensor.dtype].is_float:
        return (
            ("initializer", "zeros"),
        ), f"layer type unknown: zeros, because {tensor.dtype} is not a dtype of weights"
    last_name = re.split(r"[./]", name)[-1]
    if rank < 2 or _SCALES.match(last_name) or _BIASES.match(last_name):
        value = "ones" if _ONES.match(last_name) or _SCALES.match(last_name) else "zeros"
        return (("initializer", value),), f"layer type unknown: {value}, by its name"
    if _EMBEDDING.search(name):
        width = tensor.shape[-1]
        return (("fan_in", width),), "layer type unknown: fan_in taken from the last axis, as in an embedding"
    if rank >= 3 and _EXPERTS.search(name):
        inputs = rank - 1 if FRAMEWORKS[framework].channels_first else rank - 2
        comment = f"layer type unknown: experts by the name, fan_in taken from axis {inputs}"
        return (("in_axes", (inputs,)), ("batch_axes", tuple(range(rank - 2)))), comment
    if FRAMEWORKS[framework].channels_first:
        inputs, outputs = 1, 0
    else:
        inputs, outputs = rank - 2, rank - 1
    comment = f"layer type unknown: fan_in taken from axis {inputs}"
    if rank == 2:
        return (("in_axes", (inputs,)),), comment
    return (("in_axes", (inputs,)), ("out_axes", (outputs,))), f"{comment} and the window"
