"""The models of a spec around its layers: the document, groups, repeats and rules."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema

from lecun_cli.errors import describe
from lecun_cli.frameworks import EXACT, FAN_RULES, FRAMEWORKS
from lecun_cli.layers.base import Model
from lecun_cli.layers.expressions import NAME
from lecun_cli.layers.fields import Count, DTypeName, InitializerField, LayerName, Seed, field_error, meant

# Other names of the frameworks, and libraries that use their names and storage orders.
_SYNONYMS = {synonym: f.name for f in FRAMEWORKS.values() for synonym in f.synonyms}


def _one_of(key: str, choices: tuple[str, ...]) -> BeforeValidator:
    def check(value: object) -> str:
        if value not in choices:
            synonyms = {synonym: name for synonym, name in _SYNONYMS.items() if name in choices}
            expected = ", ".join(choices) if len(choices) == 1 else f"one of {', '.join(choices)}"
            message = f"{key}: expected {expected}, got {describe(value)}"
            raise field_error(message, meant(value, choices, synonyms))
        return str(value)

    return BeforeValidator(check)


def _identifier(value: object) -> str:
    if not isinstance(value, str) or not NAME.match(value):
        raise field_error(f"index: expected a name of letters, digits and _, got {describe(value)}")
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
    """Layers under a common name."""

    type: Annotated[str, _one_of("type", ("group",))] = "group"
    name: LayerName = Field(description="the name of the group, a prefix of the names of its layers")
    model: Literal["functional", "sequential"] = Field(
        default="functional", description="the Keras model that the group becomes in a Keras weight file"
    )
    layers: Items = Field(description="the layers of the group")


class Repeat(Model):
    """Layers that are written once and occur several times."""

    repeat: Count = Field(description="the number of iterations")
    index: Annotated[str, BeforeValidator(_identifier)] = Field(
        default="i", description="the name of the index, which counts the iterations from 0"
    )
    name: LayerName | None = Field(default=None, description="the name of each iteration; contains {i}")
    model: Literal["functional", "sequential"] = Field(
        default="functional",
        description="the Keras model that an iteration with a name becomes in a Keras weight file",
    )
    layers: Items = Field(description="the layers of one iteration")


class Rule(Model):
    """A change to the tensors with a matching name; later rules take precedence."""

    match: Annotated[str, Field(min_length=1)] = Field(
        description="a glob that matches names or identities of tensors: * is any text, ? one character"
    )
    dtype: DTypeName | None = Field(default=None, description="the dtype of these tensors")
    initializer: InitializerField | None = Field(default=None, description="the initializer of these tensors")


class Document(Model):
    """A spec: layers, raw tensors, and settings for all of them."""

    seed: Seed | None = Field(
        default=None, description="the seed of every stream; if not given, one is drawn and recorded"
    )
    framework: FrameworkName = Field(
        default="keras", description="the framework whose names and storage orders are used"
    )
    dtype: DTypeName = Field(default="float32", description="the default dtype")
    fan_rule: FanRuleName = Field(
        default=EXACT, description="how fans are computed: exact, or as a framework computes them"
    )
    params: Params = Field(
        default_factory=dict, description="integers for the expressions in sizes and names"
    )
    layers: Items = Field(default_factory=list, description="the layers, in the order of the network")
    tensors: Tensors = Field(default_factory=list, description="raw tensors")
    rules: list[Rule] = Field(default_factory=list, description="changes to the tensors with a matching name")
