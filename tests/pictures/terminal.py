"""Pictures of commands in a terminal, as SVG. Each command runs in a real pseudo-terminal."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

DARK = TerminalTheme(
    (13, 17, 23),
    (230, 237, 243),
    [
        (72, 79, 88), (255, 123, 114), (63, 185, 80), (210, 153, 34),
        (88, 166, 255), (188, 140, 255), (57, 197, 207), (177, 186, 196),
    ],
    [
        (110, 118, 129), (255, 161, 152), (86, 211, 100), (227, 179, 65),
        (121, 192, 255), (210, 168, 255), (86, 212, 221), (240, 246, 252),
    ],
)  # fmt: skip


def run(command: str, columns: int, folder: Path) -> str:
    """Return the output of a command on a terminal with a number of columns, including escape sequences.

    Only stdout is the terminal, and stderr follows it: progress, which a picture cannot show, is drawn only
    if stderr is a terminal.
    """
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    env = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "COLUMNS", "LINES"}}
    env |= {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    with subprocess.Popen(
        ["bash", "-c", command], cwd=folder, env=env, stdin=follower, stdout=follower, stderr=subprocess.PIPE
    ) as process:
        os.close(follower)
        shown = b""
        while True:
            try:
                data = os.read(leader, 65536)
            except OSError:  # Linux raises this when the other end is closed
                break
            if not data:
                break
            shown += data
        os.close(leader)
        errors = process.stderr.read() if process.stderr else b""
    if process.returncode not in {0, 3}:
        raise SystemExit(f"{command} failed:\n{errors.decode()}")
    return (shown + errors).decode().replace("\r\n", "\n")


def picture(commands: list[str], columns: int, folder: Path, *, title: str) -> str:
    """Return an SVG of commands and their output, one after another."""
    console = Console(
        record=True, width=columns, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    for i, command in enumerate(commands):
        if i:
            console.print()
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")), soft_wrap=True)
        console.print(Text.from_ansi(run(command, columns, folder).rstrip("\n")))
    svg = console.export_svg(title=title, theme=DARK, unique_id="terminal")
    return _LEADING.sub(_after_spaces, _without_web_fonts(svg))


_LEADING = re.compile(r'x="([0-9.]+)" y="([0-9.]+)" textLength="([0-9.]+)" ([^>]*)>((?:&#160;)+)(?=[^&<])')


def _after_spaces(match: re.Match[str]) -> str:
    """Move text to its first letter, because some programs draw leading spaces narrower than letters."""
    x, y, length, rest, spaces = match.groups()
    moved = 12.2 * spaces.count(";")  # width of a character in rich's pictures
    return f'x="{float(x) + moved:.1f}" y="{y}" textLength="{float(length) - moved:.1f}" {rest}>'


def _without_web_fonts(svg: str) -> str:
    """Replace web fonts by the monospace font of the reader, so that a picture does not contact a server."""
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono")
