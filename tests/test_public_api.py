"""`import lecun_cli`: its public names, and the cost of importing it."""

from __future__ import annotations

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import lecun_cli

HEAVY = ("numpy", "h5py", "pydantic", "rich", "yaml", "ml_dtypes", "safetensors", "typer")


def in_a_new_process(code: str) -> str:
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return ran.stdout


class TestNames:
    def test_are_sorted_and_distinct(self) -> None:
        assert lecun_cli.__all__ == sorted(set(lecun_cli.__all__))

    def test_are_those_with_a_module(self) -> None:
        assert set(lecun_cli.__all__) == {*lecun_cli._HOME, "__version__"}

    @pytest.mark.parametrize("name", lecun_cli.__all__)
    def test_are_objects_of_the_same_name(self, name: str) -> None:
        value = getattr(lecun_cli, name)
        if name != "__version__":
            assert value.__name__ == name
            assert value.__module__.startswith("lecun_cli.")
            assert inspect.getdoc(value)

    def test_are_listed_by_dir(self) -> None:
        assert set(lecun_cli.__all__) <= set(dir(lecun_cli))

    def test_other_names_are_errors(self) -> None:
        with pytest.raises(AttributeError, match="module 'lecun_cli' has no attribute 'lecun_abnormal'"):
            lecun_cli.lecun_abnormal  # noqa: B018

    def test_functions_win_over_modules_with_the_same_name(self) -> None:
        code = "import lecun_cli.verification, lecun_cli; print(callable(lecun_cli.verify))"
        assert in_a_new_process(code) == "True\n"


class TestImport:
    def test_imports_nothing_heavy(self) -> None:
        code = f"import sys, lecun_cli; print([m for m in {HEAVY} if m in sys.modules])"
        assert in_a_new_process(code) == "[]\n"

    def test_of_everything_works(self) -> None:
        code = "from lecun_cli import *; print(lecun_normal((1, 2), fan_in=2, seed=0, identity='a').shape)"
        assert in_a_new_process(code) == "(1, 2)\n"

    @pytest.mark.parametrize(
        "name",
        [
            "dtypes",
            "initializers.distributions",
            "initializers.fans",
            "tensors.boxes",
            "initializers.family",
            "plan.planner",
            "display.units",
        ],
    )
    def test_of_modules_without_arrays_does_not_import_numpy(self, name: str) -> None:
        code = f"import sys, lecun_cli.{name}; print('numpy' in sys.modules)"
        assert in_a_new_process(code) == "False\n"


PACKAGE = Path(lecun_cli.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if "    >>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_run(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    public = {name: getattr(lecun_cli, name) for name in lecun_cli.__all__}
    assert doctest.testmod(importlib.import_module(module), extraglobs=public).failed == 0


class TestAliases:
    @pytest.mark.parametrize(("old", "new"), lecun_cli._ALIASES.items())
    def test_names_of_earlier_releases_still_work(self, old: str, new: str) -> None:
        assert getattr(lecun_cli, old) is getattr(lecun_cli, new)
        assert old not in lecun_cli.__all__
