"""Ctrl-C, SIGTERM and closed pipes leave no partial file, no traceback and no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from lecun_cli import signals
from lecun_cli.cli import main

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "lecun_cli"]


def _start(*args: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*COMMAND, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _read_and_close(*args: str) -> tuple[int, bytes]:
    """Read some of the output of a run, close the pipe, and return the exit code and stderr."""
    with _start(*args) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert len(run.stdout.read(10)) == 10
        run.stdout.close()
        err = run.stderr.read()
        return run.wait(timeout=60), err


def _wait_for_partial(here: Path) -> None:
    """Wait for the temporary file, which exists once the generation has started."""
    for _ in range(3000):
        if list(here.glob(".*.partial")):
            return
        time.sleep(0.01)
    raise AssertionError("the run did not start to write")


class TestInterrupted:
    @pytest.mark.parametrize(
        ("number", "name"),
        [
            (signal.SIGINT, "w.safetensors"),
            (signal.SIGINT, "w.h5"),
            (signal.SIGTERM, "w.h5"),
            (signal.SIGHUP, "w.safetensors"),
        ],
    )
    def test_leaves_no_partial_file_and_no_traceback(
        self, here: Path, number: signal.Signals, name: str
    ) -> None:
        before = sorted(here.iterdir())
        run = _start("large.yaml", "-o", name)
        _wait_for_partial(here)
        time.sleep(0.1)
        run.send_signal(number)
        _, err = run.communicate(timeout=60)
        assert run.returncode == 130
        assert b"no partial file is left" in err
        assert b"Traceback" not in err
        assert sorted(here.iterdir()) == before

    def test_a_second_signal_changes_nothing(self, here: Path) -> None:
        before = sorted(here.iterdir())
        run = _start("large.yaml", "-o", "w.safetensors")
        _wait_for_partial(here)
        for _ in range(3):
            run.send_signal(signal.SIGINT)
            time.sleep(0.005)
        _, err = run.communicate(timeout=60)
        assert run.returncode == 130
        assert b"Traceback" not in err
        assert sorted(here.iterdir()) == before

    def test_an_interrupted_replacement_keeps_the_old_file(self, here: Path) -> None:
        (here / "w.safetensors").write_bytes(b"precious")
        run = _start("large.yaml", "-o", "w.safetensors", "--force")
        _wait_for_partial(here)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
        assert run.returncode == 130
        assert (here / "w.safetensors").read_bytes() == b"precious"


class TestClosedPipe:
    def test_ends_the_generation_with_one_line_and_code_1(self, here: Path) -> None:
        before = sorted(here.iterdir())
        code, err = _read_and_close("large.yaml", "-o", "-")
        assert code == 1
        assert err == b"error: stdout was closed before everything was written\n"
        assert sorted(here.iterdir()) == before

    def test_ends_the_output_of_a_result_in_the_same_way(self, here: Path) -> None:
        (here / "many.yaml").write_text(
            "layers: [{repeat: 1000, layers: [{type: dense, name: '{i}', in_features: 1, out_features: 1}]}]"
        )
        code, err = _read_and_close("plan", "many.yaml", "--json")
        assert code == 1
        assert err == b"error: stdout was closed before everything was written\n"


class TestFailures:
    def test_a_write_that_fails_midway_leaves_no_file(self, here: Path) -> None:
        """Limit the size of files to simulate a disk that fails."""
        before = sorted(here.iterdir())
        code = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6));"
            "from lecun_cli.cli.main import run; sys.exit(run(['large.yaml', '-o', 'w.safetensors']))"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
        assert ran.returncode == 1
        assert b"w.safetensors could not be written: File too large" in ran.stderr
        assert sorted(here.iterdir()) == before

    def test_a_full_stdout_is_reported(self, here: Path) -> None:
        if not os.path.exists("/dev/full"):  # only Linux has it
            return
        with open("/dev/full", "wb") as full:
            ran = subprocess.run(
                [*COMMAND, "spec.yaml", "-o", "-"],
                stdout=full,
                stderr=subprocess.PIPE,
                check=False,
                timeout=60,
            )
        assert ran.returncode == 1
        assert b"stdout could not be written: No space left on device" in ran.stderr


class TestForeignCode:
    def test_that_turns_an_interrupt_into_another_error_does_not_hide_it(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """CPython turns an interrupt that arrives while it compiles a module into a SyntaxError."""

        def convert(*_: object, **__: object) -> None:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise SyntaxError("cannot load module") from None

        handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
        monkeypatch.setattr(signals, "_stop", None)  # restored, so that later tests are not interrupted
        monkeypatch.setattr("lecun_cli.plan.planner.make_plan", convert)
        try:
            assert main.run(["spec.yaml", "-o", "w.safetensors"]) == 130
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert capsys.readouterr().err == "interrupted: no partial file is left\n"
