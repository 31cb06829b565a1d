"""`generate`, from the command line."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from safetensors import safe_open

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

COMMAND = [sys.executable, "-m", "lecun_cli"]


class TestGenerate:
    def test_writes_a_file_and_its_manifest(self, run: Run, here: Path) -> None:
        ran = run("spec.yaml", "-o", "w.safetensors")
        assert ran.code == 0
        assert ran.out == ""
        with safe_open(here / "w.safetensors", framework="numpy") as file:
            assert sorted(file.keys()) == ["hidden/bias", "hidden/kernel", "logits/bias", "logits/kernel"]
        manifest = json.loads((here / "w.safetensors.manifest.json").read_bytes())
        assert (
            manifest["files"][0]["sha256"]
            == hashlib.sha256((here / "w.safetensors").read_bytes()).hexdigest()
        )

    def test_the_summary_names_the_file_its_size_the_seed_and_how_to_verify(
        self, run: Run, here: Path
    ) -> None:
        ran = run("spec.yaml", "-o", "w.safetensors")
        assert "wrote    w.safetensors: 4 tensors, 7,114 weights" in ran.err
        assert "seed     42\n" in ran.err
        assert "verify   lecun-init verify w.safetensors.manifest.json" in ran.err

    def test_generate_is_the_default_command(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "a.safetensors")
        run("generate", "spec.yaml", "-o", "b.safetensors")
        run("-o", "c.safetensors", "spec.yaml")
        assert len({(here / f"{n}.safetensors").read_bytes() for n in "abc"}) == 1

    def test_a_seed_that_is_drawn_is_shown_and_repeats_the_file(self, run: Run, here: Path) -> None:
        (here / "unseeded.yaml").write_text("tensors: [{name: t, shape: [8, 8], in_axes: [1]}]\n")
        ran = run("unseeded.yaml", "-o", "a.safetensors", "--json")
        seed = json.loads(ran.out)["seed"]
        assert "drawn; --seed repeats it" in ran.err
        run("unseeded.yaml", "-o", "b.safetensors", "--seed", str(seed))
        assert (here / "a.safetensors").read_bytes() == (here / "b.safetensors").read_bytes()

    def test_json_goes_to_stdout_and_quiet_silences_stderr(self, run: Run, here: Path) -> None:
        ran = run("spec.yaml", "-o", "w.h5", "--json", "--quiet")
        assert ran.err == ""
        result = json.loads(ran.out)
        assert result["format"] == "hdf5"
        assert result["elements"] == 7114
        assert result["bytes"] == (here / "w.h5").stat().st_size

    def test_options_override_the_spec(self, run: Run, here: Path) -> None:
        (here / "p.yaml").write_text(
            "params: {d: 4}\nlayers: [{type: dense, name: a, in_features: d, out_features: 2}]\n"
        )
        ran = run(
            "p.yaml",
            "-o",
            "w.safetensors",
            "--seed",
            "5",
            "--framework",
            "torch",
            "--dtype",
            "bfloat16",
            "--set",
            "d=16",
        )
        assert ran.code == 0
        manifest = json.loads((here / "w.safetensors.manifest.json").read_bytes())
        assert manifest["seed"] == 5
        assert manifest["spec"]["set"] == {"d": 16}
        assert [(t["name"], t["dtype"], t["shape"]) for t in manifest["tensors"]] == [
            ("a.bias", "bfloat16", [2]),
            ("a.weight", "bfloat16", [2, 16]),
        ]

    @pytest.mark.parametrize("name", ["safetensors", "hdf5"])
    def test_stdout_receives_the_bytes_of_the_file(self, run: Run, here: Path, name: str) -> None:
        piped = subprocess.run(
            [*COMMAND, "spec.yaml", "-o", "-", "--format", name], capture_output=True, check=True, timeout=60
        )
        suffix = {"safetensors": "safetensors", "hdf5": "h5"}[name]
        assert run("spec.yaml", "-o", f"w.{suffix}", "-q").code == 0
        assert piped.stdout == (here / f"w.{suffix}").read_bytes()
        assert b"sha256" in piped.stderr

    def test_a_spec_can_come_from_stdin(self, run: Run, here: Path) -> None:
        text = (here / "spec.yaml").read_bytes()
        subprocess.run([*COMMAND, "-", "-o", "a.safetensors", "-q"], input=text, check=True, timeout=60)
        assert run("spec.yaml", "-o", "b.safetensors", "-q").code == 0
        assert (here / "a.safetensors").read_bytes() == (here / "b.safetensors").read_bytes()

    def test_a_rule_that_matches_nothing_gives_a_warning(self, run: Run, here: Path) -> None:
        (here / "r.yaml").write_text(
            (here / "spec.yaml").read_text() + 'rules: [{match: "nrom*", dtype: float32}]\n'
        )
        ran = run("r.yaml", "-o", "w.safetensors")
        assert ran.code == 0
        assert 'warning: the rule for "nrom*" matches no tensor' in ran.err

    def test_a_device_is_written_to_and_remains_a_device(self, run: Run, here: Path) -> None:
        assert run("spec.yaml", "-o", "/dev/null").code == 0
        assert not list(here.glob("*.manifest.json"))
