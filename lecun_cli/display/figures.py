"""Figures: one look in light and dark, as PNG, SVG or a page that follows the reader's own theme.

matplotlib comes with the extra `plot` and is imported only here and where a figure is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lecun_cli.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".html")
_DPI = 160


@dataclass(frozen=True)
class Theme:
    """Colours of a figure.

    Attributes:
        name: `light` or `dark`.
        background: Behind everything.
        ink: Text.
        faint: Grid lines, axes and what stands back.
        series: The colours of data, most important first; they differ in lightness too, for those who see
            no hue.
        good: What is as it should be.
        bad: What is not.
    """

    name: str
    background: str
    ink: str
    faint: str
    series: tuple[str, ...]
    good: str
    bad: str


THEMES = {
    "light": Theme(
        "light",
        "#ffffff",
        "#1f2328",
        "#c4cad1",
        ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#57606a", "#a40e26"),
        "#1a7f37",
        "#cf222e",
    ),
    "dark": Theme(
        "dark",
        "#0d1117",
        "#e6edf3",
        "#3d444d",
        ("#58a6ff", "#f0883e", "#3fb950", "#bc8cff", "#9198a1", "#ff7b72"),
        "#3fb950",
        "#ff7b72",
    ),
}

Draw = Callable[[Theme], "Figure"]
"""Draws a whole figure in a theme, inside `look(theme)`."""


def check_path(path: str | Path) -> Path:
    """The path of a picture, before anything is measured for it.

    Raises:
        UsageError: Its suffix means no picture, or matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f'the suffix of "{path.name}" names no picture', help=f"end it in {', '.join(SUFFIXES)}"
        )
    try:
        import matplotlib as mpl  # noqa: F401 - asked for here, so that nothing is measured in vain
    except ImportError as error:
        raise UsageError(
            "pictures need matplotlib, which is not installed",
            help="pip install matplotlib; in a clone of lecun-init, pip install '.[plot]'",
        ) from error
    return path


@contextmanager
def look(theme: Theme) -> Iterator[None]:
    """Settings of matplotlib while a figure is made and saved; the user's own are put back."""
    import matplotlib as mpl
    from cycler import cycler

    settings: dict[str, Any] = {
        "figure.facecolor": theme.background,
        "axes.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.titlecolor": theme.ink,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "axes.edgecolor": theme.faint,
        "grid.color": theme.faint,
        "grid.linewidth": 0.5,
        "grid.alpha": 0.6,
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=theme.series),
        "axes.titlesize": 11,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "font.size": 9.5,
        "font.family": "DejaVu Sans",  # comes with matplotlib, so a picture is the same everywhere
        "legend.frameon": False,
        "svg.fonttype": "path",
        # The same picture has the same bytes; a page holds two, whose names for their parts must differ.
        "svg.hashsalt": f"lecun-init {theme.name}",
        "figure.constrained_layout.use": True,
    }
    with mpl.rc_context(settings):
        yield


def render(draw: Draw, suffix: str, theme: str, *, title: str) -> bytes:
    """A picture as bytes.

    Args:
        draw: Draws it.
        suffix: One of `SUFFIXES`.
        theme: A key of `THEMES`; a page holds both and follows its reader's.
        title: The page's title, and the picture's description.
    """
    if suffix == ".html":
        light, dark = (_saved(draw, THEMES[name], "svg").decode() for name in ("light", "dark"))
        return _PAGE.format(
            title=escape(title), light=_inline(light), dark=_inline(dark), **_backgrounds()
        ).encode()
    return _saved(draw, THEMES[theme], suffix.lstrip("."))


def save(draw: Draw, path: Path, theme: str, *, title: str, force: bool = False) -> tuple[str, ...]:
    """Write a picture; see `render`.

    Returns:
        Warnings, as `write_whole` gives them.

    Raises:
        UsageError: The file exists and may not be replaced, or there is no such theme.
        OutputError: It cannot be written.
    """
    from lecun_cli.output.destinations.local_file import write_whole

    if theme not in THEMES:
        raise UsageError(f'there is no theme "{theme}"', help=f"themes are: {', '.join(THEMES)}")
    return write_whole(path, render(draw, path.suffix.lower(), theme, title=title), force=force)


def _saved(draw: Draw, theme: Theme, kind: str) -> bytes:
    out = io.BytesIO()
    with look(theme):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        draw(theme).savefig(out, format=kind, dpi=_DPI, metadata=metadata)
    return out.getvalue()


def _inline(svg: str) -> str:
    """What stands inside a page: without the XML prologue, and as wide as the page is."""
    start = svg.index("<svg")
    return svg[start:]


def _backgrounds() -> dict[str, str]:
    return {f"{name}_background": theme.background for name, theme in THEMES.items()}


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
  body {{ margin: 1rem; background: {light_background}; }}
  svg {{ display: block; margin: auto; max-width: 100%; height: auto; }}
  /* Not `display: none`, with which some browsers lose what one picture's parts share with the other's. */
  .dark {{ position: absolute; width: 0; height: 0; overflow: hidden; }}
  @media (prefers-color-scheme: dark) {{
    body {{ background: {dark_background}; }}
    .light {{ position: absolute; width: 0; height: 0; overflow: hidden; }}
    .dark {{ position: static; width: auto; height: auto; }}
  }}
</style>
<div class="light">{light}</div>
<div class="dark">{dark}</div>
</html>
"""
