"""`--plot` and its companions, for the commands that draw pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lecun_cli.cli import completion

if TYPE_CHECKING:
    from lecun_cli.display.figures import Draw


class PictureOptions(NamedTuple):
    """Options of a command that can draw a picture.

    Attributes:
        plot: The path of the picture, or None for no picture.
        theme: The colors of the picture.
        force: If true, replace an existing file.
    """

    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw a picture: .png, .svg or .html (needs matplotlib: the extra plot).",
        ),
    ] = None
    theme: Annotated[
        str,
        typer.Option(
            "--theme",
            metavar="T",
            help="Colors of the picture: light or dark. An .html page contains both.",
            autocompletion=completion.values(completion.themes),
        ),
    ] = "light"
    force: Annotated[bool, typer.Option("--force", help="Replace an existing picture.")] = False

    def check(self) -> None:
        """Check the options before the work that the picture needs.

        Raises:
            UsageError: The theme or the type of the file is unknown, matplotlib is not installed, or the
                file exists already.
            OutputError: The file cannot be written.
        """
        from lecun_cli.display.figures import THEMES, check_path
        from lecun_cli.errors import UsageError
        from lecun_cli.output.destinations.local_file import LocalFile

        if self.theme not in THEMES:
            raise UsageError(f'--theme: expected {" or ".join(THEMES)}, got "{self.theme}"')
        if self.plot is not None:
            LocalFile(check_path(self.plot), 0, force=self.force).check()

    def write(self, draw: Draw, *, title: str, quiet: bool) -> None:
        """Draw and write the picture, if there is to be one, and report its path.

        Args:
            draw: Draws the figure in a theme.
            title: The title of an HTML page.
            quiet: If true, report nothing.

        Raises:
            OutputError: The file cannot be written.
        """
        from lecun_cli.cli.report import warn
        from lecun_cli.display.figures import check_path, render
        from lecun_cli.output.destinations.local_file import write_whole

        if self.plot is None:
            return
        path = check_path(self.plot)
        picture = render(draw, path.suffix.lower(), self.theme, title=title)
        warn(write_whole(path, picture, force=self.force), quiet=quiet)
        if not quiet:
            typer.echo(f"wrote    {path}", err=True)
