# ruff: noqa: E501 - a line of the table is a case
"""Invalid input: one error with its location, the right exit code, and no file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run


@dataclass(frozen=True)
class Bad:
    """An invalid spec, and a part of the error."""

    id: str
    text: str
    message: str
    args: tuple[str, ...] = ()


DENSE = "{type: dense, name: a, in_features: 4, out_features: 4}"

SPECS = [
    Bad("wrong type", "layers: [{type: dense, name: a, in_features: many, out_features: 4}]", "s.yaml:1:46: error: unknown param \"many\""),
    Bad("number for a name", "layers: [{type: dense, name: 7, in_features: 4, out_features: 4}]", 's.yaml:1:30: error: name: expected a string, got the number 7'),
    Bad("boolean in words", "layers: [{type: dense, name: a, in_features: 4, out_features: 4, bias: no}]", "s.yaml:1:72: error: bias: expected true or false, got the string \"no\""),
    Bad("unknown key", "layers: [{type: dense, name: a, in_feature: 4, out_features: 4}]", "= help: did you mean in_features?"),
    Bad("unknown top key", "layer: []\nlayers: [" + DENSE + "]", "= help: did you mean layers?"),
    Bad("unknown layer type", "layers: [{type: Dens, name: a}]", "= help: did you mean dense?"),
    Bad("duplicate key", "seed: 1\nseed: 2\nlayers: [" + DENSE + "]", "s.yaml:2:1: error: duplicate key \"seed\""),
    Bad("duplicate name", f"layers:\n  - {DENSE}\n  - {DENSE}", 's.yaml:3:25: error: two tensors have the name "a/kernel"'),
    Bad("prefix of another", "tensors:\n - {name: a, shape: 2, initializer: zeros}\n - {name: a/b, shape: 2, initializer: zeros}", 's.yaml:3:11: error: in HDF5, "a" cannot be both a tensor', ("-o", "w.h5")),
    Bad("zero size", "layers: [{type: dense, name: a, in_features: 0, out_features: 4}]", "in_features: expected at least 1, got the number 0"),
    Bad("negative size", "layers: [{type: dense, name: a, in_features: -3, out_features: 4}]", "in_features: expected at least 1, got the number -3"),
    Bad("size overflow", "layers: [{type: dense, name: a, in_features: 2 ** 60, out_features: 4}]", "in_features: expected at most"),
    Bad("total overflow", "tensors: [{name: a, shape: [2 ** 40, 2 ** 40], initializer: zeros}]", "overflow"),
    Bad("value overflow", "dtype: float16\ntensors: [{name: a, shape: 2, initializer: {name: constant, value: 70000}}]", "overflows float16"),
    Bad("fan-in undefined", "tensors: [{name: a, shape: [512]}]", "give `fan_in:` or `in_axes:`"),
    Bad("missing param", "layers: [{type: dense, name: a, in_features: d, out_features: 4}]\nparams: {e: 3}", 'unknown param "d"'),
    Bad("circular params", "params: {a: b + 1, b: a + 1}\nlayers: [" + DENSE + "]", 'is defined in terms of itself: a -> b -> a'),
    Bad("call", "layers: [{type: dense, name: a, in_features: \"__import__('os').getpid()\", out_features: 4}]", "is not arithmetic"),
    Bad("division by zero", "layers: [{type: dense, name: a, in_features: 4 // 0, out_features: 4}]", "divides by zero"),
    Bad("empty", "", "the spec is empty"),
    Bad("no layers", "seed: 3", "neither layers nor tensors"),
    Bad("a list", "[1, 2]", "the spec is not a mapping"),
    Bad("not YAML", "layers: [", "invalid YAML"),
    Bad("unknown param set", "layers: [" + DENSE + "]", '--set: unknown param "q"', ("--set", "q=3")),
    Bad("seed too large", "seed: 18446744073709551616\nlayers: [" + DENSE + "]", "seed: expected at most 18446744073709551615"),
    Bad("unsupported initializer", "layers: [{type: dense, name: a, in_features: 4, out_features: 4, kernel_initializer: orthogonal}]", "the nearest one is lecun_normal"),
]  # fmt: skip


class TestSpecs:
    @pytest.mark.parametrize("bad", SPECS, ids=lambda bad: bad.id)
    def test_is_refused_with_its_location_and_without_a_file(self, run: Run, here: Path, bad: Bad) -> None:
        (here / "s.yaml").write_text(bad.text)
        before = sorted(here.iterdir())
        args = bad.args if "-o" in bad.args else ("-o", "w.safetensors", *bad.args)
        ran = run("s.yaml", *args)
        assert ran.code == 2
        assert bad.message in ran.err
        assert "Traceback" not in ran.err
        assert ran.out == ""
        assert sorted(here.iterdir()) == before

    def test_one_run_reports_every_error(self, run: Run, here: Path) -> None:
        (here / "s.yaml").write_text("seed: -1\ndtype: flaot32\nlayers: [{type: dens, name: a}]\n")
        ran = run("s.yaml", "-o", "w.safetensors")
        assert ran.err.count("error:") == 3

    def test_an_alias_bomb_is_refused(self, run: Run, here: Path) -> None:
        lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]
        (here / "s.yaml").write_text("\n".join(lines))
        ran = run("s.yaml", "-o", "w.safetensors")
        assert ran.code == 2
        assert "with all aliases expanded" in ran.err

    def test_a_spec_of_100_mb_is_refused(self, run: Run, here: Path) -> None:
        with (here / "s.yaml").open("wb") as file:
            file.truncate(100 * 10**6)
        ran = run("s.yaml", "-o", "w.safetensors")
        assert ran.code == 2
        assert "expected at most 32 MiB" in ran.err

    def test_a_directory_is_not_a_spec(self, run: Run, here: Path) -> None:
        (here / "d").mkdir()
        ran = run("d", "-o", "w.safetensors")
        assert ran.code == 2
        assert "d is a directory" in ran.err

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"\x00\x01\x02layers", "it contains a NUL"),
            (b"seed: 1\nname: \xff\xfe", "byte 14 (line 2) is invalid"),
            ("layers: []".encode("utf-16"), "the spec is not UTF-8 text"),
        ],
    )
    def test_bytes_that_are_not_text_are_refused(
        self, run: Run, here: Path, data: bytes, message: str
    ) -> None:
        (here / "s.yaml").write_bytes(data)
        ran = run("s.yaml", "-o", "w.safetensors")
        assert ran.code == 2
        assert message in ran.err

    def test_a_missing_spec_is_named(self, run: Run, here: Path) -> None:
        ran = run("nosuch.yaml", "-o", "w.safetensors")
        assert (ran.code, "the spec nosuch.yaml does not exist" in ran.err) == (2, True)


class TestOutputs:
    def test_an_existing_output_is_kept(self, run: Run, here: Path) -> None:
        (here / "w.safetensors").write_bytes(b"precious")
        ran = run("spec.yaml", "-o", "w.safetensors")
        assert ran.code == 2
        assert "w.safetensors exists already" in ran.err
        assert "--force" in ran.err
        assert (here / "w.safetensors").read_bytes() == b"precious"
        assert run("spec.yaml", "-o", "w.safetensors", "--force").code == 0

    def test_an_existing_manifest_is_kept(self, run: Run, here: Path) -> None:
        (here / "w.safetensors.manifest.json").write_bytes(b"precious")
        ran = run("spec.yaml", "-o", "w.safetensors")
        assert ran.code == 2
        assert not (here / "w.safetensors").exists()
        assert (here / "w.safetensors.manifest.json").read_bytes() == b"precious"

    def test_a_missing_folder_is_named(self, run: Run, here: Path) -> None:
        ran = run("spec.yaml", "-o", "nosuch/w.safetensors")
        assert ran.code == 2
        assert "the folder nosuch does not exist" in ran.err

    def test_a_disk_that_is_too_small_fails_before_generation(self, run: Run, here: Path) -> None:
        text = "tensors: [{name: a, shape: [2 ** 30, 2 ** 20], in_axes: [1]}]\nseed: 1\n"
        (here / "s.yaml").write_text(text)
        before = sorted(here.iterdir())
        ran = run("s.yaml", "-o", "w.safetensors")
        assert ran.code == 1
        assert "the disk is too small for w.safetensors: it needs 4,096 TiB" in ran.err
        assert sorted(here.iterdir()) == before

    def test_an_unknown_suffix_names_the_known_ones(self, run: Run, here: Path) -> None:
        ran = run("spec.yaml", "-o", "w.bin")
        assert ran.code == 2
        assert ".safetensors, .weights.h5, .h5, .hdf5" in ran.err

    def test_a_read_only_folder_fails(self, run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Simulate the missing permission, since root can write everywhere."""
        monkeypatch.setattr(os, "access", lambda *_: False)
        ran = run("spec.yaml", "-o", "w.safetensors")
        assert ran.code == 1
        assert "may not be written to" in ran.err


