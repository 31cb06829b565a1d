"""Run the command line: in this process to test its messages, as a process to test its behavior."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from lecun_cli.cli import main
from tests.cli.terminal import output_on_terminal

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """\
seed: 42
layers:
  - {type: dense, name: hidden, in_features: 100, out_features: 64, activation: selu}
  - {type: dense, name: logits, in_features: 64, out_features: 10}
"""

# 4 GiB: more than any test writes.
LARGE = """\
seed: 1
framework: torch
layers:
  - repeat: n
    layers: [{type: dense, name: "layer{i}", in_features: 4096, out_features: 4096, bias: false}]
params: {n: 64}
"""


@dataclass(frozen=True)
class Ran:
    """The exit code and the output of a run of the command line."""

    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *args: str) -> Ran: ...


class RunOnTerminal(Protocol):
    def __call__(self, columns: int, *args: str) -> str: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process, without its signal handlers."""
    monkeypatch.setattr(main, "handle_signals", lambda: None)

    def call(*args: str) -> Ran:
        code = main.run(list(args))
        output = capsys.readouterr()
        return Ran(code, output.out, output.err)

    return call


@pytest.fixture
def run_on_terminal(run: Run, monkeypatch: pytest.MonkeyPatch) -> RunOnTerminal:
    """Run the command line in this process with a terminal of some width as stdout; return what it shows."""
    monkeypatch.setenv("TERM", "xterm-256color")

    def call(columns: int, *args: str) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        with monkeypatch.context() as context:
            return output_on_terminal(lambda: main.run(list(args)), context)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty working directory with a small spec and a large one."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "large.yaml").write_text(LARGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path
