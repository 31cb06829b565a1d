"""A real shell in a pseudo-terminal, to type into and to read from."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

PROMPT = "READY> "


class Terminal:
    """A shell that runs in a pseudo-terminal; leaving the context ends it.

    Args:
        command: The shell and its arguments.
        folder: Its working folder.
        env: Its environment.
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
        """Read what the terminal shows until a text appears.

        Raises:
            AssertionError: It does not appear in time.
        """
        return self._read(seconds, until=text)

    def read_until_quiet(self, quiet_seconds: float = 2.0) -> str:
        """Read what the terminal shows until nothing comes for some time."""
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
