"""The plot has one line for each run, for any depth and any values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from lecun_cli.display.figures import THEMES, look, render
from lecun_cli.propagation.propagator import propagate
from lecun_cli.propagation.result import LayerMoments, Propagation, Run
from lecun_cli.propagation.signal_plot import draw, spread, title_of
from lecun_cli.propagation.signal_verdict import judge
from lecun_cli.spec.load import load_spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def layer(depth: int, variance: float, entry: str = "", activation: str | None = "selu") -> LayerMoments:
    mean = 0.1 if math.isfinite(variance) else math.nan
    return LayerMoments(
        depth, f"h{depth}", "dense", activation, entry, (4,), 9, mean, variance, mean, variance
    )


def propagation_of(**runs: list[float]) -> Propagation:
    all_runs = tuple(
        Run(
            name,
            tuple(layer(k, v, "input" if k == 1 else "") for k, v in enumerate(values, 1)),
            judge(values),
        )
        for name, values in runs.items()
    )
    return Propagation("x.yaml", "keras", 1, 0, all_runs, ())


def drawn(propagation: Propagation, theme: str = "light") -> Figure:
    with look(THEMES[theme]):
        figure = draw(propagation, THEMES[theme])
        figure.canvas.draw()
        return figure


def points(figure: Figure, panel: int, line: int) -> Any:
    return np.asarray(figure.axes[panel].lines[line].get_ydata(), float)


class TestLines:
    def test_start_at_the_input_and_pass_through_every_layer(self) -> None:
        figure = drawn(propagation_of(a=[1.1, 1.2, 1.3], b=[2.0, 4.0, 8.0]))
        assert points(figure, 0, 0).tolist() == [1.0, 1.1, 1.2, 1.3]
        assert points(figure, 0, 1).tolist() == [1.0, 2.0, 4.0, 8.0]
        assert points(figure, 1, 0).tolist() == [0.0, 0.1, 0.1, 0.1]

    def test_break_where_a_new_chain_starts(self) -> None:
        layers = (layer(1, 2.0, "input"), layer(2, 3.0, "input"), layer(3, 4.0))
        run = Run("a", layers, judge([2.0, 3.0]))
        ys = points(drawn(Propagation("x", "keras", 1, 0, (run,), ())), 0, 0)
        assert [y for y in ys.tolist() if not math.isnan(y)] == [1.0, 2.0, 3.0, 4.0]
        assert math.isnan(ys[2])

    def test_leave_out_softmax(self) -> None:
        layers = (layer(1, 2.0, "input"), layer(2, 0.01, activation="softmax"))
        figure = drawn(Propagation("x", "keras", 1, 0, (Run("a", layers, judge([2.0])),), ()))
        assert points(figure, 0, 0).tolist() == [1.0, 2.0]

    def test_have_labels_with_the_verdict_at_their_ends(self) -> None:
        figure = drawn(propagation_of(first=[1.0, 1.0, 1.0], second=[9.0, 81.0, 729.0]))
        assert {text.get_text() for text in figure.axes[0].texts} == {"first  stays", "second  explodes"}


class TestValues:
    @pytest.mark.parametrize(
        "values",
        [
            [1.0],
            [1.0] * 200,
            [math.inf] * 3,
            [0.0] * 3,
            [1e38, math.inf],
            [1e-38, 0.0],
            [10.0 ** (k - 30) for k in range(60)],
        ],
        ids=["one layer", "deep", "overflow", "dead", "to overflow", "to death", "wide"],
    )
    @pytest.mark.parametrize("theme", THEMES)
    def test_of_any_size_can_be_drawn(self, values: list[float], theme: str) -> None:
        figure = drawn(propagation_of(a=values, b=[1.0] * len(values)), theme)
        low, high = figure.axes[0].get_ylim()
        assert 0 < low <= 0.25
        assert 4 <= high < math.inf

    def test_ticks_include_one(self) -> None:
        for values in ([1.0], [1e3], [1e-9, 1e9], [1e-37, 1e30]):
            assert 1.0 in drawn(propagation_of(a=values)).axes[0].get_yticks()


def test_plots_of_the_same_propagation_are_the_same_bytes() -> None:
    propagation = propagate(load_spec("sample_specs/selu_mlp.yaml"), compare=["he_normal"])
    for suffix in (".png", ".svg", ".html"):
        one, two = (
            render(lambda theme: draw(propagation, theme), suffix, "light", title="x") for _ in range(2)
        )
        assert one == two


def test_the_title_names_the_source_and_the_activations() -> None:
    assert title_of(propagation_of(a=[1.0])) == "x.yaml: unit-variance inputs through 1 layer (selu)"


class TestSpread:
    def test_does_not_move_positions_that_are_far_apart(self) -> None:
        assert spread([0.1, 0.9, 0.5], 0.1) == pytest.approx([0.1, 0.9, 0.5])

    def test_keeps_the_order_and_the_distance(self) -> None:
        positions = spread([0.5, 0.5, 0.51, 0.49], 0.1)
        assert sorted(range(4), key=lambda k: positions[k]) == [3, 0, 1, 2]
        assert np.diff(sorted(positions)).min() == pytest.approx(0.1, rel=0.05)

    def test_stays_within_the_panel(self) -> None:
        for spans in ([1.2, 1.1, 1.0], [-0.5, -0.2, 0.0]):
            positions = spread(spans, 0.1)
            assert min(positions) >= 0
            assert max(positions) <= 1
