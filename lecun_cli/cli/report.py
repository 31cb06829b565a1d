"""Results on stdout: texts, and tables that fit the terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from lecun_cli.display.text import shorten_middle

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def emit(text: str) -> None:
    """Print a result on stdout completely, or raise.

    An unbuffered `sys.stdout` (PYTHONUNBUFFERED) silently drops the bytes that a closed pipe did not take.

    Args:
        text: The result, without a final line end.

    Raises:
        BrokenPipeError: The reader has closed the pipe.
        OutputError: stdout cannot be written for another reason.
    """
    from lecun_cli.output.destinations.stream import write_all

    sys.stdout.flush()
    try:
        fd = sys.stdout.fileno()
    except (OSError, ValueError):  # stdout was replaced, as in a notebook
        sys.stdout.write(text + "\n")
    else:
        write_all(fd, memoryview((text + "\n").encode()), "stdout")


def warn(warnings: Iterable[str], *, quiet: bool = False) -> None:
    """Print warnings on stderr, unless quiet."""
    if not quiet:
        for warning in warnings:
            typer.echo(f"warning: {warning}", err=True)


def _plain(columns: Sequence[str], rows: Sequence[Sequence[str]], right: frozenset[str]) -> None:
    widths = [max(len(str(row[i])) for row in [columns, *rows]) for i in range(len(columns))]
    lines = []
    for row in [columns, *rows]:
        cells = [
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(row, widths, columns, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    emit("\n".join(lines))


@dataclass(frozen=True)
class Column:
    """A column of a table that fits the terminal.

    Attributes:
        heading: The heading.
        right: If true, the cells are aligned to the right.
        rank: The drop order on narrow terminals: the highest rank is dropped first, rank 0 never.
        style: The rich style of cells without a style of their own.
    """

    heading: str
    right: bool = False
    rank: int = 0
    style: str = ""


Cell = str | tuple[str, str]
"""The text of a cell, or its text and its rich style."""
_GAP = 2
"""Spaces between columns."""
_MIN_FIRST_WIDTH = 24
"""Columns are dropped rather than shorten the first column to less than this."""


def width() -> int | None:
    """Return the width of the terminal in columns, or None if stdout is not a terminal."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console().width


def fitted_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table on stdout that fits the terminal; without a terminal, print it complete and plain.

    The least important columns are dropped first, then the middle of the first column is shortened.

    Args:
        columns: The columns.
        rows: The cells of each row; the first cell is a name.
    """
    terminal_width = width()
    if terminal_width is None:
        texts = [[_text(cell) for cell in row] for row in rows]
        right = frozenset(column.heading for column in columns if column.right)
        _plain([column.heading for column in columns], texts, right)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kept, widths = fit(columns, rows, terminal_width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold", show_edge=False)
    for i, size in zip(kept, widths, strict=True):
        column = columns[i]
        table.add_column(
            column.heading, justify="right" if column.right else "left", no_wrap=True, width=size,
            style=column.style,
        )  # fmt: skip
    for row in rows:
        cells = []
        for i, size in zip(kept, widths, strict=True):
            cell = row[i]
            style = cell[1] if isinstance(cell, tuple) else ""
            cells.append(Text(shorten_middle(_text(cell), size), style=style))
        table.add_row(*cells)
    Console().print(table)


def fit(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], terminal_width: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Choose the columns that fit into a terminal.

    Columns whose cells are all empty or 0 are dropped before all others.

    Args:
        columns: The columns.
        rows: The cells of each row.
        terminal_width: The number of characters.

    Returns:
        The indices of the columns that remain, and the width of each.
    """
    natural = [
        max([len(column.heading), *(len(_text(row[i])) for row in rows)]) for i, column in enumerate(columns)
    ]
    idle = {i for i in range(1, len(columns)) if all(_text(row[i]) in {"", "0"} for row in rows)}
    kept = list(range(len(columns)))

    def rest() -> int:
        return terminal_width - sum(natural[i] + _GAP for i in kept[1:])

    least = min(natural[0], _MIN_FIRST_WIDTH)
    while rest() < least:
        droppable = [i for i in kept[1:] if columns[i].rank > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda i: (i in idle, columns[i].rank)))
    first = max(least, min(natural[0], rest()))
    return tuple(kept), (first, *(natural[i] for i in kept[1:]))


def _text(cell: Cell) -> str:
    return cell[0] if isinstance(cell, tuple) else cell
