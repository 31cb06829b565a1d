"""`derive`, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.derive.sources import (
    Tensors,
    keras_initializer,
    keras_layer,
    keras_model,
    plan_of,
    tensors_of,
    write_keras,
    write_safetensors,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

HELD: Tensors = {f"blocks.{i}.{n}.weight": ((8, 8), "bfloat16") for i in range(4) for n in ("q", "k", "v")}


@pytest.fixture
def source(here: Path) -> str:
    write_safetensors(here / "model.safetensors", HELD, {"format": "pt"})
    return "model.safetensors"


class TestOutput:
    def test_is_stdout_by_default(self, run: Run, source: str) -> None:
        ran = run("derive", source)
        assert ran.code == 0
        assert tensors_of(plan_of(ran.out)) == HELD
        assert run("derive", source, "-o", "-").out == ran.out

    def test_is_a_spec_that_generates_the_same_file(self, run: Run, here: Path, source: str) -> None:
        ran = run("derive", source, "-o", "new.yaml")
        assert (ran.code, ran.out) == (0, "")
        assert "wrote    new.yaml: 12 tensors, 768 weights" in ran.err
        assert run("new.yaml", "-o", "new.safetensors", "--seed", "1").code == 0
        assert (
            run("derive", "new.safetensors").out.split("\n", 1)[1]
            == (here / "new.yaml").read_text().split("\n", 1)[1]
        )

    def test_that_exists_is_kept(self, run: Run, here: Path, source: str) -> None:
        (here / "spec.yaml").write_text("precious")
        ran = run("derive", source, "-o", "spec.yaml")
        assert ran.code == 2
        assert "spec.yaml exists already" in ran.err
        assert (here / "spec.yaml").read_text() == "precious"
        assert run("derive", source, "-o", "spec.yaml", "--force", "--quiet").err == ""
        assert tensors_of(plan_of((here / "spec.yaml").read_text())) == HELD

    def test_that_exists_is_reported_before_anything_is_read(self, run: Run, here: Path) -> None:
        (here / "spec.yaml").write_text("precious")
        assert "exists already" in run("derive", "no_such_package:model", "-o", "spec.yaml").err


class TestKeepInitializers:
    def model(self, here: Path, kernel: str) -> None:
        layer = keras_layer("Dense", "x", [None, 6], units=4, kernel_initializer=keras_initializer(kernel))
        write_keras(here / "m.keras", keras_model(layer))

    def test_keeps_them(self, run: Run, here: Path) -> None:
        self.model(here, "HeNormal")
        assert "kernel_initializer" not in run("derive", "m.keras").out
        assert "kernel_initializer: he_normal" in run("derive", "m.keras", "--keep-initializers").out

    def test_warns_about_unsupported_ones(self, run: Run, here: Path) -> None:
        self.model(here, "OrthogonalInitializer")
        ran = run("derive", "m.keras", "--keep-initializers")
        assert ran.err.startswith('warning: kernel_initializer of "x" is OrthogonalInitializer')
        assert run("derive", "m.keras", "--keep-initializers", "--quiet").err == ""

    def test_warns_about_a_source_without_initializers(self, run: Run, source: str) -> None:
        assert "does not name its initializers" in run("derive", source, "--keep-initializers").err


class TestErrors:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (
                ("nosuch.safetensors",),
                "error: cannot derive a spec from nosuch.safetensors: it does not exist",
            ),
            (("empty.safetensors",), "not a valid safetensors file"),
            (("empty.keras",), "not a valid .keras archive"),
            (("unbuilt.json",), "it was never built"),
            (("unknown.json",), "unknown class, so its weights are unknown"),
            (("no_such_package.models:model",), "cannot import the module"),
            (("weights.bin",), "a pickle runs code when it is opened"),
            ((".",), "contains neither a checkpoint nor a config.json"),
            ((), "Missing argument 'SOURCE'"),
        ],
    )
    def test_are_one_message_and_exit_code_2(
        self, run: Run, here: Path, args: tuple[str, ...], message: str
    ) -> None:
        for name in ("empty.safetensors", "empty.keras", "weights.bin"):
            (here / name).write_bytes(b"")
        (here / "unbuilt.json").write_text(json.dumps(keras_model(keras_layer("Dense", "x", units=4))))
        (here / "unknown.json").write_text(json.dumps(keras_model(keras_layer("MyLayer", "x"))))
        if args == (".",):
            (here / "empty.safetensors").unlink()
        ran = run("derive", *args, "-o", "out.yaml")
        assert ran.code == 2
        assert message in ran.err
        assert "Traceback" not in ran.err
        assert not (here / "out.yaml").exists()
