"""Chains of layers: which layer feeds which, by their sizes."""

from __future__ import annotations

import pytest

from lecun_cli.errors import UsageError
from lecun_cli.plan.planner import make_plan
from lecun_cli.propagation.chain import Chains, chain
from lecun_cli.spec.load import parse_spec


def dense(name: str, wide: int, out: int, more: str = "") -> str:
    return f"{{type: dense, name: {name}, in_features: {wide}, out_features: {out}{more}}}"


def conv(name: str, wide: int, out: int, size: str = "3", more: str = "") -> str:
    return (
        f"{{type: conv2d, name: {name}, in_channels: {wide}, out_channels: {out}, kernel_size: {size}{more}}}"
    )


def norm(name: str, features: object, layer_type: str = "batch_normalization") -> str:
    return f"{{type: {layer_type}, name: {name}, features: {features}}}"


def chained(
    *layers: str,
    framework: str = "keras",
    image: tuple[int, ...] | None = None,
    activation: str | None = None,
) -> Chains:
    spec = parse_spec(f"framework: {framework}\nlayers: [{', '.join(layers)}]")
    planned = make_plan(spec).layers
    return chain(spec.layers, planned, framework, image=image, activation=activation)


def entries(*layers: str, framework: str = "keras", image: tuple[int, ...] | None = None) -> list[str]:
    return [link.entry for link in chained(*layers, framework=framework, image=image).links]


class TestFeeding:
    def test_a_layer_of_fitting_width_is_fed_by_the_one_before(self) -> None:
        assert entries(dense("a", 4, 5), dense("b", 5, 6)) == ["input", ""]

    def test_another_width_starts_a_new_chain(self) -> None:
        assert entries(dense("a", 4, 5), dense("b", 4, 6)) == ["input", "input"]

    def test_an_embedding_always_starts_a_chain_with_token_ids(self) -> None:
        embedding = "{type: embedding, name: w, num_embeddings: 9, embedding_dim: 4}"
        assert entries(dense("a", 4, 4), embedding, dense("b", 4, 4)) == ["input", "tokens", ""]

    def test_a_convolution_does_not_accept_a_vector(self) -> None:
        assert entries(dense("a", 4, 3), conv("b", 3, 8)) == ["input", "input"]

    def test_an_image_is_flattened_or_pooled_depending_on_the_width(self) -> None:
        assert entries(conv("a", 3, 8), dense("b", 8 * 25, 4), image=(7,)) == ["input", "flattened"]
        assert entries(conv("a", 3, 8), dense("b", 8, 4), image=(7,)) == ["input", "pooled"]
        assert entries(conv("a", 3, 8), dense("b", 16, 4), image=(7,)) == ["input", "input"]

    def test_raw_tensors_with_an_input_axis_are_matrices(self) -> None:
        matrix = "{type: tensor, name: m, shape: [4, 6], in_axes: [0]}"
        other = "{type: tensor, name: t, shape: [6, 6], fan_in: 6}"
        chains = chained(dense("a", 3, 4), matrix, other, dense("b", 6, 2))
        assert [(link.name, link.entry) for link in chains.links] == [("a", "input"), ("m", ""), ("b", "")]
        assert chains.left_out == 1

    def test_a_spec_with_only_raw_tensors_is_refused(self) -> None:
        with pytest.raises(UsageError, match="only raw tensors"):
            chained("{type: tensor, name: t, shape: [6, 6], fan_in: 6}")


class TestImages:
    @pytest.mark.parametrize(
        ("layers", "size"),
        [
            ((conv("a", 1, 6, "5"), conv("b", 6, 16, "5"), dense("c", 16 * 25, 9)), (13, 13)),
            ((conv("a", 1, 6, "[3, 5]"),), (3, 5)),
            ((conv("a", 1, 6, "[3, 5]"), conv("b", 6, 6, "[4, 1]")), (6, 5)),
            ((conv("a", 3, 8), norm("b", 8), conv("c", 8, 8), dense("d", 8, 4)), (5, 5)),
            ((conv("a", 3, 8), dense("b", 8 * 6, 4)), (3, 3)),  # 6 is not a square, so b starts a new chain
            ((conv("a", 3, 8), norm("b", "[2, 4, 8]", "layer_normalization"), conv("c", 8, 8, "2")), (4, 6)),
        ],
    )
    def test_the_smallest_image_that_fits_through_is_used(
        self, layers: tuple[str, ...], size: tuple[int, ...]
    ) -> None:
        assert chained(*layers).links[0].shape[:-1] == size

    def test_a_transposed_convolution_needs_one_position(self) -> None:
        layer = (
            "{type: conv2d_transpose, name: a, in_channels: 3, out_channels: 4, kernel_size: 3, stride: 2}"
        )
        (first, second) = chained(layer, conv("b", 4, 2, "4")).links
        assert (first.shape, first.output, second.output) == ((2, 2, 3), (5, 5, 4), (2, 2, 2))

    def test_one_size_applies_to_every_axis(self) -> None:
        assert chained(conv("a", 1, 6), image=(9,)).links[0].shape == (9, 9, 1)
        assert chained(conv("a", 1, 6), image=(9, 4)).links[0].shape == (9, 4, 1)

    def test_a_size_smaller_than_the_window_is_refused(self) -> None:
        with pytest.raises(UsageError, match='an image of 2x2 is smaller than the window of "a"'):
            chained(conv("a", 1, 6), image=(2,))

    def test_a_wrong_number_of_sizes_is_refused(self) -> None:
        with pytest.raises(UsageError, match="expected 1 or 2 sizes, got 3"):
            chained(conv("a", 1, 6), image=(9, 9, 9))

    def test_an_image_that_becomes_too_small_ends_its_chain(self) -> None:
        assert entries(conv("a", 1, 6), conv("b", 6, 6), conv("c", 6, 6), image=(5,)) == [
            "input",
            "",
            "input",
        ]


class TestAssumedActivations:
    def test_apply_to_layers_without_one_except_the_last(self) -> None:
        layers = (
            dense("a", 4, 4),
            dense("b", 4, 4, ", activation: tanh"),
            dense("c", 4, 4),
            dense("d", 4, 4),
        )
        chains = chained(*layers, activation="relu").links
        assert [link.activation for link in chains] == ["relu", "tanh", "relu", None]

    def test_come_after_a_batch_normalization(self) -> None:
        chains = chained(conv("a", 3, 8), norm("b", 8), conv("c", 8, 8), dense("d", 8, 2), activation="relu")
        assert [link.activation for link in chains.links] == [None, "relu", "relu", None]

    def test_come_before_a_layer_normalization(self) -> None:
        layers = (dense("a", 4, 4), norm("b", 4, "layer_normalization"), dense("c", 4, 4))
        assert [link.activation for link in chained(*layers, activation="gelu").links] == ["gelu", None, None]

    def test_do_not_precede_a_learned_rectifier(self) -> None:
        layers = (dense("a", 4, 4), "{type: p_re_lu, name: b, shape: 4}", dense("c", 4, 4))
        assert [link.activation for link in chained(*layers, activation="relu").links] == [None, None, None]