class TestPaths:
    @pytest.mark.parametrize(
        "args",
        [
            ("PATH", "-o", "w.safetensors"),
            ("spec.yaml", "-o", "PATH.h5"),
            ("plan", "PATH"),
            ("slice", "PATH", "t"),
            ("verify", "PATH"),
            ("inspect", "PATH"),
            ("inspect", "PATH.safetensors"),
            ("propagate", "PATH"),
            ("propagate", "PATH.safetensors"),
            ("derive", "PATH"),
        ],
        ids=" ".join,
    )
    def test_that_are_too_long_are_refused(self, run: Run, here: Path, args: tuple[str, ...]) -> None:
        before = sorted(here.iterdir())
        ran = run(*(arg.replace("PATH", "x" * 500) for arg in args))
        assert ran.code in {1, 2}
        assert ran.err.startswith("error: ")
        assert sorted(here.iterdir()) == before


class TestUsage:
    @pytest.mark.parametrize(
        ("args", "message"),
        [
            (("spec.yaml",), "Missing option '--output'"),
            (("verfy", "x"), "did you mean verify?"),
            (("spec.yaml", "-o", "w.safetensors", "--chunk-size", "big"), "--chunk-size: expected a size"),
            (
                ("spec.yaml", "-o", "w.safetensors", "--chunk-size", "3"),
                "--chunk-size: expected at least 32 bytes",
            ),
            (("spec.yaml", "-o", "w.safetensors", "--workers", "0"), "--workers: expected 1 to 256, got 0"),
            (("spec.yaml", "-o", "w.safetensors", "--set", "d"), "--set: expected NAME=VALUE"),
            (("spec.yaml", "-o", "w.safetensors", "--format", "npz"), 'unknown format "npz"'),
            (
                ("spec.yaml", "-o", "w.safetensors", "--framework", "tf"),
                "framework: expected one of keras, torch",
            ),
            (("spec.yaml", "-o", "w.safetensors", "--manifest", "m", "--no-manifest"), "contradict"),
            (("spec.yaml", "-o", "-", "--json"), "both go to stdout"),
            (("spec.yaml", "-o", "w.safetensors", "--nosuch"), "No such option: --nosuch"),
            (("slice", "spec.yaml", "hidden/kernl"), "did you mean hidden/kernel?"),
            (("slice", "spec.yaml", "hidden/kernel", "100"), "selects nothing from an axis of 100"),
            (("verify", "nosuch.safetensors"), "there is neither a file nosuch.safetensors"),
        ],
    )
    def test_exits_with_2_and_one_message(
        self, run: Run, here: Path, args: tuple[str, ...], message: str
    ) -> None:
        ran = run(*args)
        assert ran.code == 2
        assert message in ran.err
        assert not list(here.glob("w.*"))
