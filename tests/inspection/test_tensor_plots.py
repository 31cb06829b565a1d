"""Plots of an inspection: complete, deterministic, and possible for every inspection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from lecun_cli.display.figures import THEMES, look, render
from lecun_cli.inspection.inspector import Inspection, inspect
from lecun_cli.inspection.tensor_plots import draw, title_of
from tests.inspection import weights

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

S = 1 / 16
TENSORS = {
    "a.weight": weights.truncated((64, 256), S),
    "a.bias": np.zeros(64, np.float32),
    "b.weight": weights.truncated((64, 256), 8 * S, seed=1),
    "c.weight": weights.uniform((64, 256), S),
    "d.weight": np.zeros((64, 256), np.float32),
}


def inspected(folder: Path, tensors: dict[str, NDArray[np.float32]]) -> Inspection:
    return inspect(weights.write(folder / "x.safetensors", tensors), standard=True)


def drawn(inspection: Inspection) -> Figure:
    with look(THEMES["light"]):
        return draw(inspection, THEMES["light"])


class TestPictures:
    @pytest.mark.parametrize(
        ("suffix", "start"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".html", b"<!doctype html>")]
    )
    def test_are_the_same_bytes_each_time(self, tmp_path: Path, suffix: str, start: bytes) -> None:
        inspection = inspected(tmp_path, TENSORS)
        one, other = (
            render(lambda t: draw(inspection, t), suffix, "dark", title=title_of(inspection))
            for _ in range(2)
        )
        assert one.startswith(start)
        assert one == other

    def test_have_four_panels_and_name_every_kind_of_problem(self, tmp_path: Path) -> None:
        figure = drawn(inspected(tmp_path, TENSORS))
        assert [ax.get_title(loc="left").split(";")[0] for ax in figure.axes] == [
            "Histogram and expected density",
            "Quantiles",
            "Std against fan-in",
            "Std over expected std",
        ]
        (legend,) = figure.legends
        labels = [text.get_text() for text in legend.get_texts()]
        assert len(labels) == 3
        assert labels[0] == "not random: d.weight"
        assert "b.weight" in labels[1]
        assert "PyTorch's default: c.weight" in labels[2]

    def test_of_many_tensors_have_a_limited_number_of_lines(self, tmp_path: Path) -> None:
        shapes = {f"fc{i}.weight": weights.truncated((8, 16), 1 / 4, seed=i) for i in range(400)}
        figure = drawn(inspected(tmp_path, shapes))
        assert len(figure.axes[1].lines) == 1
        (crowd,) = figure.axes[1].collections
        assert 100 <= len(crowd.get_paths()) <= 200
        assert not figure.legends

    def test_of_many_kinds_of_problems_share_the_last_color(self, tmp_path: Path) -> None:
        tensors = {f"fc{i}.weight": weights.normal((64, 64), 0.01 * 1.7**i, seed=i) for i in range(9)}
        (legend,) = drawn(inspected(tmp_path, tensors)).legends
        assert legend.get_texts()[-1].get_text() == "other problems: 4 tensors"

    def test_without_weights_are_a_message(self, tmp_path: Path) -> None:
        figure = drawn(inspected(tmp_path, {"a.bias": np.zeros(64, np.float32)}))
        assert "no tensor of weights" in figure.texts[0].get_text() + figure.texts[-1].get_text()


@pytest.mark.parametrize(
    ("tensors", "title"),
    [
        ({"a.weight": TENSORS["a.weight"]}, "x.safetensors: 1 tensor, no problems"),
        (TENSORS, "x.safetensors: 5 tensors, 3 with problems"),
    ],
)
def test_title_counts_problems(tmp_path: Path, tensors: dict[str, NDArray[np.float32]], title: str) -> None:
    assert title_of(inspected(tmp_path, tensors)) == title
