"""`propagate`, from the command line."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.cli.propagate_output import strip
from tests.cli.terminal import lines_without_colors

if TYPE_CHECKING:
    from tests.cli.conftest import Run, RunOnTerminal

SELU = str(Path("sample_specs/selu_32.yaml").resolve())


class TestTable:
    def test_has_a_line_for_every_layer_and_a_verdict(self, run: Run, here: Path) -> None:
        ran = run("propagate", "spec.yaml")
        lines = ran.out.splitlines()
        assert ran.code == 0
        assert lines[0].split()[:8] == [
            "layer",
            "kind",
            "output",
            "fed",
            "by",
            "activation",
            "before",
            "mean",
        ]
        assert lines[1].startswith("hidden  dense      64  input   selu")
        assert lines[4].startswith("● lecun_normal  stays: variance from")
        assert "2 layers, 1,024 samples of variance 1; framework keras, seed 42" in lines[5]

    def test_has_a_column_for_every_initializer(self, run: Run, here: Path) -> None:
        ran = run("propagate", "spec.yaml", "--compare", "he_normal, glorot_uniform", "--compare", "uniform")
        heading = ran.out.splitlines()[0]
        assert re.findall(r"[●▲■◆] \w+", heading) == [
            "● lecun_normal", "▲ he_normal", "■ glorot_uniform", "◆ uniform",
        ]  # fmt: skip

    def test_notes_what_was_assumed(self, run: Run, here: Path) -> None:
        ran = run("propagate", "lenet5")
        assert "note: convolutions have stride 1 and no padding, on images of 13x13" in ran.out

    @pytest.mark.parametrize("columns", [80, 160])
    def test_fits_the_terminal(self, run_on_terminal: RunOnTerminal, columns: int) -> None:
        command = ["propagate", SELU, "--compare", "he_normal,glorot_uniform,truncated_normal"]
        output = run_on_terminal(columns, *command, "--set", "width=16", "--samples", "32")
        lines = [line for line in lines_without_colors(output) if line.strip()]
        assert max(map(len, lines)) <= columns
        assert sum("hidden_" in line for line in lines) == 32
        assert all("●" in line for line in lines if line.startswith("hidden_"))


class TestStrip:
    def test_marks_the_variance_of_each_run(self) -> None:
        assert strip([0.0, 4.0, -2.0], 4, 9) == "  ■ ●   ▲"

    def test_shows_the_unit_line_where_there_is_no_mark(self) -> None:
        assert strip([None], 4, 9) == "    │    "
        assert strip([2.0], 4, 9, ground="·") == "····│·●··"

    def test_marks_values_beyond_the_scale_at_its_ends(self) -> None:
        assert strip([float("inf"), float("-inf")], 4, 9) == "▲   │   ●"

    def test_draws_the_first_run_on_top(self) -> None:
        assert strip([0.0, 0.0], 4, 9) == "    ●    "


class TestOutputs:
    def test_json_contains_every_run_and_layer(self, run: Run, here: Path) -> None:
        ran = run("propagate", "spec.yaml", "--compare", "he_normal", "--json")
        document = json.loads(ran.out)
        assert [r["initializer"] for r in document["runs"]] == ["lecun_normal", "he_normal"]
        assert [layer["name"] for layer in document["runs"][1]["layers"]] == ["hidden", "logits"]
        assert document["runs"][0]["verdict"]["kind"] == "stays"
        assert ran.err == ""

    def test_csv_has_a_row_for_every_layer_of_every_run(self, run: Run, here: Path) -> None:
        ran = run("propagate", "spec.yaml", "--compare", "he_normal", "--csv")
        rows = list(csv.DictReader(io.StringIO(ran.out)))
        assert [(r["initializer"], r["name"]) for r in rows] == [
            ("lecun_normal", "hidden"), ("lecun_normal", "logits"),
            ("he_normal", "hidden"), ("he_normal", "logits"),
        ]  # fmt: skip
        assert 0.8 < float(rows[0]["variance"]) < 1.2

    def test_quiet_prints_nothing(self, run: Run, here: Path) -> None:
        ran = run("propagate", "spec.yaml", "--quiet")
        assert (ran.code, ran.out, ran.err) == (0, "", "")

    @pytest.mark.parametrize("name", ["p.svg", "p.html"])
    def test_a_picture_is_written_and_reported(self, run: Run, here: Path, name: str) -> None:
        ran = run("propagate", "spec.yaml", "--plot", name, "--theme", "dark")
        assert ran.code == 0
        assert (here / name).stat().st_size > 1000
        assert f"wrote    {name}" in ran.err

    def test_a_picture_is_replaced_only_with_force(self, run: Run, here: Path) -> None:
        (here / "p.png").write_bytes(b"mine")
        ran = run("propagate", "spec.yaml", "--plot", "p.png")
        assert ran.code == 2
        assert (here / "p.png").read_bytes() == b"mine"
        assert run("propagate", "spec.yaml", "--plot", "p.png", "--force").code == 0
        assert (here / "p.png").read_bytes().startswith(b"\x89PNG")


class TestSources:
    def test_a_weight_file_is_run_with_its_own_weights(self, run: Run, here: Path) -> None:
        assert run("spec.yaml", "-o", "w.safetensors", "--quiet").code == 0
        ran = run("propagate", "w.safetensors", "--activation", "selu", "--json")
        own = json.loads(ran.out)["runs"][0]
        spec = json.loads(run("propagate", "spec.yaml", "--json").out)["runs"][0]
        assert own["initializer"] == "file"
        assert own["layers"][0]["variance"] == spec["layers"][0]["variance"]

    def test_a_folder_stands_for_the_only_file_in_it(self, run: Run, here: Path) -> None:
        (here / "model").mkdir()
        assert run("spec.yaml", "-o", "model/w.safetensors", "--quiet").code == 0
        assert run("propagate", "model").code == 0
        assert run("spec.yaml", "-o", "model/w.h5", "--quiet").code == 0
        ran = run("propagate", "model")
        assert ran.code == 2
        assert "model contains 2 checkpoints: w.h5, w.safetensors" in ran.err

    def test_weights_are_run_with_the_activations_of_the_spec(self, run: Run, here: Path) -> None:
        assert run("spec.yaml", "-o", "w.weights.h5", "--quiet").code == 0
        ran = run("propagate", "spec.yaml", "--weights", "w.weights.h5", "--json")
        assert [layer["activation"] for layer in json.loads(ran.out)["runs"][0]["layers"]] == ["selu", None]

    def test_options_override_the_spec(self, run: Run, here: Path) -> None:
        ran = run(
            "propagate", SELU, "--set", "depth=3,width=32", "--seed", "9", "--framework", "torch", "--json"
        )
        document = json.loads(ran.out)
        assert len(document["runs"][0]["layers"]) == 4
        assert (document["seed"], document["framework"]) == (9, "torch")


class TestRefused:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("spec.yaml", "--json", "--csv"), "--json and --csv contradict each other"),
            (("spec.yaml", "--compare", "xavier"), "unknown initializer"),
            (("spec.yaml", "--activation", "reul"), 'unknown activation "reul"'),
            (("spec.yaml", "--samples", "0"), "samples: expected 2"),
            (
                ("spec.yaml", "--image-size", "28by28"),
                '--image-size: expected sizes such as 32 or 28x28, got "28by28"',
            ),
            (
                ("spec.yaml", "--plot", "p.gif"),
                'unrecognized type of picture: expected .png, .svg, .html, got "p.gif"',
            ),
            (
                ("spec.yaml", "--plot", "p.png", "--theme", "blue"),
                '--theme: expected light or dark, got "blue"',
            ),
            (("spec.yaml", "--weights", "none.safetensors"), "there is no file none.safetensors"),
            (("none.yaml",), "none.yaml"),
            (("none.safetensors",), "there is no weight file none.safetensors"),
            (
                ("none.safetensors", "--framework", "torch"),
                "--framework needs a spec, but none.safetensors is a weight file",
            ),
            (("none.safetensors", "--set", "d=1"), "--set needs a spec"),
        ],
    )
    def test_with_one_error(self, run: Run, here: Path, args: tuple[str, ...], message: str) -> None:
        before = sorted(here.iterdir())
        ran = run("propagate", *args)
        assert ran.code == 2
        assert message in ran.err
        assert ran.out == ""
        assert sorted(here.iterdir()) == before
