"""Pictures as files: their suffixes and themes, and that nothing of the user's is replaced or changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from lecun_cli.display.figures import SUFFIXES, THEMES, check_path, look, render
from lecun_cli.errors import UsageError

if TYPE_CHECKING:
    from lecun_cli.display.figures import Theme


def draw(theme: Theme) -> Figure:
    figure = Figure(figsize=(2, 1))
    figure.subplots().plot([1, 2], [3, 4], color=theme.series[0])
    return figure


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_themes_differ_but_in_a_page(suffix: str) -> None:
    light, dark = (render(draw, suffix, theme, title="A & B") for theme in THEMES)
    assert (light == dark) == (suffix == ".html")


def test_a_page_has_both_themes_and_an_escaped_title() -> None:
    page = render(draw, ".html", "light", title="A & B").decode()
    assert "<title>A &amp; B</title>" in page
    assert page.count("<svg") == 2
    assert "prefers-color-scheme: dark" in page
    for theme in THEMES.values():
        assert page.count(theme.series[0]) == 1
        assert theme.background in page


@pytest.mark.parametrize("name", ["a.gif", "a", "png"])
def test_other_suffixes_are_errors(name: str) -> None:
    with pytest.raises(UsageError, match="unrecognized type of picture"):
        check_path(name)


def test_the_settings_of_the_user_are_restored() -> None:
    before = mpl.rcParams["axes.facecolor"]
    with look(THEMES["dark"]):
        assert mpl.rcParams["axes.facecolor"] == THEMES["dark"].background
    assert mpl.rcParams["axes.facecolor"] == before
