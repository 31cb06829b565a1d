"""All registries are complete; a failure names each missing entry and the file to edit."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest

from lecun_cli.cli.options import SpecOptions
from lecun_cli.derive.recognition.recognizer import recognizer_of
from lecun_cli.errors import LecunInitError, PlanError, UsageError
from lecun_cli.formats import FORMATS
from lecun_cli.frameworks import FRAMEWORKS, RULES, UnsupportedError
from lecun_cli.layers import LAYER_TYPES, Layer, RawTensor
from lecun_cli.layers.base import AnyLayerType
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.propagator import propagate
from lecun_cli.spec.load import parse_spec
from tests.frameworks.by_hand import STORED_BY_HAND
from tests.frameworks.cases import CASES
from tests.frameworks.real import REAL

README = Path(__file__).parents[2] / "README.md"
STORED = [name for name in LAYER_TYPES if name != "tensor"]
"""The layer types that frameworks have rows for; a raw tensor is stored as it is."""
WITHOUT_FORWARD_PASS: set[str] = set()
"""Layer types that `propagate` does not support on purpose."""


def file_of(layer_type: AnyLayerType) -> str:
    return layer_type.model.__module__.replace(".", "/") + ".py"


def missing_in_layers() -> Iterator[str]:
    for name, layer_type in LAYER_TYPES.items():
        if layer_type.operation is None and name not in WITHOUT_FORWARD_PASS:
            yield (
                f"{name}: no forward pass; give its LayerType an operation in {file_of(layer_type)}, or list "
                "it in WITHOUT_FORWARD_PASS in tests/layers/test_registry.py"
            )
        if not layer_type.model.__doc__:
            yield f"{name}: no docstring, which the schema shows; edit {file_of(layer_type)}"
        for key, field in layer_type.model.model_fields.items():
            if key == "type" or key.endswith("initializer"):  # described by the schema
                continue
            if not field.description:
                yield f"{name}: no description of its field {key}; edit {file_of(layer_type)}"
            if not field.examples:
                yield f"{name}: no examples of its field {key}; edit {file_of(layer_type)}"


def layer_class_of(row: Callable[..., Any]) -> Any:
    """The class of layers that a function in the table of a framework takes."""
    modules = {layer_type.model.__module__ for layer_type in LAYER_TYPES.values()}
    classes = {
        name: value for module in modules for name, value in vars(importlib.import_module(module)).items()
    }
    return get_type_hints(row, localns=classes)["layer"]


def missing_in_frameworks() -> Iterator[str]:
    with_epsilon = [name for name in LAYER_TYPES if any(name in f.epsilon for f in FRAMEWORKS.values())]
    for name, framework in FRAMEWORKS.items():
        file = f"lecun_cli/frameworks/{name}.py"
        for layer_type in STORED:
            row = framework.table.get(layer_type)
            if row is None:
                yield f"{name}: no row for layer type {layer_type}; edit {file}"
            elif callable(row) and not issubclass(LAYER_TYPES[layer_type].model, layer_class_of(row)):
                yield f"{name}: its row for {layer_type} takes another class of layers; edit {file}"
        for layer_type in with_epsilon:
            if layer_type not in framework.epsilon:
                yield f"{name}: no epsilon for layer type {layer_type}; edit {file}"
        for layer_type in {*framework.table, *framework.epsilon} - set(STORED):
            yield f"{name}: an entry for {layer_type}, which is not a layer type; edit {file}"
        if name == "keras":
            yield from missing_keras_attributes()
        if not framework.fan_rules:
            yield f"{name}: no fan rule; edit {file}"
        if framework.recognizer is None:
            yield f"{name}: no recognizer; add one to lecun_cli/derive/recognition and refer to it in {file}"


def missing_keras_attributes() -> Iterator[str]:
    for case in CASES:
        row = LAYER_TYPES[case.layer_type]
        if row.is_keras_class and not isinstance(case.keras, str):
            for part in {part for name in case.keras for part in name.split("/")[:-1]}:
                if part not in row.keras_attributes:
                    yield f"{case.layer_type}: no keras_attributes of {part}; edit {file_of(row)}"


def missing_in_tests() -> Iterator[str]:
    cases = {case.layer_type for case in CASES}
    for name in STORED:
        if name not in cases:
            yield f"{name}: no case; edit tests/frameworks/cases.py"
    for case in CASES:
        if case.id not in REAL:
            yield f"{case.id}: no layer of a framework to compare with; edit tests/frameworks/real.py"
    for name in STORED:
        if not any(key == name or key.startswith(f"{name}-") for key in STORED_BY_HAND):
            yield f"{name}: not stored by hand; edit tests/frameworks/by_hand.py"


def missing_in_readme() -> Iterator[str]:
    text = README.read_text("utf-8")
    for name in LAYER_TYPES:
        if not re.search(rf"^\| [^|]*`{name}`", text, re.MULTILINE):
            yield f"{name}: no row in the table of layer types; edit README.md"
    for name in (*FRAMEWORKS, *RULES):
        if f"`{name}`" not in text:
            yield f"{name}: not mentioned; edit README.md"


@pytest.mark.parametrize(
    "missing", [missing_in_layers, missing_in_frameworks, missing_in_tests, missing_in_readme]
)
def test_no_entry_is_missing(missing: Callable[[], Iterator[str]]) -> None:
    entries = list(missing())
    assert not entries, "\n  ".join(["incomplete registries:", *entries])


@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("layer_type", STORED)
def test_every_layer_type_propagates_in_every_framework(layer_type: str, framework: str) -> None:
    for case in CASES:
        if case.layer_type == layer_type and not isinstance(case.stored(framework), str):
            propagate(parse_spec(case.spec(), framework=framework), samples=2)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_every_recognizer_can_be_imported(framework: str) -> None:
    assert recognizer_of(framework).leaf_names


def test_help_texts_name_every_framework_and_fan_rule() -> None:
    options = get_type_hints(SpecOptions, include_extras=True)
    for option, names in (("framework", FRAMEWORKS), ("fan_rule", RULES)):
        _, parameter = get_args(options[option])
        assert [name for name in names if name not in parameter.help] == []


class TestMissingEntry:
    """A missing entry is a message that says what the package does not support, never an internal error."""

    def spec(self, layer_type: str = "layer_normalization, features: 4") -> Any:
        return parse_spec(f"seed: 1\nlayers: [{{name: x, type: {layer_type}}}]")

    def without(self, mapping: Any, key: str) -> Any:
        return {name: value for name, value in mapping.items() if name != key}

    def change(self, monkeypatch: pytest.MonkeyPatch, record: object, **fields: object) -> None:
        for field, value in fields.items():
            monkeypatch.setitem(record.__dict__, field, value)  # the records are frozen

    def test_of_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keras = FRAMEWORKS["keras"]
        self.change(monkeypatch, keras, table=self.without(keras.table, "layer_normalization"))
        with pytest.raises(PlanError, match="keras has no row for layer type layer_normalization"):
            make_plan(self.spec())
        assert list(missing_in_frameworks()) == [
            "keras: no row for layer type layer_normalization; edit lecun_cli/frameworks/keras.py"
        ]

    def test_of_a_forward_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change(monkeypatch, LAYER_TYPES["layer_normalization"], operation=None)
        with pytest.raises(UsageError, match="propagate does not support layer_normalization yet"):
            propagate(self.spec())
        (entry,) = missing_in_layers()
        assert "edit" not in entry
        assert "lecun_cli/layers/normalization.py" in entry

    def test_of_an_epsilon(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keras = FRAMEWORKS["keras"]
        self.change(monkeypatch, keras, epsilon=self.without(keras.epsilon, "layer_normalization"))
        with pytest.raises(UnsupportedError, match="keras has no epsilon for layer type layer_normalization"):
            propagate(self.spec())
        assert list(missing_in_frameworks()) == [
            "keras: no epsilon for layer type layer_normalization; edit lecun_cli/frameworks/keras.py"
        ]

    def test_of_a_recognizer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change(monkeypatch, FRAMEWORKS["keras"], recognizer=None)
        recognizer_of.cache_clear()
        with pytest.raises(LecunInitError, match="derive does not support keras yet"):
            recognizer_of("keras")
        recognizer_of.cache_clear()

    def test_of_a_keras_attribute(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.change(monkeypatch, LAYER_TYPES["lstm"], keras_attributes={})
        plan = make_plan(self.spec("lstm, input_size: 3, hidden_size: 4"))
        with pytest.raises(LecunInitError, match="do not support the inner layer lstm_cell of lstm yet"):
            FORMATS["keras"].layout(plan)
        assert set(missing_in_frameworks()) == {
            "lstm: no keras_attributes of lstm_cell; edit lecun_cli/layers/recurrent.py"
        }

    def test_of_a_class_in_a_table(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keras = FRAMEWORKS["keras"]
        table = {**keras.table, "layer_normalization": keras.table["lstm"]}
        self.change(monkeypatch, keras, table=table)
        assert list(missing_in_frameworks()) == [
            "keras: its row for layer_normalization takes another class of layers; "
            "edit lecun_cli/frameworks/keras.py"
        ]


def test_layers_have_the_names_of_their_types() -> None:
    assert all(issubclass(row.model, Layer | RawTensor) for row in LAYER_TYPES.values())
    assert all(name == row.name for name, row in LAYER_TYPES.items())


def test_synonyms_name_one_layer_type_each() -> None:
    synonyms = [synonym for row in LAYER_TYPES.values() for synonym in row.synonyms]
    assert len({*synonyms, *LAYER_TYPES}) == len(synonyms) + len(LAYER_TYPES)


def test_synonyms_name_one_framework_each() -> None:
    synonyms = [synonym for framework in FRAMEWORKS.values() for synonym in framework.synonyms]
    assert len({*synonyms, *FRAMEWORKS}) == len(synonyms) + len(FRAMEWORKS)


def test_registries_can_be_imported_without_heavy_packages() -> None:
    """`--help` reads the frameworks, and planning needs the layers, but neither computes with arrays."""
    code = """
import sys
import lecun_cli.frameworks
print([name for name in ("numpy", "pydantic") if name in sys.modules])
import lecun_cli.layers
print([name for name in ("numpy",) if name in sys.modules])
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n[]\n"
