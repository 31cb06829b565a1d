"""Results on stdout: text as it is, and tables as wide as the terminal, whole where there is none."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from lecun_cli.display.text import shorten_middle

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
    from lecun_cli.output.destinations.stream import write_all

    sys.stdout.flush()
    try:
        fd = sys.stdout.fileno()
    except (OSError, ValueError):  # a stand-in for stdout, as in a notebook
        sys.stdout.write(text + "\n")
    else:
        write_all(fd, memoryview((text + "\n").encode()), "stdout")


def warn(warnings: Iterable[str], *, quiet: bool = False) -> None:
    """Say what looks like a mistake, on stderr."""
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
    """A column of a table that fits its terminal.

    Attributes:
        heading: Its heading.
        right: Whether it is aligned to the right.
        rank: How little it matters: on a narrow terminal those of the highest rank go first, and those of
            rank 0 stay.
        style: How rich shows it where a cell has no style of its own.
    """

    heading: str
    right: bool = False
    rank: int = 0
    style: str = ""


Cell = str | tuple[str, str]
"""A cell's text, or its text and its style."""
_GAP = 2
_LEAST_FIRST = 24


def width() -> int | None:
    """The width of the terminal that stdout is, in columns, or None where it is none."""
    if not sys.stdout.isatty():
        return None
    from rich.console import Console

    return Console().width


def fitted_table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table on stdout that fits its terminal; whole, and plain, where there is none.

    The least important columns go first; then the first column is shortened in the middle.

    Args:
        columns: The columns.
        rows: The cells; the first is a name.
    """
    room = width()
    if room is None:
        texts = [[_text(cell) for cell in row] for row in rows]
        right = frozenset(column.heading for column in columns if column.right)
        _plain([column.heading for column in columns], texts, right)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    kept, widths = fit(columns, rows, room)
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
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], room: int
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The columns that fit into so many characters, and how wide each is.

    Columns in which no row says anything (empty, or 0) go first of all, unless there is room.
    """
    natural = [
        max([len(column.heading), *(len(_text(row[i])) for row in rows)]) for i, column in enumerate(columns)
    ]
    idle = {i for i in range(1, len(columns)) if all(_text(row[i]) in {"", "0"} for row in rows)}
    kept = list(range(len(columns)))

    def rest() -> int:
        return room - sum(natural[i] + _GAP for i in kept[1:])

    least = min(natural[0], _LEAST_FIRST)
    while rest() < least:
        droppable = [i for i in kept[1:] if columns[i].rank > 0]
        if not droppable:
            break
        kept.remove(max(droppable, key=lambda i: (i in idle, columns[i].rank)))
    first = max(least, min(natural[0], rest()))
    return tuple(kept), (first, *(natural[i] for i in kept[1:]))


def _text(cell: Cell) -> str:
    return cell[0] if isinstance(cell, tuple) else cell
