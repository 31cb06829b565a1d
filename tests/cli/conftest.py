"""Running the command line: in this process for its messages, as a real process for its behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pytest

from lecun_cli.cli import main

if TYPE_CHECKING:
    from pathlib import Path

SPEC = """\
seed: 42
layers:
  - {type: dense, name: hidden, in_features: 100, out_features: 64, activation: selu}
  - {type: dense, name: logits, in_features: 64, out_features: 10}
"""

# 4 GiB: more than any test lets be written.
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
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


class Run(Protocol):
    def __call__(self, *args: str) -> Ran: ...


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line in this process; signals are left alone."""
    monkeypatch.setattr(main, "handle_signals", lambda: None)

    def call(*args: str) -> Ran:
        code = main.run(list(args))
        output = capsys.readouterr()
        return Ran(code, output.out, output.err)

    return call


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, with a small spec and a large one."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    (tmp_path / "large.yaml").write_text(LARGE)
    monkeypatch.chdir(tmp_path)
    return tmp_path
