"""The help, the version, and the modules that they load."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from lecun_cli import __version__
from lecun_cli.cli.app import app
from lecun_cli.stream._kernel.loader import load

if TYPE_CHECKING:
    from tests.cli.conftest import Run

COMMANDS = [command.name for command in app.registered_commands]
HEAVY = ("numpy", "h5py", "pydantic", "rich", "yaml", "ml_dtypes", "safetensors")


class TestStart:
    def test_help_and_version_load_no_large_module(self) -> None:
        code = (
            "import sys; from lecun_cli.cli.main import run\n"
            "for args in (['--help'], ['--version']): run(args)\n"
            f"print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
        )
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert ran.stdout.splitlines()[-1] == "loaded: []"

    def test_version_names_the_release_and_the_stream(self, run: Run) -> None:
        assert run("--version").out == f"lecun-init {__version__} (stream 1, {load().state})\n"

    def test_the_help_is_shown_without_arguments(self, run: Run) -> None:
        ran = run()
        assert "Usage: lecun-init" in ran.out + ran.err

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_has_help_with_an_example(self, run: Run, command: str) -> None:
        ran = run(command, "--help")
        assert ran.code == 0
        assert "Example: lecun-init" in " ".join(ran.out.split())
