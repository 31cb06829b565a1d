"""Types of the fields of a spec, each with its validation and its JSON Schema.

Sizes may be expressions, and names may be templates, over the params. Their values come with the context of
the validation, so that a validated model holds only integers and rendered names.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from lecun_cli.display.text import CONTROL_CHARACTERS, clip
from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.errors import describe
from lecun_cli.initializers import family
from lecun_cli.initializers.family import FAMILY, Initializer, InitializerError
from lecun_cli.layers.expressions import Environment, ExpressionError, evaluate, render

MAX_DIMENSION = 2**48 - 1
"""The largest dimension of a tensor: the safetensors schema's own bound."""
MAX_NAME = 1024


def field_error(message: str, help: str | None = None, *, field: str | None = None) -> PydanticCustomError:
    """Return a validation error with a message and advice for the user.

    Args:
        message: The message, `<key>: expected <rule>, got <value>`.
        help: How to fix it.
        field: The key to point at, for a rule about a whole layer.
    """
    return PydanticCustomError(
        "lecun_init", cast("Any", "{message}"), {"message": message, "help": help, "field": field}
    )


def environment(info: ValidationInfo) -> Environment:
    """Return the value of each name that expressions may use where a value is validated."""
    return cast("Environment", (info.context or {}).get("env", {}))


def integer(value: object, env: Environment, *, what: str, least: int, most: int = 2**63 - 1) -> int:
    """Return the value of an integer or of an expression, between two bounds.

    Args:
        value: The integer or the expression.
        env: The value of each name that an expression may use.
        what: The key, for messages.
        least: The minimum.
        most: The maximum.

    Raises:
        PydanticCustomError: The value is not an integer or an expression, or is out of bounds.
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
        raise field_error(f"{what}: expected an integer or an expression over params, got {text}", advice)
    if number < least:
        raise field_error(f"{what}: expected at least {least}, got {text}")
    if number > most:
        raise field_error(f"{what}: expected at most {most}, got {text}")
    return number


def _size(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what=info.field_name or "size", least=1, most=MAX_DIMENSION)


def _sizes(value: object, info: ValidationInfo) -> tuple[int, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(_size(v, info) for v in values)


def _count(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what=info.field_name or "count", least=0)


def _seed(value: object, info: ValidationInfo) -> int:
    return integer(value, environment(info), what="seed", least=0, most=2**64 - 1)


def _axes(value: object, info: ValidationInfo) -> tuple[int, ...]:
    if not isinstance(value, list | tuple):
        raise field_error(
            f"{info.field_name}: expected a list of axes, got {describe(value)}", "write it as [1]"
        )
    env = environment(info)
    return tuple(integer(v, env, what=str(info.field_name), least=-64, most=63) for v in value)


def name_of(value: object, env: Environment, field: str) -> str:
    """Return a name with its expressions replaced by their values.

    Args:
        value: The name.
        env: The value of each name that an expression may use.
        field: The key, for messages.

    Raises:
        PydanticCustomError: The value is not a valid name.
    """
    if not isinstance(value, str):
        advice = f'write it as "{value}"' if isinstance(value, int | float) else None
        raise field_error(f"{field}: expected a string, got {describe(value)}", advice)
    try:
        name = render(value, env)
    except ExpressionError as error:
        raise field_error(error.message, error.help) from None
    if not name:
        raise field_error(f'{field}: expected a nonempty string, got ""')
    if len(name) > MAX_NAME:
        raise field_error(f"{field}: expected at most {MAX_NAME} characters, got {len(name)}")
    if CONTROL_CHARACTERS.search(name):
        raise field_error(f"{field}: control characters are not allowed")
    return name


def _name(value: object, info: ValidationInfo) -> str:
    return name_of(value, environment(info), str(info.field_name))


def split_path(name: str) -> tuple[str, ...]:
    """Return the parts of a layer's name, which `.` and `/` separate."""
    return tuple(name.replace(".", "/").split("/"))


def layer_name_of(value: object, env: Environment, field: str) -> str:
    """Return a layer's name with its expressions replaced by their values.

    Args:
        value: The name.
        env: The value of each name that an expression may use.
        field: The key, for messages.

    Raises:
        PydanticCustomError: The value is not a valid name, or a part of it is empty.
    """
    name = name_of(value, env, field)
    if not all(split_path(name)):
        raise field_error(
            f'{field}: "{name}" has an empty part',
            "`.` and `/` separate the parts of a name; remove the extra one",
        )
    return name


def _layer_name(value: object, info: ValidationInfo) -> str:
    return layer_name_of(value, environment(info), str(info.field_name))


def meant(value: object, choices: Iterable[str], synonyms: Mapping[str, str]) -> str | None:
    """Return `did you mean X?` for an unknown name, or None.

    Args:
        value: The unknown name.
        choices: The known names.
        synonyms: For other names in lower case, the known name.
    """
    if not isinstance(value, str):
        return None
    text = value.strip().lower()
    names = list(choices)
    near = synonyms.get(text) or synonyms.get(text.rpartition(".")[2])
    if near is None:
        near = next(iter(difflib.get_close_matches(text.rpartition(".")[2], names, n=1)), None)
    return f"did you mean {near}?" if near else None


# Other names of dtypes.
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
        message = (
            f'unknown dtype "{clip(value)}"'
            if isinstance(value, str)
            else f"dtype: expected a name, got {describe(value)}"
        )
        raise field_error(message, advice)
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
        f"invalid initializer: expected a name, or a mapping with a name, got {describe(value)}",
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
    WithJsonSchema(_expression_schema(0, "the seed of every stream, less than 2**64")),
]
Sizes = Annotated[
    tuple[int, ...],
    BeforeValidator(_sizes),
    WithJsonSchema(
        {
            "description": "one size for all axes, or a list with one for each axis",
            "anyOf": [*_SIZE_SCHEMA["anyOf"], {"type": "array", "items": _SIZE_SCHEMA}],
        }
    ),
]
Axes = Annotated[
    tuple[int, ...],
    BeforeValidator(_axes),
    WithJsonSchema(
        {"type": "array", "items": _expression_schema(-64, "an axis; negative numbers count from the end")}
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
