"""Groups of options: one parameter of a command stands for several options."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer
from typer.testing import CliRunner

from lecun_cli.cli.option_groups import with_option_groups


class Color(NamedTuple):
    """Two options, one of which has a default."""

    name: Annotated[str, typer.Option("--color")]
    names: Annotated[list[str] | None, typer.Option("--also")] = None


received: list[tuple[str, Color, bool]] = []


@with_option_groups
def paint(
    path: Annotated[str, typer.Argument()],
    *,
    color: Color,
    dry: Annotated[bool, typer.Option("--dry")] = False,
) -> None:
    """Paint a file."""
    received.append((path, color, dry))


app = typer.Typer(rich_markup_mode=None)
app.command()(paint)


class TestOptionGroups:
    def test_the_command_receives_the_group(self) -> None:
        received.clear()
        arguments = ["wall", "--also", "red", "--color", "blue", "--dry", "--also", "green"]
        assert CliRunner().invoke(app, arguments).exit_code == 0
        assert received == [("wall", Color("blue", ["red", "green"]), True)]

    def test_fields_keep_their_defaults(self) -> None:
        received.clear()
        assert CliRunner().invoke(app, ["wall", "--color", "blue"]).exit_code == 0
        assert received == [("wall", Color("blue"), False)]

    def test_a_field_without_a_default_is_a_required_option(self) -> None:
        assert CliRunner().invoke(app, ["wall"]).exit_code == 2

    def test_the_options_are_shown_in_the_order_of_the_parameters(self) -> None:
        text = CliRunner().invoke(app, ["--help"]).output
        assert "Paint a file." in text
        assert text.index("--color") < text.index("--also") < text.index("--dry")
