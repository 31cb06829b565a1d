"""Sample specs, read by name from any working directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from lecun_cli import load_spec, make_plan
from lecun_cli.errors import UsageError
from lecun_cli.spec.samples import describe, sample_names, sample_path, sample_text

FOLDER = Path(__file__).parents[2] / "sample_specs"


class TestSamples:
    def test_are_the_files_of_the_folder(self) -> None:
        assert [f"{name}.yaml" for name in sample_names()] == sorted(p.name for p in FOLDER.glob("*.yaml"))

    @pytest.mark.parametrize("name", sample_names())
    def test_are_read_by_name(self, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert make_plan(load_spec(name)).tensors
        assert sample_text(name) == (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")

    @pytest.mark.parametrize("name", sample_names())
    def test_have_a_description(self, name: str) -> None:
        assert 20 < len(describe(name)) < 130

    def test_give_way_to_a_file_of_the_same_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("selu_mlp").write_text("tensors: [{name: a, shape: [3], fan_in: 3}]", encoding="utf-8")
        assert sample_path("selu_mlp") is None
        assert [t.name for t in make_plan(load_spec("selu_mlp")).tensors] == ["a"]

    def test_that_do_not_exist_are_reported_with_the_list(self) -> None:
        with pytest.raises(UsageError, match='unknown sample "alexnet"') as caught:
            sample_text("alexnet")
        assert "selu_mlp" in (caught.value.help or "")
