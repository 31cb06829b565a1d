"""The types of a spec's fields: what each accepts, what it becomes, and its JSON Schema.

Sizes may be expressions and names may be templates over the parameters; the environment comes with
the validation's context, so a validated model holds plain integers and finished names.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.errors import describe
from lecun_cli.initializers import family
from lecun_cli.initializers.family import FAMILY, Initializer, InitializerError
from lecun_cli.layers.expressions import Environment, ExpressionError, evaluate, render

MAX_DIMENSION = 2**48 - 1
"""The largest dimension of a tensor: the safetensors schema's own bound."""
MAX_NAME = 1024


def field_error(message: str, help: str | None = None, *, field: str | None = None) -> PydanticCustomError:
    """A validation error that carries its message and advice as they are.

    Args:
        message: The rule and what was found.
        help: What to do about it.
        field: The key that is at fault, where a whole layer is looked at.
    """
    return PydanticCustomError(
        "lecun_init", cast("Any", "{message}"), {"message": message, "help": help, "field": field}
    )


def environment(info: ValidationInfo) -> Environment:
    """The parameters in force where a value is validated."""
    return cast("Environment", (info.context or {}).get("env", {}))


def integer(value: object, env: Environment, *, what: str, least: int, most: int = 2**63 - 1) -> int:
    """An integer, or an expression with an integer value, between two bounds.

    Raises:
        PydanticCustomError: It is neither, or out of bounds; the message says the rule and the value.
    """
    text = describe(value)
    if isinstance(value, str):
        try:
            number = evaluate(value, env)
        except ExpressionError as error:
            raise field_error(error.message, error.help) from None
        text = f'"{value}" = {number}'
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    else:
        advice = f"write {value:.0f}" if isinstance(value, float) and value.is_integer() else None
        raise field_error(f"{what} is an integer or an expression over params, found {text}", advice)
    if number < least:
        raise field_error(f"{what} is at least {least}, found {text}")
    if number > most:
        raise field_error(f"{what} is at most {most}, found {text}")
    return number


def _size(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what=info.field_name or "a size", least=1, most=MAX_DIMENSION)


def _sizes(value: object, info: ValidationInfo) -> tuple[int, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_size(v, info) for v in values)


def _count(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what=info.field_name or "a count", least=0)


def _seed(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what="a seed", least=0, most=2**64 - 1)


def _axes(value: object, info: ValidationInfo) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise field_error(f"{info.field_name} is a list of axes, found {describe(value)}", "write it as [1]")
    env = environment(info)
    return tuple(integer(v, env, what="an axis", least=-64, most=63) for v in value)


def name_of(value: object, env: Environment, field: str) -> str:
    """A name with its templates filled in.

    Raises:
        PydanticCustomError: It is none; the message says the rule and the value.
    """
    if not isinstance(value, str):
        advice = f'write it as "{value}"' if isinstance(value, int | float) else None
        raise field_error(f"{field} is a string, found {describe(value)}", advice)
    try:
        name = render(value, env)
    except ExpressionError as error:
        raise field_error(error.message, error.help) from None
    if not name:
        raise field_error(f"{field} is not empty")
    if len(name) > MAX_NAME:
        raise field_error(f"{field} has at most {MAX_NAME} characters, found {len(name)}")
    if _UNPRINTABLE.search(name):
        raise field_error(f"{field} holds no control characters")
    return name


_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def _name(value: object, info: ValidationInfo) -> str:
    return name_of(value, environment(info), str(info.field_name))


def split_path(name: str) -> tuple[str, ...]:
    """The segments of a layer's name: both `.` and `/` nest."""
    return tuple(name.replace(".", "/").split("/"))


def layer_name_of(value: object, env: Environment, field: str) -> str:
    """A layer's name with its templates filled in, no part of it empty.

    Raises:
        PydanticCustomError: It is none; the message says the rule and the value.
    """
    name = name_of(value, env, field)
    if not all(split_path(name)):
        raise field_error(
            f'"{name}" has an empty part',
            "`.` and `/` nest names, so neither begins or ends one, nor doubles",
        )
    return name


def _layer_name(value: object, info: ValidationInfo) -> str:
    return layer_name_of(value, environment(info), str(info.field_name))


def meant(value: object, choices: Iterable[str], synonyms: Mapping[str, str]) -> str | None:
    """`did you mean X?` for a word that is not known, or None."""
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    names = list(choices)
    near = synonyms.get(text) or synonyms.get(text.rpartition(".")[2])
    if near is None:
        near = next(iter(difflib.get_close_matches(text.rpartition(".")[2], names, n=1)), None)
    return f"did you mean {near}?" if near else None


