"""Tables that fit the terminal."""

from __future__ import annotations

import pytest

from lecun_cli.cli.report import Column, fit

COLUMNS = (Column("name"), Column("size", rank=2), Column("zeros", rank=1), Column("verdict"))
ROWS = [("a.long.name.of.a.tensor.weight", "1,000,000", "0", "ok"), ("b", "1", "0", "wrong scale")]


@pytest.mark.parametrize(
    ("room", "kept"),
    [
        (200, [0, 1, 2, 3]),
        (61, [0, 1, 2, 3]),
        (54, [0, 1, 3]),  # the zeros say nothing, so they go first
        (40, [0, 3]),
        (10, [0, 3]),  # rank 0 stays whatever happens
    ],
)
def test_columns_go_by_rank_and_idle_ones_first(room: int, kept: list[int]) -> None:
    columns, widths = fit(COLUMNS, ROWS, room)
    assert list(columns) == kept
    if room >= 40:
        assert sum(widths) + 2 * (len(widths) - 1) <= room
