"""`schema`: the JSON Schema agrees with an independent validator and with the parser."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from lecun_cli.layers import LAYER_TYPES
from lecun_cli.spec.schema import json_schema

if TYPE_CHECKING:
    from tests.cli.conftest import Run

SAMPLES = sorted((Path(__file__).parents[2] / "sample_specs").glob("*.yaml"))


@pytest.fixture(scope="module")
def validator() -> Any:
    schema = json_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


class TestSchema:
    def test_is_printed_as_json(self, run: Run) -> None:
        assert json.loads(run("schema").out) == json_schema()

    @pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
    def test_every_sample_is_valid(self, validator: Any, path: Path) -> None:
        validator.validate(yaml.safe_load(path.read_text()))

    def test_defines_every_layer_type(self) -> None:
        definitions = json_schema()["$defs"]
        assert {kind.model.__name__ for kind in LAYER_TYPES.values()} <= set(definitions)

    @pytest.mark.parametrize(
        "spec",
        [
            {"layres": []},
            {"dtype": "float33"},
            {"layers": [{"type": "dense", "name": "a", "in_features": 4, "out_features": 0}]},
            {"layers": [{"type": "dense", "name": "a", "in_features": 4, "out_features": 4, "units": 1}]},
            {"layers": [{"type": "nosuch", "name": "a"}]},
            {"layers": [{"name": "a"}]},
            {"layers": [{"repeat": 2, "layers": [{"type": "dense", "name": "a"}]}]},
            {"tensors": [{"name": "t"}]},
            {"tensors": [{"name": "t", "shape": [2], "initializer": "orthogonal"}]},
            {"rules": [{"dtype": "float32"}]},
        ],
    )
    def test_refuses_what_the_parser_refuses(self, validator: Any, spec: dict[str, Any]) -> None:
        assert not validator.is_valid(spec)
