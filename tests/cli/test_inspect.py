"""`inspect`, from the command line."""

from __future__ import annotations

import csv
import io
import json
import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from safetensors.numpy import save_file

from lecun_cli.cli.inspect_output import SORTS, blocks
from tests.cli.terminal import lines_without_colors, output_of_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run, RunOnTerminal


@pytest.fixture
def file(run: Run, here: Path) -> str:
    run("spec.yaml", "-o", "w.safetensors", "--quiet")
    return "w.safetensors"


@pytest.fixture
def foreign(here: Path) -> str:
    rng = np.random.default_rng(0)
    tensors = {f"h.{i}.fc.weight": (rng.standard_normal((64, 64)) * 0.02).astype("f4") for i in range(3)}
    save_file(
        {**tensors, "h.0.fc.bias": np.zeros(64, "f4")}, here / "x.safetensors", metadata={"format": "pt"}
    )
    return "x.safetensors"


class TestInspect:
    def test_a_pipe_receives_the_complete_table(self, run: Run, file: str) -> None:
        ran = run("inspect", file)
        assert ran.code == 0
        heading, *rows = ran.out.splitlines()
        assert heading.split() == [
            "tensor", "shape", "dtype", "bytes", "fan_in", "mean", "std", "ratio", "min", "max", "/bound",
            "zeros", "NaN+inf", "distinct", "histogram", "p", "verdict",
        ]  # fmt: skip
        assert [row.split()[0] for row in rows[:4]] == [
            "hidden/bias",
            "hidden/kernel",
            "logits/bias",
            "logits/kernel",
        ]
        assert rows[1].endswith("ok")
        assert "4 tensors, 7,114 values" in ran.out
        assert "compared with the distributions in the manifest" in ran.out

    def test_similar_tensors_share_one_list_of_problems(self, run: Run, foreign: str) -> None:
        ran = run("inspect", foreign)
        assert ran.code == 0
        assert "h.0.fc.weight  (and 2 like it)" in ran.out
        assert ran.out.count("follows normal(0.02) without truncation") == 1
        assert "3 wrong scale, 1 constant" in ran.out

    @pytest.mark.parametrize(("name", "code"), [("w.safetensors", 0), ("x.safetensors", 3)])
    def test_check_exits_with_3_if_a_tensor_has_a_problem(
        self, run: Run, file: str, foreign: str, name: str, code: int
    ) -> None:
        assert run("inspect", name, "--check", "--quiet").code == code

    def test_json_contains_every_value(self, run: Run, foreign: str) -> None:
        document = json.loads(run("inspect", foreign, "--json", "--quiet").out)
        assert document["ok"] is False
        weight = next(t for t in document["tensors"] if t["name"] == "h.1.fc.weight")
        assert weight["shape"] == [64, 64]
        assert (weight["elements"], weight["bytes"]) == (4096, 16384)
        assert weight["fan_in"] == 64
        assert weight["asked_std"] == 0.125
        assert weight["ratio"] == pytest.approx(weight["std"] / 0.125)
        assert weight["follows"] == "normal(0.02) without truncation"
        assert weight["findings"][0]["verdict"] == weight["verdict"] == "wrong scale"
        assert sum(weight["histogram"]["counts"]) == pytest.approx(4096, abs=2)

    def test_csv_has_a_row_for_each_tensor(self, run: Run, foreign: str) -> None:
        rows = list(csv.DictReader(io.StringIO(run("inspect", foreign, "--csv").out)))
        assert len(rows) == 4
        assert {row["verdict"] for row in rows} == {"wrong scale", "constant"}
        assert {row["shape"] for row in rows} == {"64x64", "64"}

    @pytest.mark.parametrize("key", SORTS)
    def test_sorting_keeps_every_tensor(self, run: Run, foreign: str, key: str) -> None:
        document = json.loads(run("inspect", foreign, "--json", "--sort", key).out)
        assert len(document["tensors"]) == 4
        if key == "verdict":
            assert document["tensors"][-1]["verdict"] == "constant"

    def test_match_and_limit_select_tensors(self, run: Run, foreign: str) -> None:
        document = json.loads(run("inspect", foreign, "--json", "--match", "*bias", "--match", "h.2.*").out)
        assert {t["name"] for t in document["tensors"]} == {"h.0.fc.bias", "h.2.fc.weight"}
        ran = run("inspect", foreign, "--limit", "1")
        assert "... and 3 more tensors" in ran.out

    def test_without_a_manifest_the_layer_types_determine_the_distribution(
        self, run: Run, here: Path
    ) -> None:
        run("spec.yaml", "-o", "w.safetensors", "--quiet", "--fan-rule", "torch")
        assert run("inspect", "w.safetensors", "--check", "--quiet").code == 0
        document = json.loads(run("inspect", "w.safetensors", "--json", "--no-manifest").out)
        assert {t["law_is_stated"] for t in document["tensors"]} == {False}
        assert {t["fan_in"] for t in document["tensors"]} == {None, 100, 64}

    def test_quiet_prints_nothing(self, run: Run, foreign: str) -> None:
        ran = run("inspect", foreign, "--quiet")
        assert (ran.code, ran.out, ran.err) == (0, "", "")


