"""TAB in real shells: names in a spec are never executed, and plain names are offered."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.cli.completion import plain_matches
from tests.cli.terminal import PROMPT, Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = {
    "evil.yaml": "params: {'\\$(touch PWNED_PARAM)': 1, d: 4, width: 3}\n"
    "layers:\n  - {type: dense, name: hidden, in_features: 3, out_features: 4}\n",
    "evil3.yaml": "seed: 1\ntensors:\n"
    "  - {name: 'w\\$(touch PWNED_TENSOR)', shape: [2], fan_in: 3}\n"
    "  - {name: 'w.plain', shape: [2], fan_in: 3}\n",
    "evil4.yaml": "seed: 1\ntensors:\n"
    "  - {name: 'w$(touch PWNED_BASH)', shape: [2], fan_in: 3}\n"
    "  - {name: 'v`touch PWNED`', shape: [2], fan_in: 3}\n"
    "  - {name: 'u;touch PWNED;', shape: [2], fan_in: 3}\n"
    "  - {name: 'plain/kernel', shape: [2], fan_in: 3}\n",
}

START = {
    "bash": ["bash", "--noprofile", "--norc", "-i"],
    "zsh": ["zsh", "-f", "-i"],
}
SET_UP = {
    "bash": "PS1='READY''> '; bind 'set enable-bracketed-paste off'; source completion.bash\n",
    "zsh": "PS1='READY''> '; unsetopt zle_bracketed_paste; "
    "autoload -Uz compinit; compinit -u -D; source completion.zsh\n",
}

pytestmark = pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals need POSIX")


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Terminal, Path]]:
    """Return a shell with completion, and its working directory."""
    name = request.param
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    for file, text in HOSTILE.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TERM": "dumb",
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    script = subprocess.run(
        ["lecun-init", "--show-completion", name], env=env, capture_output=True, text=True, check=True
    )
    (tmp_path / f"completion.{name}").write_text(script.stdout, encoding="utf-8")
    with Terminal(START[name], tmp_path, env) as terminal:
        terminal.type(SET_UP[name])
        terminal.read_until(PROMPT)
        yield terminal, tmp_path


LINES = [
    ("lecun-init plan evil.yaml --set w", "width="),
    ("lecun-init plan evil.yaml --set ", "d="),
    ("lecun-init slice evil3.yaml w", "w.plain"),
    ("lecun-init slice evil4.yaml w", None),
    ("lecun-init slice evil4.yaml ", "plain/kernel"),
]
"""A line, and a text that TAB offers for it, or None. The only hostile name that fits a line is inserted."""


class TestTab:
    def test_executes_nothing_and_offers_plain_names(self, shell: tuple[Terminal, Path]) -> None:
        terminal, folder = shell
        for line, offered in LINES:
            terminal.type(f"{line}\t\t")  # bash lists several answers at the second TAB
            if offered is None:
                terminal.read_until_quiet()
            else:
                terminal.read_until(offered)
            terminal.type("\n")
            terminal.read_until(PROMPT)
            assert list(folder.glob("PWNED*")) == [], line


class TestPlainNames:
    @pytest.mark.parametrize(
        "name", ["hidden/kernel", "h.0.attn.c_attn.weight", "kernel:0", "a@b", "c++", "_x", "lr-1", "0"]
    )
    def test_are_offered(self, name: str) -> None:
        assert plain_matches([name], "") == [name]

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "-o",
            "--output=x",
            "é",
            "\x1b[2J",
            "a\nb",
            "a\tb",
            *(f"a{c}b" for c in " $\\`;&|<>()*?[]{}~!#'\"=%^"),
        ],
    )
    def test_any_other_name_is_not_offered(self, name: str) -> None:
        assert plain_matches([name], "") == []
