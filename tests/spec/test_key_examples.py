"""Every key of the JSON Schema has a description and valid examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jsonschema

from lecun_cli.spec.key_examples import EXAMPLES
from lecun_cli.spec.schema import json_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

SCHEMA = json_schema()


def fields(node: object, where: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Iterate over the properties of a schema, except those in the `if` of a condition."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "properties":
                for name, field in value.items():
                    yield f"{where}.{name}", field
                    yield from fields(field, f"{where}.{name}")
            elif key != "if" and not (key == "else" and where.endswith("Item.else")):
                yield from fields(value, f"{where}.{key}".replace(".$defs", ""))
    elif isinstance(node, list):
        for value in node:
            yield from fields(value, where)


FIELDS = dict(fields(SCHEMA))


class TestHovers:
    def test_every_field_has_a_description(self) -> None:
        assert [where for where, field in FIELDS.items() if not field.get("description")] == []

    def test_every_field_has_an_example(self) -> None:
        assert [where for where, field in FIELDS.items() if not field.get("examples")] == []

    def test_every_example_is_valid(self) -> None:
        for where, field in FIELDS.items():
            validator = jsonschema.Draft202012Validator({**field, "$defs": SCHEMA["$defs"]})
            for example in field["examples"]:
                assert validator.is_valid(example), (where, example)

    def test_every_example_belongs_to_a_key(self) -> None:
        assert set(EXAMPLES) <= {where.rpartition(".")[2] for where in FIELDS}
