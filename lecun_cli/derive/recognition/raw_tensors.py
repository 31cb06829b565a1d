"""Raw tensors: what becomes of a tensor whose layer kind is not known."""

from __future__ import annotations

import re

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor, Value
from lecun_cli.dtypes import DTYPES

# The innermost word of a name says what a tensor of one axis is: what scales begins at one, what shifts
# at zero.
_ONES = re.compile(
    r"(weight|gamma|scale|running_var|moving_variance|var|variance|g|weight_g|ln_\w+|\w*norm\w*)(:0)?\Z"
)
_SCALES = re.compile(r"(\w+_)?scales?(_inv)?\Z")
_BIASES = re.compile(r"(\w+_)?bias(_\w+)?(:0)?\Z(?<!table)")
_EMBEDDING = re.compile(r"embed|_token\Z|(^|[._/])(wte|wpe|pos|query_tokens)\b", re.IGNORECASE)
_EXPERTS = re.compile(r"experts?\b|(^|[._/])moe\b", re.IGNORECASE)
_CHANNELS_FIRST = "torch"


def raw_tensor(
    tensor: Tensor, framework: str, *, fields: Fields | None = None, comment: str | None = None
) -> DerivedLayer:
    """A tensor as it is.

    Args:
        tensor: The tensor of the source.
        framework: Whose storage order tells the inputs where nothing else does.
        fields: Its fans or its initializer, where they are known.
        comment: What to say of them; where nothing is known, the comment says what was assumed.
    """
    if fields is None:
        fields, comment = _guess(tensor, framework)
    shape: Value = tensor.shape
    name = tensor.name
    where: Fields = ()
    if framework == "flax":  # whose names begin with the collection
        collection, _, name = name.partition("/")
        where = () if collection == "params" else (("collection", collection),)
    keys = (("shape", shape), *where, *fields)
    return DerivedLayer("tensor", name, keys, comment, dtype=tensor.dtype, stored=(tensor,))


def _guess(tensor: Tensor, framework: str) -> tuple[Fields, str]:
    name, rank = tensor.name, len(tensor.shape)
    if not DTYPES[tensor.dtype].is_float:
        return (("initializer", "zeros"),), f"kind unknown: {tensor.dtype} holds no weights, so zeros"
    last_name = re.split(r"[./]", name)[-1]
    if rank < 2 or _SCALES.match(last_name) or _BIASES.match(last_name):
        value = "ones" if _ONES.match(last_name) or _SCALES.match(last_name) else "zeros"
        return (("initializer", value),), f"kind unknown: {value}, by its name"
    if _EMBEDDING.search(name):
        width = tensor.shape[-1]
        return (("fan_in", width),), "kind unknown: fan_in taken from the last axis, as for an embedding"
    if rank >= 3 and _EXPERTS.search(name):
        inputs = rank - 1 if framework == _CHANNELS_FIRST else rank - 2
        comment = f"kind unknown: experts by the name, fan_in taken from axis {inputs}"
        return (("in_axes", (inputs,)), ("batch_axes", tuple(range(rank - 2)))), comment
    if framework == _CHANNELS_FIRST:
        inputs, outputs = 1, 0
    else:
        inputs, outputs = rank - 2, rank - 1
    comment = f"kind unknown: fan_in taken from axis {inputs}"
    if rank == 2:
        return (("in_axes", (inputs,)),), comment
    return (("in_axes", (inputs,)), ("out_axes", (outputs,))), f"{comment} and the window"
