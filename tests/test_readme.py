"""README: every command runs, every list is complete, and every output is the real one."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lecun_cli.initializers.family import FAMILY
from lecun_cli.layers import LAYER_TYPES

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
# Replacements of programs at the end of pipelines in README: another machine, an object store.
STAND_INS = {"ssh": "cat > /dev/null", "aws": "cat > /dev/null"}
# Replacement of jq if it is not installed, for the filters that README shows.
JQ = """\
#!{python}
import json, sys
document = json.load(sys.stdin)
print(sum(t["bytes"] for t in document["tensors"]) if "map" in sys.argv[-1] else document[sys.argv[-1][1:]])
"""

BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

# Commands that create the environment of this test, so that only `.ci/run` can run them.
RUN_BY_CI = {"make demo", "make test", "pip install '.[plot]'"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a reader of README, with the samples, and the command on the path."""
    shutil.copytree(ROOT / "sample_specs", tmp_path / "sample_specs")
    monkeypatch.chdir(tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, body in STAND_INS.items():
        (programs / name).write_text(f"#!/bin/sh\n{body}\n")
    if shutil.which("jq") is None:
        (programs / "jq").write_text(JQ.format(python=sys.executable))
    for program in programs.iterdir():
        program.chmod(0o755)
    path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(path))
    return tmp_path


def _blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCKS if kind == language]


class TestCommands:
    @pytest.mark.parametrize("body", _blocks("bash"))
    def test_runs(self, folder: Path, body: str) -> None:
        lines = [line for line in body.splitlines() if line not in RUN_BY_CI]
        script = "\n".join(["set -euo pipefail", *lines])
        ran = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=120)
        assert ran.returncode == 0, ran.stderr

    def test_those_left_to_ci_are_run_by_ci(self) -> None:
        script = (ROOT / ".ci" / "run").read_text().splitlines()
        assert set(script) >= RUN_BY_CI

    @pytest.mark.parametrize("body", _blocks("python"))
    def test_python_runs(self, folder: Path, body: str) -> None:
        ran = subprocess.run(
            [sys.executable, "-c", body], capture_output=True, text=True, check=False, timeout=120
        )
        assert ran.returncode == 0, ran.stderr

    @pytest.mark.parametrize("body", _blocks("yaml"))
    def test_specs_plan(self, folder: Path, body: str) -> None:
        ran = subprocess.run(
            ["lecun-init", "plan", "-"], input=body, capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stderr == ""

    @pytest.mark.parametrize("body", _blocks("console"))
    def test_the_output_shown_is_the_real_output(self, folder: Path, body: str) -> None:
        command, _, shown = body.partition("\n")
        env = {**os.environ, "COLUMNS": "80"}
        ran = subprocess.run(
            shlex.split(command.removeprefix("$ ")),
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.stdout == shown

    def test_pictures_exist(self) -> None:
        named = re.findall(r'(?:src|srcset)="([^"]+)"|!\[[^]]*\]\(([^)]+)\)', README)
        assert named
        assert [path for pair in named for path in pair if path and not (ROOT / path).is_file()] == []

    def test_the_error_shown_is_the_real_error(self, folder: Path) -> None:
        (shown,) = _blocks("text")
        line = next(row.split("| ", 1)[1] for row in shown.splitlines() if row.startswith("4 |"))
        (folder / "spec.yaml").write_text(f"seed: 1\n\nlayers:\n{line}\n")
        ran = subprocess.run(
            ["lecun-init", "plan", "spec.yaml"], capture_output=True, text=True, check=False, timeout=60
        )
        assert shown in ran.stderr


class TestLoads:
    # Keras is always installed; `make test-frameworks` installs the others.
    @pytest.mark.parametrize(
        "body",
        [
            pytest.param(body, marks=[] if "import keras" in body else [pytest.mark.frameworks])
            for body in _blocks("py")
        ],
    )
    def test_runs_in_the_real_framework(self, folder: Path, body: str) -> None:
        command, _, code = body.partition("\n")
        subprocess.run(shlex.split(command.removeprefix("# ")), check=True, timeout=60, capture_output=True)
        env = {**os.environ, "KERAS_BACKEND": "numpy"}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False, timeout=300
        )
        assert ran.returncode == 0, ran.stderr
        assert ran.stdout.strip()


class TestLists:
    def test_every_layer_type_is_named(self) -> None:
        assert [kind for kind in LAYER_TYPES if f"`{kind}`" not in README] == []

    @pytest.mark.parametrize("kind", LAYER_TYPES)
    def test_the_row_of_every_layer_type_has_its_keys(self, kind: str) -> None:
        (row,) = (line for line in README.splitlines() if re.match(rf"\| [^|]*`{kind}`", line))
        _, _, needed, may, _ = row.split("|")
        shared = {"type", "name", "dtype", "stream"}
        fields = {
            key: field.is_required()
            for key, field in LAYER_TYPES[kind].model.model_fields.items()
            if key not in shared and not key.endswith("_initializer")
        }
        assert set(re.findall(r"`(\w+)`", needed)) == {key for key, is_needed in fields.items() if is_needed}
        optional = re.sub(
            r"`\w+` \((?!" + kind + r"\))\w+\)", "", may
        )  # keys of another layer type in the same row
        assert set(re.findall(r"`(\w+)`", optional)) == {
            k for k, is_needed in fields.items() if not is_needed
        }

    def test_every_initializer_is_named(self) -> None:
        assert [name for name in FAMILY if f"`{name}`" not in README] == []
