"""What must reach the entry point through Typer."""

from __future__ import annotations


class Carried(Exception):  # noqa: N818 - it is no error of its own
    """An interruption or a closed pipe, carried past Typer, which would swallow both."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error
