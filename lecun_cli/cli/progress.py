"""Progress on stderr, if it is a terminal: bytes, rate, time left and the current tensor."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from lecun_cli.display.text import shorten_middle
from lecun_cli.signals import check

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """A progress bar over bytes; it shows nothing if stderr is not a terminal.

    Args:
        label: The name of the activity.
        nbytes: The total in bytes, or a function that computes it, which is called only if the bar is shown.
        quiet: If true, show nothing.

    Attributes:
        seconds: The duration, once the context has been left.
    """

    def __init__(self, label: str, nbytes: int | Callable[[], int], *, quiet: bool) -> None:
        self._label = label
        self._total = nbytes
        self._nbytes = 0
        self._shown = not quiet and sys.stderr.isatty()
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._began = time.monotonic()
        self._name_width = 20
        self.seconds = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        if self._shown:
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.table import Column

            self._nbytes = self._total() if callable(self._total) else self._total
            console = Console(stderr=True)
            self._name_width = max(20, min(60, console.width - 56))
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                DownloadColumn(binary_units=True, table_column=Column(no_wrap=True)),
                TextColumn("{task.fields[rate]}", style="progress.data.speed"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[at]}", style="dim", markup=False),
                console=console,
                transient=True,
                redirect_stdout=False,
                refresh_per_second=8,
            )
            self._task = self._progress.add_task(self._label, total=self._nbytes, at="", rate="")
            self._progress.start()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.seconds = time.monotonic() - self._began
        if self._progress is not None:
            self._progress.stop()

    def update(self, nbytes: int, name: str = "") -> None:
        """Show the progress.

        Args:
            nbytes: The bytes that are done.
            name: The current tensor or layer.

        Raises:
            KeyboardInterrupt: A signal arrived, and foreign code swallowed its exception.
        """
        check()
        if self._progress is not None and self._task is not None:
            self._progress.update(
                self._task,
                completed=min(nbytes, self._nbytes),
                at=shorten_middle(name, self._name_width),
                rate=self._rate(nbytes),
            )

    def _rate(self, nbytes: int) -> str:
        from lecun_cli.display.units import format_nbytes

        seconds = time.monotonic() - self._began
        return f"{format_nbytes(round(nbytes / seconds))}/s" if seconds > 0 else ""
