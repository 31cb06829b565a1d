"""Specs derived from models and files of the frameworks have exactly the tensors of these models."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import DeriveError
from lecun_cli.generation import generate
from tests.derive.models import keras_functional, lstm, odds_and_ends, transformer
from tests.derive.sources import Tensors, tensors_of
from tests.frameworks.real import import_keras

HERE = "tests.derive.models"


def state_of(module: Any) -> Tensors:
    """Return the tensors in the state dict of a torch module."""
    return {
        name: (tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in module.state_dict().items()
    }


def variables_of(model: Any) -> Counter[tuple[str, tuple[int, ...], str]]:
    """Return the variables of a Keras model as (last part of the path, shape, dtype)."""
    return Counter((v.path.rpartition("/")[2], tuple(v.shape), str(v.dtype)) for v in model.weights)


@pytest.mark.frameworks
class TestTorch:
    @pytest.mark.parametrize("model", [transformer, lstm, odds_and_ends])
    def test_specs_of_modules_have_the_tensors_of_the_state_dict(self, model: Any) -> None:
        derivation = derive_spec(f"{HERE}:{model.__name__}")
        assert tensors_of(derivation.plan) == state_of(model())

    def test_modules_load_generated_weights(self, tmp_path: Path) -> None:
        from safetensors.torch import load_file

        derivation = derive_spec(f"{HERE}:transformer")
        generate(derivation.plan.with_seed(1), tmp_path / "w.safetensors")
        transformer().load_state_dict(load_file(tmp_path / "w.safetensors"))

    def test_blocks_of_a_transformer_are_written_once(self) -> None:
        text = derive_spec(f"{HERE}:transformer").text
        assert "params:\n  encoder_blocks: 3\n  decoder_blocks: 3\n" in text
        assert text.count("multi_head_attention") == 3
        assert "num_heads: 4" in text
        assert "type: tensor" not in text

    def test_lstm_is_one_layer(self) -> None:
        assert (
            "layer: {type: lstm, input_size: 8, hidden_size: 16, num_layers: 2}"
            in derive_spec(f"{HERE}:lstm").text
        )

    def test_fans_follow_from_the_class_of_a_module(self) -> None:
        plan = derive_spec(f"{HERE}:odds_and_ends").plan
        fans = {}
        for t in plan.tensors:
            exact = t.parts[0].exact
            fans[t.name] = exact.fan_in if exact is not None else None
        assert fans["up.weight"] == 8 / 2 * 9 / 4
        assert fans["depthwise.weight"] == 9
        assert fans["bilinear.weight"] == 6
        assert fans["attention.k_proj_weight"] == 4
        assert fans["cell.weight_ih"] == 3

    def test_tied_weights_share_an_identity(self) -> None:
        plan = derive_spec(f"{HERE}:odds_and_ends").plan
        identities = {t.name: t.parts[0].identity for t in plan.tensors}
        assert identities["head.weight"] == identities["words.weight"]

    def test_lazy_modules_are_refused(self) -> None:
        with pytest.raises(DeriveError, match="has no shape yet"):
            derive_spec(f"{HERE}:lazy")

    def test_files_give_the_same_tensors_as_their_module(self, tmp_path: Path) -> None:
        from safetensors.torch import save_model

        save_model(transformer(), str(tmp_path / "w.safetensors"))
        derivation = derive_spec(str(tmp_path / "w.safetensors"))
        assert tensors_of(derivation.plan) == state_of(transformer())
        assert "type: tensor" not in derivation.text


@pytest.mark.frameworks
class TestFlax:
    def test_specs_of_linen_modules_have_their_variables(self) -> None:
        import jax

        from tests.derive.models import flax_attention

        model, inputs = flax_attention()
        key = jax.random.key(0)
        shapes = jax.eval_shape(model.init, {"params": key, "dropout": key}, inputs)
        expected = {
            "/".join(str(k.key) for k in path): (tuple(leaf.shape), str(leaf.dtype))
            for path, leaf in jax.tree_util.tree_flatten_with_path(shapes)[0]
        }
        derivation = derive_spec(f"{HERE}:flax_attention")
        assert tensors_of(derivation.plan) == expected
        assert "params:\n  blocks: 4\n" in derivation.text
        assert "type: multi_head_attention" in derivation.text
        assert "stride: 2" in derivation.text
        assert "groups: 4" in derivation.text

    def test_linen_modules_need_example_inputs(self) -> None:
        with pytest.raises(DeriveError, match="example inputs"):
            derive_spec(f"{HERE}:flax_without_inputs")

    def test_specs_of_nnx_modules_have_their_state(self) -> None:
        derivation = derive_spec(f"{HERE}:flax_nnx")
        tensors = tensors_of(derivation.plan)
        assert tensors["params/hidden/kernel"] == ((3, 4), "float32")
        assert tensors["params/attention/query/kernel"] == ((8, 2, 4), "float32")
        assert tensors["batch_stats/bn/mean"] == ((4,), "float32")
        assert len(tensors) == 16


@pytest.mark.filterwarnings("ignore:[^_]*__array__ implementation doesn't accept a copy:DeprecationWarning")
class TestKeras:
    @pytest.mark.parametrize("name", ["ResNet50", "MobileNetV2"])
    def test_applications_are_derived_from_archive_and_config(self, name: str, tmp_path: Path) -> None:
        keras = import_keras()
        model = getattr(keras.applications, name)(weights=None)
        model.save(tmp_path / "m.keras")
        (tmp_path / "config.json").write_text(model.to_json())
        derivation = derive_spec(str(tmp_path / "m.keras"))
        assert tensors_of(derivation.plan) == {v.path: (tuple(v.shape), str(v.dtype)) for v in model.weights}
        from_config = derive_spec(str(tmp_path / "config.json"), keep_initializers=True)
        assert tensors_of(from_config.plan) == tensors_of(derivation.plan)
        assert "glorot_uniform" in from_config.text
        assert from_config.warnings == ()
        assert "repeat: " in derivation.text
        assert "type: tensor" not in derivation.text
        if name == "MobileNetV2":
            assert "type: depthwise_conv2d" in derivation.text

    @pytest.mark.parametrize("form", ["callable", "archive", "weights"])
    def test_layers_of_all_types_are_derived(self, form: str, tmp_path: Path) -> None:
        model = keras_functional()
        source = f"{HERE}:keras_functional"
        if form == "archive":
            source = str(tmp_path / "m.keras")
            model.save(source)
        elif form == "weights":
            source = str(tmp_path / "m.weights.h5")
            model.save_weights(source)
        derivation = derive_spec(source)
        tensors = Counter((t.name.rpartition("/")[2], t.shape, t.dtype) for t in derivation.plan.tensors)
        assert tensors == variables_of(model)
        if form == "weights":  # the file does not state the equation of the EinsumDense
            assert derivation.text.count("type: tensor") == 2
        else:
            assert "type: einsum_dense" in derivation.text
            assert "type: tensor" not in derivation.text
        assert "model: sequential" in derivation.text

    def test_names_are_the_paths_of_the_variables(self, tmp_path: Path) -> None:
        model = keras_functional()
        model.save(tmp_path / "m.keras")
        names = set(tensors_of(derive_spec(str(tmp_path / "m.keras")).plan))
        for variable in model.weights:
            path = variable.path
            assert path in names or f"inner/{path}" in names, path

    def test_subclassed_models_are_derived_from_their_variables(self) -> None:
        derivation = derive_spec(f"{HERE}:keras_subclassed")
        assert sorted(stored for stored, _ in tensors_of(derivation.plan).values()) == [
            (3,),
            (3, 3, 2, 3),
            (3, 4),
            (4,),
        ]
        assert "type: conv2d" in derivation.text
        assert "type: dense" in derivation.text
        assert "type: tensor" not in derivation.text

    def test_models_that_were_never_built_are_refused(self, tmp_path: Path) -> None:
        with pytest.raises(DeriveError, match="has no weights"):
            derive_spec(f"{HERE}:keras_unbuilt")
        from tests.derive.models import keras_unbuilt

        with pytest.warns(UserWarning, match="has not yet been built"):
            keras_unbuilt().save(tmp_path / "m.keras")
        with pytest.raises(DeriveError, match="it was never built"):
            derive_spec(str(tmp_path / "m.keras"))

    def test_every_layer_of_keras_is_known_or_refused_by_name(self) -> None:
        from lecun_cli.derive.readers.keras_layers import CLASSES, WEIGHTLESS

        layers = import_keras().layers
        known = {*CLASSES, *WEIGHTLESS, *OTHERS, *REFUSED}
        names = {
            c.__name__ for c in vars(layers).values() if isinstance(c, type) and issubclass(c, layers.Layer)
        }
        assert names - known == set()


OTHERS = {
    "AdditiveAttention", "Attention", "Bidirectional", "EinsumDense", "Normalization", "RNN",
    "ReversibleEmbedding", "TimeDistributed",
}  # fmt: skip
REFUSED = {
    "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "FlaxLayer", "JaxLayer", "Layer", "MelSpectrogram",
    "STFTSpectrogram", "SpectralNormalization", "StackedRNNCells", "TFSMLayer", "TorchModuleWrapper",
    "Wrapper",
}  # fmt: skip


@pytest.mark.frameworks
class TestTransformers:
    def folder(self, tmp_path: Path, name: str, architecture: str, **sizes: object) -> Path:
        import transformers

        config = getattr(transformers, name)(**sizes)
        config.architectures = [architecture]
        config.save_pretrained(tmp_path)
        return tmp_path

    def saved(self, folder: Path, architecture: str) -> Tensors:
        """Return the tensors that transformers itself saves for the model."""
        import transformers
        from safetensors import safe_open

        model_class = getattr(transformers, architecture)
        model = model_class._from_config(transformers.AutoConfig.from_pretrained(folder))
        model.save_pretrained(folder / "saved")
        stored = {}
        with safe_open(folder / "saved" / "model.safetensors", framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - safe_open is not a mapping
                tensor = file.get_tensor(name)
                stored[name] = (tuple(tensor.shape), str(tensor.dtype).removeprefix("torch."))
        return stored

    def test_gpt2_is_derived_from_its_config(self, tmp_path: Path) -> None:
        ids = {"bos_token_id": 1, "eos_token_id": 2}
        folder = self.folder(
            tmp_path, "GPT2Config", "GPT2LMHeadModel",
            n_embd=32, n_head=4, n_layer=3, vocab_size=99, n_positions=20, **ids,
        )  # fmt: skip
        derivation = derive_spec(str(folder))
        assert tensors_of(derivation.plan) == self.saved(folder, "GPT2LMHeadModel")
        fans = {t.name: t.parts[0].exact for t in derivation.plan.tensors}
        attention, projection = (
            fans["transformer.h.0.attn.c_attn.weight"],
            fans["transformer.h.2.mlp.c_proj.weight"],
        )
        assert attention is not None
        assert projection is not None
        assert (attention.fan_in, projection.fan_in) == (32, 128)
        assert "params:\n  blocks: 3\n" in derivation.text
        assert "lm_head.weight is tied to transformer.wte.weight" in derivation.text

    def test_llama_is_derived_from_its_config(self, tmp_path: Path) -> None:
        folder = self.folder(
            tmp_path, "LlamaConfig", "LlamaForCausalLM",
            hidden_size=64, intermediate_size=96, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, vocab_size=99, dtype="bfloat16",
        )  # fmt: skip
        derivation = derive_spec(str(folder))
        assert tensors_of(derivation.plan) == self.saved(folder, "LlamaForCausalLM")
        assert "dtype: bfloat16\n" in derivation.text
        assert "type: tensor" not in derivation.text
        assert derivation.text.count("rms_normalization") == 3

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"auto_map": {"AutoConfig": "x.Y"}}, "refers to custom code"),
            ({"num_hidden_layers": 10**9}, "expected at most 10,000"),
            ({"architectures": ["NoSuchModel"]}, "unknown model class"),
            ({"model_type": "no-such-type"}, "transformers cannot build the model"),
            ({"hidden_size": -3}, "transformers cannot build the model"),
        ],
    )
    def test_hostile_configs_are_refused(
        self, change: dict[str, object], message: str, tmp_path: Path
    ) -> None:
        folder = self.folder(tmp_path, "LlamaConfig", "LlamaForCausalLM", num_hidden_layers=1)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(DeriveError, match=message):
            derive_spec(str(folder))