class TestPlot:
    def test_an_existing_picture_is_replaced_only_with_force(
        self, run: Run, here: Path, foreign: str
    ) -> None:
        (here / "x.png").write_bytes(b"mine")
        assert run("inspect", foreign, "--plot", "x.png").code == 2
        assert (here / "x.png").read_bytes() == b"mine"
        forced = run("inspect", foreign, "--plot", "x.png", "--theme", "dark", "--force")
        assert "wrote    x.png" in forced.err
        assert (here / "x.png").read_bytes().startswith(b"\x89PNG")


class TestBadUsage:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (["none.safetensors"], "none.safetensors does not exist"),
            (["."], "no weight file"),
            (["spec.yaml"], "unrecognized file type"),
            (["x.safetensors", "--sort", "taste"], "--sort: expected one of"),
            (["x.safetensors", "--limit", "0"], "--limit: expected at least 1"),
            (["x.safetensors", "--json", "--csv"], "contradict"),
            (["x.safetensors", "--plot", "x.gif"], "unrecognized type of picture"),
            (
                ["x.safetensors", "--plot", "x.png", "--theme", "pink"],
                '--theme: expected light or dark, got "pink"',
            ),
            (["x.safetensors", "--workers", "0"], "--workers: expected 1 to"),
        ],
    )
    def test_exits_with_2_and_a_reason(self, run: Run, here: Path, args: list[str], message: str) -> None:
        ran = run("inspect", *args)
        assert ran.code == 2
        assert message in ran.err

    def test_a_corrupt_file_exits_with_1(self, run: Run, here: Path) -> None:
        (here / "x.safetensors").write_bytes(bytes(50))
        ran = run("inspect", "x.safetensors")
        assert ran.code == 1
        assert "not a valid safetensors file" in ran.err

    def test_a_file_truncated_after_its_header_was_read_exits_with_1(
        self, run: Run, here: Path, file: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from lecun_cli.inspection import scan

        scan_file = scan.scan

        def cut(*args: object, **options: object) -> object:
            os.truncate(file, 5000)
            return scan_file(*args, **options)  # type: ignore[arg-type]

        monkeypatch.setattr(scan, "scan", cut)
        ran = run("inspect", file)
        assert ran.code == 1
        assert "ends within tensor" in ran.err


class TestHistogram:
    @pytest.mark.parametrize(
        ("counts", "shown"),
        [
            ([1, 1, 2, 2, 4, 4, 8, 8], "▁▂▄█"),
            ([0, 0, 1, 0, 0, 0, 1000, 1000], " ▁ █"),
            ([], ""),
        ],
    )
    def test_shows_every_bin_that_is_not_empty(self, counts: list[float], shown: str) -> None:
        assert blocks(counts, 4) == shown


class TestTerminal:
    @pytest.mark.parametrize("columns", [60, 80, 120, 160, 220])
    def test_no_line_is_wider_than_the_terminal(
        self, run_on_terminal: RunOnTerminal, foreign: str, file: str, columns: int
    ) -> None:
        for name in (foreign, file):
            lines = lines_without_colors(run_on_terminal(columns, "inspect", name, "--sort", "verdict"))
            assert any("ok" in line or "wrong scale" in line for line in lines)
            assert max(map(len, lines)) <= columns

    def test_the_width_is_that_of_the_window(self, here: Path, foreign: str) -> None:
        lines = lines_without_colors(output_of_process(70, "inspect", foreign))
        assert 50 < max(map(len, lines)) <= 70

    def test_colors_are_shown_unless_no_color_is_set(
        self, run_on_terminal: RunOnTerminal, foreign: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert "\x1b[1;31m" in run_on_terminal(80, "inspect", foreign)
        monkeypatch.setenv("NO_COLOR", "1")
        assert "\x1b[1;31m" not in run_on_terminal(80, "inspect", foreign)
