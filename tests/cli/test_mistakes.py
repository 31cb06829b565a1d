# ruff: noqa: E501 - a line of the table is a case
"""Frequent mistakes: each gives one error with advice, without a traceback."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@dataclass(frozen=True)
class Mistake:
    """A command line with a mistake, parts of the error and of its advice, and the exit code."""

    id: str
    args: str
    message: str
    advice: str
    code: int = 2


@dataclass(frozen=True)
class SpecMistake:
    """A spec with a mistake, and parts of the error and of its advice."""

    id: str
    text: str
    message: str
    advice: str


SPEC_MISTAKES = [
    SpecMistake("a misspelled key of the spec", "sede: 1\nlayers: []", 's.yaml:1:1: error: unknown key "sede" in a spec', "did you mean seed?"),
    SpecMistake("a misspelled layer type", "layers:\n  - {type: dens, name: a}", 's.yaml:2:12: error: unknown layer type "dens"', "did you mean dense?"),
    SpecMistake("a layer type of PyTorch", "layers:\n  - {type: Linear, name: a}", 'unknown layer type "Linear"', "did you mean dense?"),
    SpecMistake("a key of Keras", "layers:\n  - {type: dense, name: a, in_features: 3, units: 4}", 'unknown key "units" in a dense layer', "did you mean out_features?"),
    SpecMistake("a key of a Keras convolution", "layers:\n  - {type: conv2d, name: a, in_channels: 3, filters: 4, kernel_size: 3}", 'unknown key "filters" in a conv2d layer', "did you mean out_channels?"),
    SpecMistake("a key of a Keras recurrence", "layers:\n  - {type: gru, name: a, input_size: 3, units: 4}", 'unknown key "units" in a gru layer', "did you mean hidden_size?"),
    SpecMistake("the beginning of a key", "layers:\n  - {type: dense, name: a, in_features: 3, out: 4}", 'unknown key "out" in a dense layer', "did you mean out_features?"),
    SpecMistake("the width of a transformer", "layers:\n  - {type: multi_head_attention, name: a, d_model: 8, heads: 2}", 'unknown key "d_model" in a multi_head_attention layer', "did you mean embed_dim?"),
    SpecMistake("the heads of a transformer", "layers:\n  - {type: multi_head_attention, name: a, d_model: 8, heads: 2}", 'unknown key "heads" in a multi_head_attention layer', "did you mean num_heads?"),
    SpecMistake("the vocabulary of an embedding", "layers:\n  - {type: embedding, name: a, vocab_size: 3, dim: 8}", 'unknown key "vocab_size" in an embedding layer', "did you mean num_embeddings?"),
    SpecMistake("the width of an embedding", "layers:\n  - {type: embedding, name: a, vocab_size: 3, dim: 8}", 'unknown key "dim" in an embedding layer', "did you mean embedding_dim?"),
    SpecMistake("no in_features", "layers:\n  - {type: dense, name: a, out_features: 4}", 'missing key "in_features" in a dense layer', "in_features: width of the input"),
    SpecMistake("no type", "layers:\n  - {name: a, in_features: 3, out_features: 4}", 'missing key "type" in a layer', "the layer types are: dense"),
    SpecMistake("a missing dash", "layers:\n  - type: dense\n  name: a\n", "did not find expected '-' indicator", "put a dash before each item of a list"),
    SpecMistake("keys that are not aligned", "layers:\n  - type: dense\n   name: a\n", "did not find expected '-' indicator", "align the keys of each item"),
    SpecMistake("a tab before a key", "layers:\n  - type: dense\n\tname: a\n", "a tab character that violates indentation", "indent with spaces"),
    SpecMistake("a tab before a dash", "layers:\n\t- type: dense\n", "found character that cannot start any token", "indent with spaces"),
    SpecMistake("no dash at all", "layers:\n  type: dense\n  name: a\n", "layers: expected a list, got a mapping", "after a dash"),
    SpecMistake("layers of nothing", "layers:\n", "layers: expected a list, got no value", "after a dash"),
    SpecMistake("no layers", "seed: 3\n", "the spec has neither layers nor tensors", "start with `layers:`"),
    SpecMistake("an empty list", "layers: []\n", "its lists are empty", "start with `layers:`"),
    SpecMistake("only the list", "- {type: dense, name: a}\n", "the spec is not a mapping", "write `layers:` on the line before the list"),
    SpecMistake("a sentence", "dense 3 4\n", "the spec is not a mapping", "lecun-init samples selu_mlp > spec.yaml"),
    SpecMistake("a fraction", "layers:\n  - {type: dense, name: a, in_features: 3.0, out_features: 4}", "in_features: expected an integer", "write 3"),
    SpecMistake("a misspelled dtype", "dtype: flaot32\nlayers: []", 'unknown dtype "flaot32"', "did you mean float32?"),
    SpecMistake("no space after a colon", "layers:\n  - type:dense\n    name: a\n", "mapping values are not allowed", "put a space after the colon"),
    SpecMistake("an open brace", "layers:\n  - {type: dense, name: a\n", "s.yaml:2:5: note: it starts here", "close every { with a }"),
    SpecMistake("an open quote", 'layers:\n  - {type: dense, name: "a}\n', "while scanning a quoted scalar", "close the quotes"),
    SpecMistake("no comma between two keys", '{"layers": [{"type": "dense", "name": "a" "in_features": 3}]}', "s.yaml:1:43: error: invalid YAML", "put a comma between keys"),
    SpecMistake("an unknown dtype", "dtype: half\nlayers: []", 'unknown dtype "half"', "did you mean float16?"),
    SpecMistake("an unknown framework", "framework: tensorflow\nlayers: []", "framework: expected one of keras, torch, flax", "did you mean keras?"),
    SpecMistake("yes and no", "layers:\n  - {type: dense, name: a, in_features: 3, out_features: 4, bias: no}", "bias: expected true or false", "write true or false"),
    SpecMistake("the initializer of PyTorch", "layers:\n  - {type: dense, name: a, in_features: 3, out_features: 4, kernel_initializer: xavier_uniform}", 'unknown initializer "xavier_uniform"', "glorot_uniform"),
    SpecMistake("no spec at all", "", "the spec is empty", "a spec needs `layers:` or `tensors:`"),
    SpecMistake("a Keras config", '{"class_name": "Sequential", "config": {}}', "this is a Keras config, not a spec", "lecun-init derive"),
    SpecMistake("a transformers config", '{"model_type": "gpt2"}', "this is a transformers config, not a spec", "lecun-init derive"),
    SpecMistake("an index of shards", '{"weight_map": {}}', "this is an index of shards, not a spec", "lecun-init derive"),
]  # fmt: skip

MISTAKES = [
    Mistake("a dtype of PyTorch", "plan spec.yaml --dtype fp16", 'spec.yaml: error: --dtype: unknown dtype "fp16"', "did you mean float16?"),
    Mistake("a dtype with its module", "plan spec.yaml --dtype torch.bf16", "--dtype: ", "did you mean bfloat16?"),
    Mistake("the short name of bfloat16", "plan spec.yaml --dtype bf16", "--dtype: ", "did you mean bfloat16?"),
    Mistake("pytorch", "plan spec.yaml --framework pytorch", "--framework: expected one of keras, torch, flax", "did you mean torch?"),
    Mistake("tf", "plan spec.yaml --framework tf", "--framework: ", "did you mean keras?"),
    Mistake("tensorflow", "plan spec.yaml --framework tensorflow", "--framework: ", "did you mean keras?"),
    Mistake("jax", "plan spec.yaml --framework jax", "--framework: ", "did you mean flax?"),
    Mistake("a capital", "plan spec.yaml --framework Keras", "--framework: ", "did you mean keras?"),
    Mistake("a pickle as output", "spec.yaml -o new.pt", 'the suffix of "new.pt" names no format', "end it in one of .safetensors"),
    Mistake("an archive of NumPy as output", "spec.yaml -o new.npz", 'the suffix of "new.npz" names no format', "--format safetensors"),
    Mistake("a missing folder", "spec.yaml -o nowhere/new.h5", "the folder nowhere does not exist", "mkdir -p nowhere"),
    Mistake("an existing output", "spec.yaml -o w.safetensors", "exists already", "--force to replace it"),
    Mistake("no output", "spec.yaml", "Missing option '--output'", "lecun-init SPEC -o weights.safetensors"),
    Mistake("an output without -o", "spec.yaml new.safetensors", "Missing option '--output'", "lecun-init SPEC -o weights.safetensors"),
    Mistake("a misspelled command", "verfiy w.safetensors", 'no command or spec "verfiy"', "did you mean verify?"),
    Mistake("an unknown command", "help", 'no command or spec "help"', "the commands are: generate, plan"),
    Mistake("a misspelled sample", "selu_mpl", 'no command or spec "selu_mpl"', "did you mean selu_mlp?"),
    Mistake("a misspelled sample with an output", "selu_mpl -o new.h5", "the spec selu_mpl does not exist", "did you mean selu_mlp?"),
    Mistake("another suffix of YAML", "plan spec.yml", "the spec spec.yml does not exist", "did you mean spec.yaml?"),
    Mistake("a misspelled option of the group", "--verison", "No such option: --verison", "--version"),
    Mistake("a misspelled option", "plan spec.yaml --sede 3", "No such option: --sede", "--seed"),
    Mistake("an output of a command without one", "plan spec.yaml -o new.h5", "No such option: -o", "only generate and derive write a file with -o"),
    Mistake("no spec", "plan", "Missing argument 'SPEC'", "lecun-init samples lists them"),
    Mistake("no tensor", "slice spec.yaml", "Missing argument 'TENSOR'", "lecun-init plan SPEC lists the tensors"),
    Mistake("weights instead of a spec", "plan w.safetensors", "w.safetensors: error: this is a weight file, not a spec", "lecun-init inspect checks it"),
    Mistake("an HDF5 file instead of a spec", "plan w.h5", "w.h5: error: this is a weight file, not a spec", "lecun-init derive writes a spec for it"),
    Mistake("weights to slice", "slice w.safetensors hidden/kernel", "this is a weight file, not a spec", "lecun-init derive writes a spec for it"),
    Mistake("a manifest instead of a spec", "plan w.safetensors.manifest.json", "this is a manifest, not a spec", "lecun-init verify reads it"),
    Mistake("a spec to inspect", "inspect spec.yaml", "spec.yaml: unrecognized file type", "generate them with lecun-init spec.yaml -o OUT.safetensors"),
    Mistake("a sample to inspect", "inspect selu_mlp", "selu_mlp does not exist", "generate them with lecun-init selu_mlp -o OUT.safetensors"),
    Mistake("a spec to verify", "verify spec.yaml", "spec.yaml has no manifest", "generate them with lecun-init spec.yaml -o OUT.safetensors"),
    Mistake("a sample to verify", "verify selu_mlp", "there is neither a file selu_mlp", "a spec contains no weights"),
    Mistake("a spec to derive from", "derive spec.yaml", "spec.yaml: unrecognized file type", "it is already a spec"),
    Mistake("weights without a manifest", "verify lone.safetensors", "lone.safetensors has no manifest", "lecun-init inspect lone.safetensors"),
    Mistake("missing weights", "verify none.safetensors", "there is neither a file none.safetensors", "check the path"),
    Mistake("a missing manifest", "verify none.manifest.json", "the manifest none.manifest.json does not exist", "check the path"),
    Mistake("a missing file to inspect", "inspect none.safetensors", "none.safetensors does not exist", "check the path"),
    Mistake("a missing file to propagate", "propagate none.safetensors", "there is no weight file none.safetensors", "check the path"),
    Mistake("text to inspect", "inspect notes.txt", "notes.txt: unrecognized file type", "give a safetensors or HDF5 file"),
    Mistake("an empty file", "inspect empty.safetensors", "empty.safetensors is not a valid safetensors file", "corrupt, truncated", 1),
    Mistake("half a file", "inspect half.safetensors", "half.safetensors is not a valid safetensors file", "corrupt, truncated", 1),
    Mistake("half an HDF5 file", "inspect half.h5", "half.h5 is not a valid HDF5 file", "corrupt, truncated", 1),
    Mistake("half a file to derive from", "derive half.safetensors", "half.safetensors is not a valid safetensors file", "corrupt, truncated"),
    Mistake("a folder without weights to inspect", "inspect folder", "folder contains no weight file", "give a safetensors or HDF5 file"),
    Mistake("a folder without weights to verify", "verify folder", "folder contains no manifest", "manifests end in .manifest.json"),
    Mistake("a misspelled tensor", "slice spec.yaml hidden/kernal", 'the spec has no tensor "hidden/kernal"', "did you mean hidden/kernel?"),
    Mistake("a layer instead of a tensor", "slice spec.yaml hidden", 'the spec has no tensor "hidden"', "did you mean hidden/bias?"),
    Mistake("an invalid range", "slice spec.yaml hidden/kernel a:b", '"a:b" is neither an index nor a range', "0:2,:8"),
    Mistake("a negative index without brackets", "slice spec.yaml hidden/kernel -1", "No such option: -1", "[-1]"),
    Mistake("an unknown param", "plan spec.yaml --set z=3", '--set: unknown param "z"', "the spec has no params"),
    Mistake("a param without a value", "plan spec.yaml --set z", "--set: expected NAME=VALUE, got \"z\"", "for example --set d=4096"),
    Mistake("params with a space between", "plan spec.yaml --set a=1 b=2", "unexpected extra argument", "--set a=1,b=2"),
    Mistake("a comparison with an unknown initializer", "propagate spec.yaml --compare foo", 'unknown initializer "foo"', "choose one of lecun_normal"),
    Mistake("a comparison with spaces", "propagate spec.yaml --compare he_normal, lecun_uniform", "unexpected extra argument", "an option takes one value"),
    Mistake("a picture of another type", "propagate spec.yaml --plot out.pdf", 'unrecognized type of picture: expected .png, .svg, .html, got "out.pdf"', "choose another suffix"),
    Mistake("an unknown sample", "samples nosuch", 'unknown sample "nosuch"', "the samples are: gpt2"),
]  # fmt: skip


@pytest.fixture
def desk(run: Run, here: Path) -> Path:
    """Return a folder with a spec, weights, and files that can be mistaken for them."""
    assert run("spec.yaml", "-o", "w.safetensors", "--quiet").code == 0
    assert run("spec.yaml", "-o", "w.h5", "--quiet").code == 0
    for suffix in ("safetensors", "h5"):
        data = (here / f"w.{suffix}").read_bytes()
        (here / f"half.{suffix}").write_bytes(data[: len(data) // 2])
    (here / "lone.safetensors").write_bytes((here / "w.safetensors").read_bytes())
    (here / "empty.safetensors").touch()
    (here / "notes.txt").write_text("Hello.\n")
    (here / "folder").mkdir()
    return here


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.id)
def test_a_mistake_on_the_command_line_gives_one_error_with_advice(
    run: Run, desk: Path, mistake: Mistake
) -> None:
    before = sorted(desk.rglob("*"))
    ran = run(*mistake.args.split())
    assert (ran.code, ran.out) == (mistake.code, "")
    assert mistake.message in ran.err
    assert mistake.advice in ran.err
    assert "Traceback" not in ran.err
    assert sorted(desk.rglob("*")) == before


@pytest.mark.parametrize("mistake", SPEC_MISTAKES, ids=lambda mistake: mistake.id)
def test_a_mistake_in_a_spec_gives_an_error_with_advice(run: Run, here: Path, mistake: SpecMistake) -> None:
    (here / "s.yaml").write_text(mistake.text)
    ran = run("plan", "s.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert mistake.message in ran.err
    assert mistake.advice in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("seed", ["-1", "18446744073709551616"])
def test_a_seed_out_of_range_is_reported_by_its_option_without_a_line_of_the_spec(
    run: Run, here: Path, seed: str
) -> None:
    ran = run("plan", "spec.yaml", "--seed", seed)
    assert ran.code == 2
    assert ran.err.startswith("spec.yaml: error: --seed: expected at ")
    assert "|" not in ran.err


def test_a_wrong_value_in_a_spec_is_reported_with_its_line(run: Run, here: Path) -> None:
    (here / "s.yaml").write_text("layers: []\nframework: jax\n")
    assert run("plan", "s.yaml").err.startswith("s.yaml:2:12: error: framework: expected one of")


def test_a_trailing_comma_in_json_is_allowed(run: Run, here: Path) -> None:
    (here / "s.json").write_text(
        '{"layers": [{"type": "dense", "name": "a", "in_features": 3, "out_features": 4},]}'
    )
    assert run("plan", "s.json").code == 0


def test_a_manifest_is_refused_with_one_error(run: Run, desk: Path) -> None:
    assert "manifest" in json.loads((desk / "w.safetensors.manifest.json").read_text())
    assert run("plan", "w.safetensors.manifest.json").err.count("error:") == 1


def test_a_picture_without_matplotlib_gives_advice_on_installing_it(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    ran = run("propagate", "spec.yaml", "--plot", "out.png")
    assert (ran.code, ran.out) == (2, "")
    assert "matplotlib is not installed" in ran.err
    assert "pip install matplotlib" in ran.err


def test_a_spec_that_is_typed_gives_advice_on_ending_it(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal:
        buffer = (here / "spec.yaml").open("rb")

        @staticmethod
        def isatty() -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal)
    ran = run("plan", "-")
    Terminal.buffer.close()
    assert ran.code == 0
    assert "Ctrl-D" in ran.err
