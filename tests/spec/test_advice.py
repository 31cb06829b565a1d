"""Advice about the paths of specs."""

from __future__ import annotations

from pathlib import Path

import pytest

from lecun_cli.spec.advice import missing_spec_help, names_spec, spec_help


@pytest.mark.parametrize("path", ["spec.yaml", "folder/SPEC.YML", "selu_mlp"])
def test_a_yaml_file_and_a_sample_are_specs(path: str) -> None:
    assert names_spec(path)
    assert spec_help(path) == (
        f"a spec contains no weights; generate them with lecun-init {path} -o OUT.safetensors"
    )


@pytest.mark.parametrize("path", ["w.safetensors", "config.json", "folder"])
def test_other_paths_are_not_specs(path: str) -> None:
    assert not names_spec(path)
    assert spec_help(path) is None


def test_a_missing_spec_is_compared_with_its_folder_and_the_samples(tmp_path: Path) -> None:
    (tmp_path / "network.yaml").touch()
    assert missing_spec_help(tmp_path / "netwrok.yaml") == f"did you mean {tmp_path / 'network.yaml'}?"
    assert missing_spec_help(tmp_path / "selu_mpl") == "did you mean selu_mlp?"
    assert missing_spec_help(tmp_path / "zzz").startswith("check the path; - reads stdin; sample specs: gpt2")
