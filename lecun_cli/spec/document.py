"""The types of a spec above the layers: the document, its groups, repeats and rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from lecun_cli.errors import describe
from lecun_cli.frameworks import EXACT, FAN_RULES, FRAMEWORKS
from lecun_cli.layers.base import Model
from lecun_cli.layers.expressions import NAME
from lecun_cli.layers.fields import Count, DTypeName, InitializerField, LayerName, Seed, field_error, meant

# What the frameworks, and those that stand on them, are called elsewhere.
_SYNONYMS = {
    "pytorch": "torch",
    "pt": "torch",
    "lightning": "torch",
    "transformers": "torch",
    "huggingface": "torch",
    "tf": "keras",
    "tensorflow": "keras",
    "tf.keras": "keras",
    "keras3": "keras",
    "jax": "flax",
    "linen": "flax",
    "nnx": "flax",
}


def _one_of(what: str, choices: tuple[str, ...]) -> BeforeValidator:
    def check(value: object) -> str:
        if value not in choices:
            synonyms = {synonym: name for synonym, name in _SYNONYMS.items() if name in choices}
            message = f"{what} is one of {', '.join(choices)}, found {describe(value)}"
            raise field_error(message, meant(value, choices, synonyms))
        return str(value)

    return BeforeValidator(check)


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        raise field_error(f"an index is a name of letters, digits and _, found {describe(value)}")
    return value


_FRAMEWORKS = tuple(FRAMEWORKS)
FrameworkName = Annotated[str, _one_of("framework", _FRAMEWORKS), WithJsonSchema({"enum": list(_FRAMEWORKS)})]
FanRuleName = Annotated[str, _one_of("fan_rule", FAN_RULES), WithJsonSchema({"enum": list(FAN_RULES)})]

Items = Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"$ref": "#/$defs/Item"}})]
Tensors = Annotated[list[Any], WithJsonSchema({"type": "array", "items": {"$ref": "#/$defs/RawTensor"}})]
Params = Annotated[
    dict[str, Any],
    WithJsonSchema(
        {
            "type": "object",
            "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
            "additionalProperties": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        }
    ),
]


class Group(Model):
    """Layers under one name."""

    type: Annotated[str, _one_of("type", ("group",))] = "group"
    name: LayerName = Field(description="the group's name, which its layers' names follow")
    model: Literal["functional", "sequential"] = Field(
        default="functional", description="what Keras builds of it, for Keras weight files"
    )
    layers: Items = Field(description="the layers of the group")


class Repeat(Model):
    """Layers that are written once and stand several times."""

    repeat: Count = Field(description="how often")
    index: Annotated[str, BeforeValidator(_identifier)] = Field(
        default="i", description="the name of the index, which counts from 0"
    )
    name: LayerName | None = Field(default=None, description="a name for each round, with {i} in it")
    model: Literal["functional", "sequential"] = Field(
        default="functional",
        description="what Keras builds of a round that has a name, for Keras weight files",
    )
    layers: Items = Field(description="the layers of one round")


class Rule(Model):
    """What is changed for the tensors whose name matches; later rules win."""

    match: Annotated[str, Field(min_length=1)] = Field(
        description="a glob over tensor names (or identities): * any text, ? one character"
    )
    dtype: DTypeName | None = Field(default=None, description="their dtype")
    initializer: InitializerField | None = Field(default=None, description="their initializer")


class Document(Model):
    """A spec: layers and raw tensors, and what holds for all of them."""

    seed: Seed | None = Field(
        default=None, description="the seed of every stream; drawn and recorded if not given"
    )
    framework: FrameworkName = Field(default="keras", description="whose names and storage orders")
    dtype: DTypeName = Field(default="float32", description="dtype of every tensor that says nothing else")
    fan_rule: FanRuleName = Field(default=EXACT, description="exact, or what a framework would compute")
    params: Params = Field(
        default_factory=dict, description="integers that sizes and names may be computed from"
    )
    layers: Items = Field(default_factory=list, description="the layers, in the order of the network")
    tensors: Tensors = Field(default_factory=list, description="raw tensors")
    rules: list[Rule] = Field(default_factory=list, description="changes for tensors whose name matches")
