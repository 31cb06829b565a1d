"""The JSON Schema of specs, from the models that validate them."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from lecun_cli.layers import LAYER_TYPES, RawTensor
from lecun_cli.spec.document import Document, Group, Repeat
from lecun_cli.spec.key_examples import describe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema as plain values.

    An item of `layers:` is a repeat if it has the key `repeat`, a group if it has the key `layers`, and
    otherwise a layer of its `type`, so that a validator reports errors against the intended definition.
    """
    models: list[type[BaseModel]] = [Document, Group, Repeat, RawTensor]
    models += [layer_type.model for layer_type in LAYER_TYPES.values()]
    by_model, schema = models_json_schema([(model, "validation") for model in models])
    definitions: dict[str, Any] = schema["$defs"]
    for model in models:  # pydantic sorts the keys of an example
        properties = definitions[by_model[model, "validation"]["$ref"].rpartition("/")[2]]["properties"]
        for key, field in model.model_fields.items():
            if field.examples is not None:
                properties[key]["examples"] = field.examples
    by_type: dict[str, Any] = {
        "if": {"properties": {"type": {"const": "group"}}, "required": ["type"]},
        "then": {"$ref": "#/$defs/Group"},
        "else": {
            "type": "object",
            "required": ["type"],
            "properties": {"type": {"enum": [*LAYER_TYPES, "group"]}},
        },
    }
    layers: list[dict[str, Any]] = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": by_model[layer_type.model, "validation"],
        }
        for name, layer_type in LAYER_TYPES.items()
    ]
    definitions["Item"] = {
        "if": {"required": ["repeat"]},
        "then": {"$ref": "#/$defs/Repeat"},
        "else": {
            "if": {"required": ["layers"]},
            "then": {"$ref": "#/$defs/Group"},
            "else": {**by_type, "allOf": layers},
        },
    }
    del definitions["Initializer"]  # pydantic's definition of a type that has a schema of its own
    for definition in definitions.values():
        describe(definition)
    document = definitions.pop("Document")
    result = {"$schema": DIALECT, **document, "title": "lecun-init spec", "$defs": definitions}
    plain: dict[str, Any] = json.loads(
        json.dumps(result)
    )  # some releases of pydantic leave tuples in defaults
    return plain
