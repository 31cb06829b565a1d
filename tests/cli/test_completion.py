"""What the shell completes, asked as bash asks it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def complete(line: str, folder: Path) -> list[str]:
    """The answers for a line whose last word, perhaps empty, is to be completed."""
    words = line.split(" ")
    env = {
        **os.environ,
        "_LECUN_INIT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }
    ran = subprocess.run(
        [sys.executable, "-m", "lecun_cli"],
        env=env,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.stderr == ""
    return ran.stdout.split()


class TestCompletion:
    @pytest.mark.parametrize(
        ("line", "answers"),
        [
            ("lecun-init ver", ["verify"]),
            ("lecun-init selu", ["selu_32", "selu_mlp"]),
            ("lecun-init plan selu", ["selu_32", "selu_mlp"]),
            ("lecun-init plan gpt2 --fram", ["--framework"]),
            ("lecun-init gpt2 --fram", ["--framework"]),
            ("lecun-init gpt2 --framework ", ["keras", "torch", "flax"]),
            ("lecun-init plan gpt2 --dtype int", []),
            ("lecun-init plan gpt2 --dtype b", ["bfloat16"]),
            ("lecun-init plan gpt2 --fan-rule keras", ["keras", "keras-3.14"]),
            ("lecun-init gpt2 -o x --format h", ["hdf5"]),
            ("lecun-init slice selu_mlp hidden/", ["hidden/bias", "hidden/kernel"]),
            ("lecun-init slice selu_mlp --framework torch hidden.", ["hidden.bias", "hidden.weight"]),
            ("lecun-init plan llama3 --set d", ["d="]),
            ("lecun-init llama3 --set kv", ["kv_heads=", "kv="]),
            ("lecun-init samples le", ["lenet5"]),
            ("lecun-init inspect w.safetensors --sort v", ["verdict"]),
            ("lecun-init propagate selu_mlp --theme ", ["light", "dark"]),
        ],
    )
    def test_knows_commands_options_samples_and_names(
        self, line: str, answers: list[str], tmp_path: Path
    ) -> None:
        assert complete(line, tmp_path) == answers

    @pytest.mark.parametrize(
        "line",
        ["lecun-init slice nothing.yaml hid", "lecun-init plan broken.yaml --set ", "lecun-init slice - "],
    )
    def test_is_silent_where_the_spec_cannot_be_read(self, line: str, tmp_path: Path) -> None:
        (tmp_path / "broken.yaml").write_text("params: [", encoding="utf-8")
        assert complete(line, tmp_path) == []

    def test_can_be_installed(self, tmp_path: Path) -> None:
        ran = subprocess.run(
            [sys.executable, "-m", "lecun_cli", "--show-completion", "bash"],
            cwd=tmp_path,
            env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert "_LECUN_INIT_COMPLETE=complete_bash" in ran.stdout
