"""The completion of the shell, requested as bash requests it."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lecun_cli.cli import main

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def request(line: str) -> dict[str, str]:
    """Return the environment in which bash requests the completion of the last word of a line."""
    return {
        "_LECUN_INIT_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(line.split(" ")) - 1),
    }


@pytest.fixture
def complete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], list[str]]:
    """Return a function that completes a line, in this process."""
    monkeypatch.setattr(main, "handle_signals", lambda: None)
    monkeypatch.chdir(tmp_path)

    def call(line: str) -> list[str]:
        for name, value in request(line).items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SystemExit) as caught:
            main.run([])
        output = capsys.readouterr()
        assert (caught.value.code, output.err) == (0, "")
        return output.out.split()

    return call


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
            ("lecun-init propagate selu_mlp --compare he_n", ["he_normal"]),
            ("lecun-init propagate selu_mlp --activation se", ["selu"]),
        ],
    )
    def test_offers_commands_options_samples_and_names(
        self, complete: Callable[[str], list[str]], line: str, answers: list[str]
    ) -> None:
        assert complete(line) == answers

    @pytest.mark.parametrize(
        "line",
        ["lecun-init slice nothing.yaml hid", "lecun-init plan broken.yaml --set ", "lecun-init slice - "],
    )
    def test_offers_nothing_if_the_spec_cannot_be_read(
        self, complete: Callable[[str], list[str]], tmp_path: Path, line: str
    ) -> None:
        (tmp_path / "broken.yaml").write_text("params: [", encoding="utf-8")
        assert complete(line) == []

    def test_is_answered_by_the_installed_command(self, tmp_path: Path) -> None:
        output = subprocess.run(
            [sys.executable, "-m", "lecun_cli"],
            env={**os.environ, **request("lecun-init slice selu_mlp hidden/")},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert (output.stdout.split(), output.stderr) == (["hidden/bias", "hidden/kernel"], "")

    def test_can_be_installed(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(main, "handle_signals", lambda: None)
        monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
        with pytest.raises(SystemExit):
            main.run(["--show-completion", "bash"])
        assert "_LECUN_INIT_COMPLETE=complete_bash" in capsys.readouterr().out
