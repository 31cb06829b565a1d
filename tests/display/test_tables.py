"""Tables that represent a Spec, a Plan, a Manifest and results."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from lecun_cli import generate, inspect, make_plan, parse_spec, propagate
from lecun_cli.display.tables import MOST_ROWS, TableRepr

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
seed: 7
framework: torch
layers:
  - {type: conv2d, name: "a<b>", in_channels: 3, out_channels: 8, kernel_size: [3, 5], bias: false}
  - {type: dense, name: out, in_features: 8, out_features: 2, kernel_initializer: he_normal}
"""
LONG = (
    "seed: 1\nlayers: [{repeat: 100, layers: [{type: dense, name: 'd{i}', in_features: 4, out_features: 4}]}]"
)


@pytest.fixture
def shown(tmp_path: Path) -> dict[str, TableRepr]:
    spec = parse_spec(TEXT)
    plan = make_plan(spec)
    return {"spec": spec, "plan": plan, "manifest": generate(plan, tmp_path / "w.safetensors").manifest}


def rich_text(value: TableRepr) -> str:
    out = io.StringIO()
    Console(file=out, width=160).print(value)
    return out.getvalue()


class TestTable:
    @pytest.mark.parametrize(
        ("name", "line"),
        [
            ("spec", "<Spec <spec>: 2 layers, torch, float32, seed 7>"),
            ("plan", "<Plan: 3 tensors, 378 weights, 1.5 KiB, torch, fan rule exact, seed 7>"),
        ],
    )
    def test_is_one_line_for_repr(self, shown: dict[str, TableRepr], name: str, line: str) -> None:
        assert repr(shown[name]) == line

    def test_of_a_manifest_names_its_files(self, shown: dict[str, TableRepr]) -> None:
        assert repr(shown["manifest"]).startswith("<Manifest of w.safetensors: 3 tensors,")

    @pytest.mark.parametrize("name", ["spec", "plan", "manifest"])
    def test_is_a_table_for_rich_and_html_for_notebooks(self, shown: dict[str, TableRepr], name: str) -> None:
        text, html = rich_text(shown[name]), shown[name]._repr_html_()
        assert "a<b>" in text
        assert "a&lt;b&gt;" in html
        assert "a<b>" not in html
        assert "he_normal" in text
        assert "he_normal" in html

    def test_of_a_spec_shows_the_fields_that_it_sets(self, shown: dict[str, TableRepr]) -> None:
        assert "in_channels 3, out_channels 8, kernel_size 3x5, bias no" in rich_text(shown["spec"])

    def test_shows_the_first_of_many(self) -> None:
        spec = parse_spec(LONG)
        for value, n in ((spec, 100), (make_plan(spec), 200)):
            assert len(value.table().rows) == MOST_ROWS
            assert f"and {n - MOST_ROWS} more" in rich_text(value)
            assert f"and {n - MOST_ROWS} more" in value._repr_html_()


class TestOfResults:
    SPEC = parse_spec(
        "seed: 1\nlayers: [{type: dense, name: a, in_features: 64, out_features: 64, activation: selu}]",
        "s.yaml",
    )

    def test_an_inspection_is_one_line_and_a_table_of_its_tensors(self, tmp_path: Path) -> None:
        generate(make_plan(self.SPEC), tmp_path / "w.safetensors")
        inspection = inspect(tmp_path / "w.safetensors")
        assert repr(inspection) == f"<Inspection of {tmp_path / 'w.safetensors'}: 2 tensors, no problems>"
        assert [row[:3] for row in inspection.table().rows] == [
            ("a/bias", "float32", "64"),
            ("a/kernel", "float32", "64x64"),
        ]
        assert "against lecun_normal with fan-in 64" in inspection._repr_html_()

    def test_a_propagation_is_one_line_and_a_table_of_its_layers(self) -> None:
        propagation = propagate(self.SPEC, compare=["he_normal"])
        names = ", ".join(f"{run.initializer} {run.verdict.kind}" for run in propagation.runs)
        assert repr(propagation) == f"<Propagation through s.yaml: 1 layer, {names}>"
        assert propagation.table().columns[2:] == tuple(
            f"variance, {run.initializer}" for run in propagation.runs
        )
        assert [row[0] for row in propagation.table().rows] == ["a"]