# What dtypes are called elsewhere.
_DTYPE_SYNONYMS = {
    "fp64": "float64",
    "f64": "float64",
    "double": "float64",
    "fp32": "float32",
    "f32": "float32",
    "float": "float32",
    "single": "float32",
    "fp16": "float16",
    "f16": "float16",
    "half": "float16",
    "bf16": "bfloat16",
    "brain": "bfloat16",
    "fp8": "float8_e4m3fn",
    "float8": "float8_e4m3fn",
    "f8_e4m3": "float8_e4m3fn",
    "f8_e5m2": "float8_e5m2",
    "int": "int64",
    "long": "int64",
    "boolean": "bool",
}


def _dtype(value: object) -> str:
    if value not in DTYPES:
        near = meant(value, DTYPES, _DTYPE_SYNONYMS)
        rest = (name for name in DTYPES if name not in FLOAT_DTYPES)
        advice = near or f"dtypes are: {', '.join(FLOAT_DTYPES)}; for constants also {', '.join(rest)}"
        raise field_error(f"{describe(value)} is no dtype", advice)
    return str(value)


def _initializer(value: object) -> Initializer:
    try:
        match value:
            case Initializer():
                return value
            case str():
                return family.make(value)
            case {"name": str() as name, **arguments}:
                return family.make(name, cast("dict[str, object]", arguments))
    except InitializerError as error:
        raise field_error(error.message, error.help) from None
    raise field_error(
        f"an initializer is a name, or a mapping with a name and arguments; found {describe(value)}",
        "for example lecun_normal, or {name: truncated_normal, stddev: 0.02}",
    )


def _expression_schema(least: int, description: str) -> dict[str, Any]:
    return {
        "description": description,
        "anyOf": [
            {"type": "integer", "minimum": least},
            {"type": "string", "description": "an expression over params"},
        ],
    }


def _initializer_schema() -> dict[str, Any]:
    rows: list[dict[str, Any]] = [
        {"enum": [name for name, row in FAMILY.items() if None not in row.defaults.values()]}
    ]
    for name, row in FAMILY.items():
        properties: dict[str, Any] = {"name": {"const": name, "description": row.summary}}
        for key, default in row.defaults.items():
            properties[key] = {"enum": list(row.choices[key])} if key in row.choices else {"type": "number"}
            if default is not None:
                properties[key]["default"] = default
        required = ["name", *(key for key, default in row.defaults.items() if default is None)]
        rows.append(
            {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
        )
    return {"anyOf": rows, "description": "an initializer: its name, or its name with arguments"}


_SIZE_SCHEMA = _expression_schema(1, "a size: a positive integer, or an expression over params")
Size = Annotated[int, BeforeValidator(_size), WithJsonSchema(_SIZE_SCHEMA)]
Count = Annotated[
    int, BeforeValidator(_count), WithJsonSchema(_expression_schema(0, "a count, which may be zero"))
]
Seed = Annotated[
    int,
    BeforeValidator(_seed),
    WithJsonSchema(_expression_schema(0, "the seed of every stream, below 2**64")),
]
Sizes = Annotated[
    tuple[int, ...],
    BeforeValidator(_sizes),
    WithJsonSchema(
        {
            "description": "one size for every axis, or a list with one for each",
            "anyOf": [*_SIZE_SCHEMA["anyOf"], {"type": "array", "items": _SIZE_SCHEMA}],
        }
    ),
]
Axes = Annotated[
    tuple[int, ...],
    BeforeValidator(_axes),
    WithJsonSchema(
        {"type": "array", "items": _expression_schema(-64, "an axis; negative ones count from the end")}
    ),
]
Name = Annotated[
    str,
    BeforeValidator(_name),
    WithJsonSchema(
        {"type": "string", "minLength": 1, "description": "a name; {expression} is replaced by its value"}
    ),
]
LayerName = Annotated[
    str,
    BeforeValidator(_layer_name),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "description": "a name; . and / nest, {expression} is replaced by its value",
        }
    ),
]
DTypeName = Annotated[str, BeforeValidator(_dtype), WithJsonSchema({"enum": list(DTYPES)})]
InitializerField = Annotated[
    Initializer, BeforeValidator(_initializer), WithJsonSchema(_initializer_schema())
]
Activation = Literal[
    "linear", "relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid", "tanh", "softmax",
    "softplus", "softsign", "mish", "exponential",
]  # fmt: skip
