"""`slice`, from the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
from safetensors.numpy import load_file

from lecun_cli.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.cli.conftest import Run


class TestSlice:
    def test_the_text_of_every_value_parses_to_it(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "w.safetensors")
        kernel = load_file(here / "w.safetensors")["hidden/kernel"]
        ran = run("slice", "spec.yaml", "hidden/kernel", "3:5,:4")
        rows = [[np.float32(value) for value in line.split()] for line in ran.out.splitlines()]
        assert np.array_equal(np.array(rows), kernel[3:5, :4])

    def test_json_has_nested_lists(self, run: Run, here: Path) -> None:
        run("spec.yaml", "-o", "w.safetensors")
        kernel = load_file(here / "w.safetensors")["hidden/kernel"]
        assert (
            json.loads(run("slice", "spec.yaml", "hidden/kernel", "[-1]", "--json").out)
            == kernel[-1].tolist()
        )

    def test_raw_is_the_stored_bytes(
        self, here: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(main, "handle_signals", lambda: None)
        assert main.run(["slice", "spec.yaml", "logits/kernel", "--dtype", "bfloat16", "--raw"]) == 0
        raw = capfdbinary.readouterr().out
        assert main.run(["spec.yaml", "--dtype", "bfloat16", "-o", "w.safetensors", "-q"]) == 0
        assert len(raw) == 640 * 2
        assert raw in (here / "w.safetensors").read_bytes()

    def test_needs_a_seed(self, run: Run, here: Path) -> None:
        (here / "s.yaml").write_text("tensors: [{name: t, shape: [4, 4], in_axes: [1]}]\n")
        ran = run("slice", "s.yaml", "t")
        assert (ran.code, "give --seed" in ran.err) == (2, True)

    def test_a_slice_of_a_huge_tensor_takes_no_time(self, run: Run, here: Path) -> None:
        (here / "s.yaml").write_text(
            "seed: 1\ntensors: [{name: t, shape: [2 ** 30, 2 ** 20], in_axes: [1]}]\n"
        )
        ran = run("slice", "s.yaml", "t", "1000000000,1000000:1000004")
        assert ran.code == 0
        assert len(ran.out.split()) == 4
