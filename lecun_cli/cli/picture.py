"""`--plot` and what goes with it, for the commands that draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.display.figures import Draw

PlotOption = Annotated[
    str | None,
    typer.Option("--plot", metavar="FILE", help="Also draw a picture: .png, .svg or .html (extra: plot)."),
]
ThemeOption = Annotated[
    str,
    typer.Option(
        "--theme",
        metavar="T",
        help="light or dark; a page has both.",
        autocompletion=completion.values(completion.themes),
    ),
]
ReplaceOption = Annotated[bool, typer.Option("--force", help="Replace a picture that exists.")]


def picture_path(plot: str | None, theme: str, *, force: bool) -> Path | None:
    """The path of the picture, checked before anything is measured for it; None where none is wanted.

    Raises:
        UsageError: There is no such theme, the suffix means no picture, matplotlib is not there, or the
            file may not be written.
    """
    from lecun_cli.display.figures import THEMES, check_path
    from lecun_cli.errors import UsageError
    from lecun_cli.output.destinations.local_file import LocalFile

    if theme not in THEMES:
        raise UsageError(f'there is no theme "{theme}"', help=f"themes are: {', '.join(THEMES)}")
    if plot is None:
        return None
    path = check_path(plot)
    LocalFile(plot, 0, force=force).check()
    return path


def write_picture(draw: Draw, path: Path, theme: str, *, title: str, force: bool, quiet: bool) -> None:
    """Draw it, and say so.

    Raises:
        OutputError: It cannot be written.
    """
    from lecun_cli.cli.report import warn
    from lecun_cli.display.figures import save

    warn(save(draw, path, theme, title=title, force=force), quiet=quiet)
    if not quiet:
        typer.echo(f"wrote    {path}", err=True)
