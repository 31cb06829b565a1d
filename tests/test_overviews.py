"""What is found, at a glance: one line, and a table for a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lecun_cli import generate, inspect, make_plan, parse_spec, propagate

if TYPE_CHECKING:
    from pathlib import Path

SPEC = parse_spec(
    "seed: 1\nlayers: [{type: dense, name: a, in_features: 64, out_features: 64, activation: selu}]", "s.yaml"
)


def test_an_inspection_is_one_line_and_a_table_of_its_tensors(tmp_path: Path) -> None:
    generate(make_plan(SPEC), tmp_path / "w.safetensors")
    found = inspect(tmp_path / "w.safetensors")
    assert repr(found) == f"<Inspection of {tmp_path / 'w.safetensors'}: 2 tensors, no fault>"
    assert [row[:3] for row in found.overview().rows] == [
        ("a/bias", "float32", "64"),
        ("a/kernel", "float32", "64x64"),
    ]
    assert "against lecun_normal of fan-in 64" in found._repr_html_()


def test_a_propagation_is_one_line_and_a_table_of_its_layers() -> None:
    found = propagate(SPEC, compare=["he_normal"])
    names = ", ".join(f"{run.initializer} {run.verdict.kind}" for run in found.runs)
    assert repr(found) == f"<Propagation through s.yaml: 1 layer, {names}>"
    assert found.overview().columns[2:] == tuple(f"variance, {run.initializer}" for run in found.runs)
    assert [row[0] for row in found.overview().rows] == ["a"]
