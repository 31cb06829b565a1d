"""Tables for people: as wide as the terminal, whole where there is none."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


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
    for row in [columns, *rows]:
        cells = [
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(row, widths, columns, strict=True)
        ]
        typer.echo("  ".join(cells).rstrip())
