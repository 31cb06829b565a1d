"""Repeated blocks: which layers are folded, and that folding does not change the tensors."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Group, Repeat, Tensor
from lecun_cli.derive.recognition.layer_check import compare
from lecun_cli.derive.writing.repeats import fold
from lecun_cli.derive.writing.size_params import with_params
from lecun_cli.derive.yaml_writer import text_of
from lecun_cli.plan.types import Plan


def dense(name: str, width: int = 4) -> DerivedLayer:
    return DerivedLayer("dense", name, (("in_features", width), ("out_features", width), ("bias", False)))


def outline(items: tuple[DerivedItem, ...]) -> list[object]:
    """Return names; the items of a repeat or group follow its name as a list."""
    names: list[object] = []
    for item in items:
        if isinstance(item, Repeat):
            names += [f"{item.count} x {item.name}", outline(item.items)]
        elif isinstance(item, Group):
            names += [item.name, outline(item.items)]
        else:
            names.append(item.name)
    return names


def named(*names: str) -> list[DerivedItem]:
    return [dense(name) for name in names]


class TestFold:
    @dataclass(frozen=True)
    class Expect:
        id: str
        items: list[DerivedItem]
        outline: list[object]

    @pytest.mark.parametrize(
        "case",
        [
            Expect("nothing repeats", named("a", "b", "c"), ["a", "b", "c"]),
            Expect(
                "blocks under a number",
                named("e", *(f"h.{i}.{n}" for i in range(3) for n in ("q", "k", "v")), "f"),
                ["e", "3 x h.{i}", ["q", "k", "v"], "f"],
            ),
            Expect(
                "numbers that do not start at zero",
                named(*(f"h.{i}.{n}" for i in range(4, 7) for n in ("q", "k", "v"))),
                ["3 x h.{i + 4}", ["q", "k", "v"]],
            ),
            Expect(
                "a number within a name",
                named(*(f"block_{i}_{n}" for i in range(1, 4) for n in ("a", "b", "c"))),
                ["3 x None", ["block_{i + 1}_a", "block_{i + 1}_b", "block_{i + 1}_c"]],
            ),
            Expect(
                "names that are counted layer by layer",
                named(*(f"conv_{i}" for i in range(2, 12))),
                ["10 x None", ["conv_{i + 2}"]],
            ),
            Expect(
                "blocks within blocks",
                named(
                    *(
                        f"h.{i}.{n}"
                        for i in range(2)
                        for n in ("q", *(f"e.{j}.{w}" for j in range(5) for w in "xy"))
                    )
                ),
                ["2 x h.{i}", ["q", "5 x e.{j}", ["x", "y"]]],
            ),
            Expect("too few to save lines", named("h.0", "h.1", "h.2"), ["h.0", "h.1", "h.2"]),
            Expect(
                "a numbered block that does not repeat",
                named("layer1.0.a", "layer1.0.b", "layer1.0.c", "x"),
                ["layer1.0", ["a", "b", "c"], "x"],
            ),
            Expect(
                "a first block that is shorter",
                named("h.0.b", "h.0.c", *(f"h.{i}.{n}" for i in range(1, 4) for n in "abc")),
                ["h.0.b", "h.0.c", "3 x h.{i + 1}", ["a", "b", "c"]],
            ),
            Expect(
                "numbers with a leading zero",
                named(*(f"h_{i:02}" for i in range(12))),
                [*(f"h_{i:02}" for i in range(12))],
            ),
            Expect("braces", named("{a}", "b}"), ["{{a}}", "b}}"]),
        ],
        ids=lambda case: case.id,
    )
    def test_equal_iterations_are_written_once(self, case: Expect) -> None:
        assert outline(fold(case.items, ".")) == case.outline

    def test_blocks_with_different_sizes_are_separate_repeats(self) -> None:
        items: list[DerivedItem] = [dense(f"h.{i}.{n}", 4 + i // 3) for i in range(6) for n in "abc"]
        assert outline(fold(items, ".")) == ["3 x h.{i}", ["a", "b", "c"], "3 x h.{i + 3}", ["a", "b", "c"]]

    def test_nested_models_are_folded(self) -> None:
        model = (("model", "sequential"),)
        items: list[DerivedItem] = [Group(f"stage_{i}", (dense("a"), dense("b")), model) for i in range(5)]
        (repeat,) = fold(items, "/")
        assert isinstance(repeat, Repeat)
        assert (repeat.count, repeat.name, repeat.fields) == (5, "stage_{i}", model)

    @given(
        st.lists(
            st.tuples(
                st.lists(
                    st.sampled_from(["a", "b", "h0", "x_1", "0", "1", "2", "10"]), min_size=1, max_size=4
                ),
                st.integers(1, 2),
            ),
            min_size=1,
            max_size=60,
            unique_by=lambda pair: tuple(pair[0]),
        )
    )
    @settings(deadline=None, max_examples=150)
    def test_folding_keeps_all_tensors(self, layers: list[tuple[list[str], int]]) -> None:
        """For any names, the folded spec has exactly the tensors of the layers."""
        layers = sorted(layers)
        items = [dense(".".join(path), width) for path, width in layers]
        expected = tuple(
            Tensor(f"{e.name}.weight", (w, w), "float32") for e, (_, w) in zip(items, layers, strict=True)
        )
        folded, params = with_params(fold(items, "."))
        text = text_of((), (("framework", "torch"),), params, folded, ())
        outcome = compare(text, expected)
        assert isinstance(outcome, Plan), (outcome, text)


class TestParams:
    def test_are_named_after_what_is_counted(self) -> None:
        names = [f"{side}.layers.{i}.{n}" for side in ("encoder", "decoder") for i in range(3) for n in "abc"]
        items, params = with_params(fold(named(*names), "."))
        assert params == (("encoder_blocks", 3), ("decoder_blocks", 3))
        assert [item.count for item in items if isinstance(item, Repeat)] == [
            "encoder_blocks",
            "decoder_blocks",
        ]

    def test_are_numbered_if_the_name_is_taken(self) -> None:
        items: list[DerivedItem] = [dense(f"h.{i}.{n}", 4 + i // 3) for i in range(6) for n in "abc"]
        assert with_params(fold(items, "."))[1] == (("blocks", 3), ("blocks_2", 3))

    def test_are_never_named_like_an_index(self) -> None:
        assert with_params(fold(named(*(f"i_{i}" for i in range(9))), "."))[1][0][0] != "i"
