"""Specs from Keras configs and archives: every class, initializers, hostile files and unbuilt layers."""

from __future__ import annotations

import io
import json
import struct
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lecun_cli.derive import Derivation, derive_spec
from lecun_cli.errors import DeriveError
from tests.derive.sources import (
    keras_initializer,
    keras_layer,
    keras_model,
    keras_policy,
    tensors_of,
    write_keras,
)


def derived(tmp_path: Path, *layers: dict[str, Any], keep: bool = False) -> Derivation:
    """Return the derivation from a model with these layers."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(keras_model(*layers)))
    return derive_spec(str(path), keep_initializers=keep)


def layer_lines(derivation: Derivation) -> list[str]:
    """Return the lines under `layers:` without the dashes."""
    lines = derivation.text.split("layers:\n", 1)[1].splitlines()
    return [line.strip().removeprefix("- ") for line in lines]


IMAGE: list[int | None] = [None, 8, 8, 6]
SERIES: list[int | None] = [None, 9, 6]


class TestLayers:
    @dataclass(frozen=True)
    class Expect:
        layer: dict[str, Any]
        line: str

    @pytest.mark.parametrize(
        "case",
        [
            Expect(
                keras_layer("Dense", "x", [None, 6], units=4, activation="selu"),
                "{type: dense, name: x, in_features: 6, out_features: 4, activation: selu}",
            ),
            Expect(
                keras_layer("Dense", "x", [None, 6], units=4, use_bias=False, activation="linear"),
                "{type: dense, name: x, in_features: 6, out_features: 4, bias: false}",
            ),
            Expect(
                keras_layer("Conv2D", "x", IMAGE, filters=4, kernel_size=[3, 5], groups=2),
                "{type: conv2d, name: x, in_channels: 6, out_channels: 4, kernel_size: [3, 5], groups: 2}",
            ),
            Expect(
                keras_layer(
                    "Conv2D",
                    "x",
                    [None, 3, 8, 8],
                    filters=4,
                    kernel_size=[3, 3],
                    data_format="channels_first",
                ),
                "{type: conv2d, name: x, in_channels: 3, out_channels: 4, kernel_size: 3}",
            ),
            Expect(
                keras_layer("Conv2DTranspose", "x", IMAGE, filters=4, kernel_size=[2, 2], strides=[2, 2]),
                "{type: conv2d_transpose, name: x, in_channels: 6, out_channels: 4, kernel_size: 2, "
                "stride: 2}",
            ),
            Expect(
                keras_layer("DepthwiseConv2D", "x", IMAGE, kernel_size=[3, 3], depth_multiplier=2),
                "{type: depthwise_conv2d, name: x, in_channels: 6, kernel_size: 3, depth_multiplier: 2}",
            ),
            Expect(
                keras_layer("SeparableConv1D", "x", SERIES, filters=4, kernel_size=[3]),
                "{type: separable_conv1d, name: x, in_channels: 6, out_channels: 4, kernel_size: 3}",
            ),
            Expect(
                keras_layer("Embedding", "x", [None, 9], input_dim=100, output_dim=6),
                "{type: embedding, name: x, num_embeddings: 100, embedding_dim: 6}",
            ),
            Expect(
                keras_layer("LSTM", "x", SERIES, units=4, unit_forget_bias=True),
                "{type: lstm, name: x, input_size: 6, hidden_size: 4, unit_forget_bias: true}",
            ),
            Expect(
                keras_layer("GRU", "x", SERIES, units=4, reset_after=False),
                "{type: gru, name: x, input_size: 6, hidden_size: 4, reset_after: false}",
            ),
            Expect(
                keras_layer("Bidirectional", "x", SERIES, layer=keras_layer("SimpleRNN", "f", units=4)),
                "{type: bidirectional, name: x, layer: {type: simple_rnn, input_size: 6, hidden_size: 4}}",
            ),
            Expect(
                keras_layer("RNN", "x", SERIES, cell=keras_layer("GRUCell", "c", units=4)),
                "{type: gru, name: x, input_size: 6, hidden_size: 4}",
            ),
            Expect(
                keras_layer("TimeDistributed", "x", SERIES, layer=keras_layer("Dense", "d", units=4)),
                "{type: dense, name: x/d, in_features: 6, out_features: 4}",
            ),
            Expect(
                keras_layer("BatchNormalization", "x", IMAGE, axis=-1, scale=False),
                "{type: batch_normalization, name: x, features: 6, scale: false}",
            ),
            Expect(
                keras_layer("LayerNormalization", "x", IMAGE, axis=[2, 3]),
                "{type: layer_normalization, name: x, features: [8, 6]}",
            ),
            Expect(
                keras_layer("GroupNormalization", "x", IMAGE, axis=-1, groups=3),
                "{type: group_normalization, name: x, features: 6, groups: 3}",
            ),
            Expect(
                keras_layer("PReLU", "x", IMAGE, shared_axes=[1, 2]),
                "{type: p_re_lu, name: x, shape: [1, 1, 6]}",
            ),
            Expect(
                keras_layer("EinsumDense", "x", SERIES, equation="abc,cde->abde", output_shape=[None, 2, 5]),
                '{type: einsum_dense, name: x, equation: "abc,cde->abde", in_features: 6, '
                "out_features: [2, 5]}",
            ),
            Expect(
                keras_layer(
                    "EinsumDense",
                    "x",
                    [None, 3, 6],
                    equation="aec,ecd->aed",
                    output_shape=[3, 5],
                    bias_axes="d",
                    activation="relu",
                ),
                '{type: einsum_dense, name: x, equation: "aec,ecd->aed", in_features: 6, '
                "out_features: [3, 5], bias_axes: d, activation: relu}",
            ),
            Expect(
                keras_layer("EinsumDense", "x", [None, 6, 9], equation="ac...,cd->ad...", output_shape=5),
                "{type: tensor, name: x/kernel, shape: [6, 5], in_axes: [0]}",
            ),
            Expect(
                keras_layer("Normalization", "x", [None, 6], axis=[-1]),
                "{type: tensor, name: x/count, shape: [], initializer: zeros, dtype: int32}",
            ),
        ],
        ids=lambda case: str(case.layer["class_name"]),
    )
    def test_follow_from_the_config_and_the_input_shape(self, case: Expect, tmp_path: Path) -> None:
        assert case.line in layer_lines(derived(tmp_path, case.layer))

    def test_of_attention_take_their_widths_from_the_inputs(self, tmp_path: Path) -> None:
        layer = keras_layer("MultiHeadAttention", "x", num_heads=2, key_dim=3)
        shapes = {"query_shape": [None, 5, 8], "value_shape": [None, 7, 6], "key_shape": [None, 7, 4]}
        layer["build_config"] = {"shapes_dict": shapes}
        assert layer_lines(derived(tmp_path, layer)) == [
            "{type: multi_head_attention, name: x, embed_dim: 8, num_heads: 2, head_dim: 3, kdim: 4, vdim: 6}"
        ]

    def test_without_weights_are_omitted(self, tmp_path: Path) -> None:
        layers = [keras_layer(name, name.lower()) for name in ("Dropout", "Flatten", "Lambda", "ReLU")]
        derivation = derived(tmp_path, *layers, keras_layer("Dense", "x", [None, 6], units=4))
        assert len(layer_lines(derivation)) == 1

    def test_of_operations_are_omitted(self, tmp_path: Path) -> None:
        op = {"module": "keras.src.ops.numpy", "class_name": "Add", "config": {"name": "add"}}
        derivation = derived(tmp_path, op, keras_layer("Dense", "x", [None, 6], units=4))
        assert len(layer_lines(derivation)) == 1

    def test_of_nested_models_are_in_groups(self, tmp_path: Path) -> None:
        inner = keras_model(keras_layer("Dense", "d", [None, 6], units=6), name="inner")
        other = keras_model(
            keras_layer("Dense", "d", [None, 6], units=6), class_name="Functional", name="other"
        )
        derivation = derived(tmp_path, inner, other)
        assert derivation.text.split("layers:\n", 1)[1] == (
            "  - name: inner\n"
            "    model: sequential\n"
            "    layers:\n"
            "      - {type: dense, name: d, in_features: 6, out_features: 6}\n"
            "  - name: other\n"
            "    layers:\n"
            "      - {type: dense, name: d, in_features: 6, out_features: 6}\n"
        )

    def test_that_repeat_are_written_once(self, tmp_path: Path) -> None:
        layers = [
            keras_layer(class_name, f"block_{i}_{class_name}", [None, 6], units=6)
            for i in range(3, 7)
            for class_name in ("Dense", "LayerNormalization")
        ]
        derivation = derived(tmp_path, *layers)
        assert "params:\n  blocks: 4\n" in derivation.text
        assert derivation.text.split("layers:\n", 1)[1] == (
            "  - repeat: blocks\n"
            "    layers:\n"
            '      - {type: dense, name: "block_{i + 3}_Dense", in_features: 6, out_features: 6}\n'
            '      - {type: layer_normalization, name: "block_{i + 3}_LayerNormalization", features: 6}\n'
        )

    def test_take_their_input_shape_from_a_functional_model(self, tmp_path: Path) -> None:
        layer = keras_layer("Dense", "x", units=4)
        tensor = {"class_name": "__keras_tensor__", "config": {"shape": [None, 6], "dtype": "float32"}}
        layer["inbound_nodes"] = [{"args": [tensor], "kwargs": {}}]
        assert "in_features: 6" in derived(tmp_path, layer).text


class TestDtypes:
    @pytest.mark.parametrize(
        ("policy", "dtype"),
        [
            (keras_policy("bfloat16"), "bfloat16"),
            ("float16", "float16"),
            (keras_policy("mixed_bfloat16"), "float32"),
            (None, "float32"),
        ],
    )
    def test_are_the_dtypes_of_the_variables(self, policy: object, dtype: str, tmp_path: Path) -> None:
        layer = keras_layer("Dense", "x", [None, 6], units=4)
        layer["config"]["dtype"] = policy
        assert tensors_of(derived(tmp_path, layer).plan)["x/kernel"] == ((6, 4), dtype)

    def test_of_quantized_layers_are_refused(self, tmp_path: Path) -> None:
        layer = keras_layer("Dense", "x", [None, 6], units=4)
        layer["config"]["dtype"] = keras_policy("int8_from_float32")
        with pytest.raises(DeriveError, match="quantized layers are not supported"):
            derived(tmp_path, layer)


class TestInitializers:
    def dense(self, kernel: object) -> dict[str, Any]:
        return keras_layer("Dense", "x", [None, 6], units=4, kernel_initializer=kernel)

    def test_become_lecun_normal_by_default(self, tmp_path: Path) -> None:
        derivation = derived(tmp_path, self.dense(keras_initializer("GlorotUniform")))
        assert "initializer" not in derivation.text
        assert derivation.plan.tensors[1].parts[0].initializer.name == "lecun_normal"

    @pytest.mark.parametrize(
        ("initializer", "field"),
        [
            (keras_initializer("GlorotUniform"), "glorot_uniform"),
            (keras_initializer("HeNormal"), "he_normal"),
            ("he_uniform", "he_uniform"),
            (keras_initializer("Constant", value=0.5), "{name: constant, value: 0.5}"),
            (
                keras_initializer("TruncatedNormal", mean=0.0, stddev=0.02),
                "{name: truncated_normal, stddev: 0.02}",
            ),
            (keras_initializer("RandomUniform", minval=-0.05, maxval=0.05), "uniform"),
            (
                keras_initializer("VarianceScaling", scale=2.0, mode="fan_out", distribution="uniform"),
                "{name: variance_scaling, scale: 2.0, mode: fan_out, distribution: uniform}",
            ),
        ],
    )
    def test_are_kept_on_request_if_supported(self, initializer: object, field: str, tmp_path: Path) -> None:
        derivation = derived(tmp_path, self.dense(initializer), keep=True)
        assert f", kernel_initializer: {field}}}" in derivation.text
        assert derivation.warnings == ()

    @pytest.mark.parametrize(
        ("initializer", "named"),
        [
            (keras_initializer("Orthogonal", gain=1.0), "Orthogonal"),
            (keras_initializer("RandomNormal", stddev=0.02), "RandomNormal"),
            (keras_initializer("TruncatedNormal", mean=1.0), "TruncatedNormal with a mean of 1.0"),
            (
                keras_initializer("VarianceScaling", scale=1.0, distribution="untruncated_normal"),
                "VarianceScaling",
            ),
        ],
    )
    def test_that_are_not_supported_are_named(self, initializer: object, named: str, tmp_path: Path) -> None:
        derivation = derived(tmp_path, self.dense(initializer), keep=True)
        (warning,) = derivation.warnings
        assert f'kernel_initializer of "x" is {named}' in warning
        assert "which is not supported; lecun_normal is used instead" in warning
        assert f'# kernel_initializer of "x" is {named.split(maxsplit=1)[0]}' in derivation.text


class TestBadConfigs:
    @dataclass(frozen=True)
    class Fail:
        id: str
        layers: tuple[dict[str, Any], ...]
        message: str

    @pytest.mark.parametrize(
        "case",
        [
            Fail("unknown class", (keras_layer("MyMoE", "moe"),), r'"moe" \(MyMoE\) .*: unknown class'),
            Fail("never built", (keras_layer("Dense", "x", units=4),), "it was never built"),
            Fail(
                "no units",
                (keras_layer("Dense", "x", [None, 6]),),
                "units: expected a positive integer, got null",
            ),
            Fail("units as a string", (keras_layer("Dense", "x", [None, 6], units="4"),), 'got "4"'),
            Fail(
                "unknown input size", (keras_layer("Dense", "x", [None, None], units=4),), "has no fixed size"
            ),
            Fail("duplicate name", (keras_layer("Dense", "x", [None, 6], units=4),) * 2, 'the name "x/'),
            Fail("no layers", (), "no layers with weights"),
            Fail("huge", (keras_layer("Dense", "x", [None, 2**62], units=2**62),), "at most"),
            Fail("a newline", (keras_layer("Dense", "x\n- y", [None, 6], units=4),), "control characters"),
            Fail("no name", ({"class_name": "Dense", "config": {}},), "has no name"),
            Fail("no config", ({"class_name": "Dense"},), "invalid layer"),
            Fail(
                "bad axis",
                (keras_layer("LayerNormalization", "x", [None, 6], axis="b"),),
                "axis: expected one or several integers",
            ),
            Fail(
                "far axis", (keras_layer("BatchNormalization", "x", [None, 6], axis=9),), "has no fixed size"
            ),
            Fail(
                "bad equation",
                (keras_layer("EinsumDense", "x", [None, 6], equation="(("),),
                "invalid equation",
            ),
            Fail(
                "bias over an input axis",
                (
                    keras_layer(
                        "EinsumDense", "x", [None, 6], equation="ab,bc->ac", output_shape=5, bias_axes="b"
                    ),
                ),
                "bias_axes: expected letters of the output",
            ),
            Fail(
                "wrapper of a layer that is not recurrent",
                (keras_layer("Bidirectional", "x", SERIES, layer=keras_layer("Dense", "d", units=4)),),
                "expected a recurrent layer",
            ),
        ],
        ids=lambda case: case.id,
    )
    def test_are_refused(self, case: Fail, tmp_path: Path) -> None:
        with pytest.raises(DeriveError, match=case.message):
            derived(tmp_path, *case.layers)

    def test_of_custom_models_suggest_a_callable(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(json.dumps({"class_name": "MyModel", "config": {}}))
        with pytest.raises(DeriveError, match=r"package\.module:callable"):
            derive_spec(str(tmp_path / "config.json"))

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "not valid JSON"),
            ("[1]", "expected a JSON object, got a list"),
            ('{"class_name": "Sequential", "class_name": "X"}', 'duplicate key "class_name"'),
            ("[" * 200_000, "nested too deeply|not valid JSON"),
            ('{"class_name": ' + "[" * 500 + "]" * 500 + "}", "nested too deeply"),
            ('{"a": ' + "9" * 5000 + "}", "not valid JSON"),
            ('{"a": 1}', "neither a config of Keras"),
            ("\xff", "not valid JSON"),
        ],
    )
    def test_that_are_not_valid_configs_are_refused(self, text: str, message: str, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
        with pytest.raises(DeriveError, match=message):
            derive_spec(str(tmp_path / "config.json"))


class TestArchives:
    MODEL = keras_model(keras_layer("Dense", "x", [None, 6], units=4))

    def test_are_read_by_their_config(self, tmp_path: Path) -> None:
        path = write_keras(tmp_path / "m.keras", self.MODEL, **{"model.weights.h5": b"not HDF5"})
        assert tensors_of(derive_spec(str(path)).plan) == {
            "x/kernel": ((6, 4), "float32"),
            "x/bias": ((4,), "float32"),
        }

    def test_are_read_without_keras(self, tmp_path: Path) -> None:
        path = write_keras(tmp_path / "m.keras", self.MODEL)
        code = f"import sys, lecun_cli; lecun_cli.derive_spec({str(path)!r}); print('keras' in sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
        )
        assert ran.stdout == "False\n"

    @pytest.mark.parametrize(
        ("config", "message"),
        [
            (b"", "not valid JSON"),
            (b"{" + b" " * (65 * 2**20), "expected at most 64 MiB"),
            (b"\x80\x04.", "not valid JSON"),
        ],
    )
    def test_with_an_invalid_config_are_refused(self, config: bytes, message: str, tmp_path: Path) -> None:
        with pytest.raises(DeriveError, match=message):
            derive_spec(str(write_keras(tmp_path / "m.keras", config)))

    def test_that_are_zip_bombs_are_read_up_to_the_size_limit(self, tmp_path: Path) -> None:
        path = tmp_path / "m.keras"
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
            archive.open("config.json", "w") as out,
        ):
            for _ in range(200):
                out.write(b" " * 2**20)
        data = bytearray(path.read_bytes())
        at = data.index(b"PK\x01\x02")  # the directory states a wrong size
        data[at + 24 : at + 28] = struct.pack("<I", 100)
        path.write_bytes(data)
        with pytest.raises(DeriveError):
            derive_spec(str(path))

    def test_that_are_truncated_are_refused(self, tmp_path: Path) -> None:
        path = write_keras(tmp_path / "m.keras", self.MODEL)
        data = path.read_bytes()
        for length in (0, 10, len(data) // 2, len(data) - 5):
            path.write_bytes(data[:length])
            with pytest.raises(DeriveError, match=r"not a valid \.keras archive"):
                derive_spec(str(path))

    def test_that_are_corrupt_are_refused(self, tmp_path: Path) -> None:
        path = write_keras(tmp_path / "m.keras", self.MODEL)
        data = path.read_bytes()
        path.write_bytes(data.replace(b'"units": 4', b'"units": 5'))
        with pytest.raises(DeriveError, match="CRC"):
            derive_spec(str(path))

    def test_without_a_config_are_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("other.json", "{}")
        with pytest.raises(DeriveError, match=r"expected one config\.json, got 0"):
            derive_spec(str(tmp_path / "m.keras"))

    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_with_two_configs_are_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
            archive.writestr("config.json", "{}")
            archive.writestr("config.json", "{}")
        with pytest.raises(DeriveError, match=r"expected one config\.json, got 2"):
            derive_spec(str(tmp_path / "m.keras"))

    def test_with_too_many_members_are_refused(self, tmp_path: Path) -> None:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for i in range(10_001):
                archive.writestr(str(i), b"")
        (tmp_path / "m.keras").write_bytes(buffer.getvalue())
        with pytest.raises(DeriveError, match="expected at most 10,000, got 10,001"):
            derive_spec(str(tmp_path / "m.keras"))
