"""Ctrl-C, SIGTERM and closed pipes: no partial file, no traceback, nothing left running."""

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
    """Read a little of what a run prints, close the pipe, and see how the run ends."""
    with _start(*args) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert len(run.stdout.read(10)) == 10
        run.stdout.close()
        err = run.stderr.read()
        return run.wait(timeout=60), err


def _wait_for_partial(here: Path) -> None:
    """Until the temporary file is there: the drawing has begun."""
    for _ in range(3000):
        if list(here.glob(".*.partial")):
            return
        time.sleep(0.01)
    raise AssertionError("the run never began to write")


class TestInterrupted:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
    @pytest.mark.parametrize("name", ["w.safetensors", "w.h5"])
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

    def test_the_old_file_outlives_an_interrupted_replacement(self, here: Path) -> None:
        (here / "w.safetensors").write_bytes(b"precious")
        run = _start("large.yaml", "-o", "w.safetensors", "--force")
        _wait_for_partial(here)
        run.send_signal(signal.SIGTERM)
        run.communicate(timeout=60)
        assert run.returncode == 130
        assert (here / "w.safetensors").read_bytes() == b"precious"


class TestClosedPipe:
    def test_ends_with_one_line_and_code_1(self, here: Path) -> None:
        before = sorted(here.iterdir())
        code, err = _read_and_close("large.yaml", "-o", "-")
        assert code == 1
        assert err == b"error: stdout was closed before everything was written\n"
        assert sorted(here.iterdir()) == before

    def test_of_a_result_is_no_traceback_either(self, here: Path) -> None:
        (here / "many.yaml").write_text(
            "layers: [{repeat: 20000, layers: [{type: dense, name: '{i}', in_features: 1, out_features: 1}]}]"
        )
        code, err = _read_and_close("plan", "many.yaml", "--json")
        assert code == 1
        assert err == b"error: stdout was closed before everything was written\n"


class TestFailures:
    def test_a_write_that_fails_midway_leaves_no_file(self, here: Path) -> None:
        """A limit on the size of files stands for a disk that fails: the reservation is refused."""
        before = sorted(here.iterdir())
        code = (
            "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6));"
            "from lecun_cli.cli.main import run; sys.exit(run(['large.yaml', '-o', 'w.safetensors']))"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
        assert ran.returncode == 1
        assert b"w.safetensors could not be written: File too large" in ran.stderr
        assert sorted(here.iterdir()) == before

    def test_a_full_stdout_is_told(self, here: Path) -> None:
        if not os.path.exists("/dev/full"):  # only Linux has it; elsewhere there is nothing to try
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
    def test_that_turns_an_interrupt_into_its_own_error_does_not_hide_it(
        self, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """CPython's compiler makes a SyntaxError of an interrupt that arrives while it loads a module."""

        def convert(*_: object, **__: object) -> None:
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                raise SyntaxError("cannot load module") from None

        handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
        monkeypatch.setattr("lecun_cli.plan.planner.make_plan", convert)
        try:
            assert main.run(["spec.yaml", "-o", "w.safetensors"]) == 130
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        assert capsys.readouterr().err == "interrupted: no partial file is left\n"
