"""`plan`, from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


class TestPlan:
    def test_shows_the_fan_and_the_std_of_every_tensor(self, run: Run, here: Path) -> None:
        ran = run("plan", "spec.yaml")
        assert ran.code == 0
        assert "hidden/kernel  float32  100x64  lecun_normal     100    0.1    6,400" in ran.out
        assert "4 tensors, 7,114 weights, 27.8 KiB (28,456 bytes)" in ran.out
        assert "framework keras, float32, fan rule exact, seed 42" in ran.out

    def test_shows_the_exact_fan_if_it_differs(self, run: Run, here: Path) -> None:
        (here / "e.yaml").write_text(
            "layers: [{type: experts, name: e, num_experts: 8, in_features: 4, out_features: 2}]\n"
        )
        ran = run("plan", "e.yaml", "--framework", "torch", "--fan-rule", "torch")
        assert "8 (exact 4)" in ran.out

    def test_json_contains_exact_numbers(self, run: Run, here: Path) -> None:
        plan = json.loads(run("plan", "spec.yaml", "--json").out)
        assert plan["elements"] == 7114
        kernel = plan["tensors"][1]
        assert (kernel["name"], kernel["shape"]) == ("hidden/kernel", [100, 64])
        assert kernel["parts"][0] == {
            "identity": "hidden/kernel",
            "initializer": {"name": "lecun_normal"},
            "fan_in": 100,
            "fan_out": 64,
            "exact_fan_in": 100,
            "std": 0.1,
            "bound": 0.2273694468677113,
        }

    def test_writes_no_file(self, run: Run, here: Path) -> None:
        before = sorted(here.iterdir())
        run("plan", "spec.yaml")
        assert sorted(here.iterdir()) == before


def test_reading_a_spec_from_the_terminal_is_announced() -> None:
    import pty

    leader, follower = pty.openpty()
    os.write(leader, b"tensors: [{name: a, shape: [3], fan_in: 3}]\n\x04")
    ran = subprocess.run(
        [sys.executable, "-m", "lecun_cli", "plan", "-"],
        stdin=follower,
        capture_output=True,
        check=False,
        timeout=60,
    )
    os.close(leader)
    os.close(follower)
    assert ran.returncode == 0
    assert b"end it with Ctrl-D on a line of its own" in ran.stderr
    assert b"1 tensor" in ran.stdout
