"""Figures with one style in light and dark: PNG, SVG, or an HTML page that follows the theme of its reader.

matplotlib is the extra `plot`. It is imported only inside functions, here and where a figure is drawn.
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
    """Colors of a figure.

    Attributes:
        name: `light` or `dark`.
        background: Color behind everything.
        ink: Color of text.
        faint: Color of grid lines, axes and secondary elements.
        series: Colors of data, most important first. They also differ in lightness, so that readers who do
            not distinguish hues can tell them apart.
        good: Color of data without problems.
        bad: Color of data with problems.
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
"""Function that draws a whole figure in a theme; called inside `look(theme)`."""


def check_path(path: str | Path) -> Path:
    """Check that a picture can be drawn, before the work that it needs.

    Args:
        path: Path of the picture.

    Returns:
        The path.

    Raises:
        UsageError: The suffix is not one of `SUFFIXES`, or matplotlib is not installed.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f'unrecognized type of picture: expected {", ".join(SUFFIXES)}, got "{path.name}"',
            help="choose another suffix",
        )
    try:
        import matplotlib as mpl  # noqa: F401 - a missing package is reported before any work
    except ImportError as error:
        raise UsageError(
            "matplotlib is not installed, and pictures need it",
            help="pip install matplotlib; in a clone of lecun-init, pip install '.[plot]'",
        ) from error
    return path


@contextmanager
def look(theme: Theme) -> Iterator[None]:
    """Apply a theme to matplotlib while a figure is drawn and saved, then restore the user's settings."""
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
        # Equal pictures have equal bytes. A page contains two, so the ids of their elements must differ.
        "svg.hashsalt": f"lecun-init {theme.name}",
        "figure.constrained_layout.use": True,
    }
    with mpl.rc_context(settings):
        yield


def render(draw: Draw, suffix: str, theme: str, *, title: str) -> bytes:
    """Draw a picture and return its bytes.

    Args:
        draw: Function that draws the figure.
        suffix: One of `SUFFIXES`.
        theme: A key of `THEMES`. Ignored for an HTML page, which contains both themes.
        title: Title of the page.

    Returns:
        The bytes of the file.
    """
    if suffix == ".html":
        light, dark = (_saved(draw, THEMES[name], "svg").decode() for name in ("light", "dark"))
        return _PAGE.format(
            title=escape(title), light=_inline(light), dark=_inline(dark), **_backgrounds()
        ).encode()
    return _saved(draw, THEMES[theme], suffix.lstrip("."))


def _saved(draw: Draw, theme: Theme, kind: str) -> bytes:
    out = io.BytesIO()
    with look(theme):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        draw(theme).savefig(out, format=kind, dpi=_DPI, metadata=metadata)
    return out.getvalue()


def _inline(svg: str) -> str:
    """Return the SVG without its XML prologue, for use inside a page."""
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
  /* Not `display: none`: some browsers would then lose the elements that both pictures share. */
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
