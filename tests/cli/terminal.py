"""Pseudo-terminals: a shell to type into, and the output of the command line on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    import pytest

PROMPT = "READY> "


class Terminal:
    """A shell in a pseudo-terminal, which ends when the context is left.

    Args:
        command: The shell and its arguments.
        folder: The working directory.
        env: The environment.
    """

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]) -> None:
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvpe(command[0], command, env)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._fd)
        os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)

    def type(self, text: str) -> None:
        """Type a text, without Enter."""
        os.write(self._fd, text.encode())

    def read_until(self, text: str, seconds: float = 30.0) -> str:
        """Read the output until a text appears.

        Raises:
            AssertionError: The text does not appear in time.
        """
        return self._read(seconds, until=text)

    def read_until_quiet(self, quiet_seconds: float = 2.0) -> str:
        """Read the output until it pauses."""
        return self._read(30.0, quiet_seconds=quiet_seconds)

    def _read(self, seconds: float, *, until: str | None = None, quiet_seconds: float = 30.0) -> str:
        shown = ""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if until is not None and until in shown:
                return shown
            ready, _, _ = select.select([self._fd], [], [], min(quiet_seconds, end - time.monotonic()))
            if ready:
                shown += os.read(self._fd, 65536).decode("utf-8", "replace")
            elif until is None:
                return shown
        raise AssertionError(f"the terminal did not show {until!r}: {shown!r}")


def output_on_terminal(run: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a function writes to `sys.stdout` while that is a pseudo-terminal.

    The function returns an exit code, which must be 0.
    """
    leader, follower = pty.openpty()
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(_read_to_end(leader)))
    reader.start()
    with os.fdopen(follower, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        code = run()
    reader.join()
    os.close(leader)
    assert code == 0
    return received[0].decode()


def output_of_process(columns: int, *args: str) -> str:
    """Return what the command line shows as a process on a pseudo-terminal of some width."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "lecun_cli", *args],
        stdout=follower,
        stderr=subprocess.DEVNULL,
        env=environment,
    )
    os.close(follower)
    output = _read_to_end(leader)
    os.close(leader)
    assert process.wait() == 0
    return output.decode()


def lines_without_colors(output: str) -> list[str]:
    """Return the lines of a terminal's output without escape sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", output).splitlines()


def _read_to_end(fd: int) -> bytes:
    data = b""
    while True:
        try:
            block = os.read(fd, 65536)
        except OSError:  # Linux reports the end of a terminal as an error
            return data
        if not block:
            return data
        data += block
