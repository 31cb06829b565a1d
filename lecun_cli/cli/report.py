"""Results on stdout: text as it is, and tables as wide as the terminal, whole where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def emit(text: str) -> None:
    """Print a result on stdout, all of it.

    Python's own stdout may be unbuffered (PYTHONUNBUFFERED), and then drops what a closed pipe did not
    take without a word.

    Raises:
        BrokenPipeError: The reader has gone.
        OutputError: Anything else.
    """
    from lecun_cli.destinations import Stream

    sys.stdout.flush()
    try:
        fd = sys.stdout.fileno()
    except (OSError, ValueError):  # a stand-in for stdout, as in a notebook
        sys.stdout.write(text + "\n")
    else:
        Stream(fd, "stdout").write(0, memoryview((text + "\n").encode()))


def warn(warnings: Iterable[str], *, quiet: bool = False) -> None:
    """Say what looks like a mistake, on stderr."""
    if not quiet:
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, right: frozenset[str]) -> None:
    """Print a table on stdout; the first column is folded where the terminal is narrow.

    Args:
        columns: The headings.
        rows: The cells.
        right: The headings of the columns that are aligned to the right.
    """
    if not sys.stdout.isatty():
        _plain(columns, list(rows), right)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, heading in enumerate(columns):
        made.add_column(
            heading, justify="right" if heading in right else "left", overflow="fold", no_wrap=i > 0
        )
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    Console().print(made)


def _plain(columns: Sequence[str], rows: list[Sequence[str]], right: frozenset[str]) -> None:
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    emit("\n".join(lines))
