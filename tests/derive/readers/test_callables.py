"""`package.module:callable` without a framework: errors of import, calls and results."""

from __future__ import annotations

from pathlib import Path

import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import DeriveError

MODULE = """\
def nothing(): return None
def boom(): raise RuntimeError("no weights today")
def exits(): raise SystemExit(0)
def takes_argument(x): return x
def pair(): return (1, 2)
value = 3
def prints():
    print("hello")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a module to the current folder, which is not on `sys.path` yet."""
    (tmp_path / "derive_called_models.py").write_text(MODULE)
    (tmp_path / "derive_called_broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    return "derive_called_models"


class TestCallables:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("nothing", "got a builtins.NoneType"),
            ("boom", "RuntimeError: no weights today"),
            ("exits", "SystemExit"),
            ("takes_argument", "without arguments failed: TypeError"),
            ("pair", "expected a Flax module as its first item"),
            ("value", "expected a function or a model, got a builtins.int"),
            ("nosuch", "has no nosuch"),
            ("nothing.there", "has no nothing.there"),
        ],
    )
    def test_that_do_not_return_a_model_are_refused(self, name: str, message: str, module: str) -> None:
        with pytest.raises(DeriveError, match=message.replace(".", r"\.")):
            derive_spec(f"{module}:{name}")

    def test_that_print_write_to_stderr(self, module: str, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(DeriveError, match="NoneType"):
            derive_spec(f"{module}:prints")
        assert capsys.readouterr() == ("", "hello\n")

    def test_in_a_failing_module_are_refused(self, module: str) -> None:
        del module
        with pytest.raises(DeriveError, match="importing derive_called_broken failed: ZeroDivisionError"):
            derive_spec("derive_called_broken:model")

    def test_in_a_missing_module_are_refused(self) -> None:
        with pytest.raises(DeriveError, match=r"cannot import the module no_such_package\.models"):
            derive_spec("no_such_package.models:model")

    @pytest.mark.parametrize("source", ["os;rm:x", "a b:c", "a:b()", ":x", "a:", "../x:y", "C:\\x"])
    def test_need_the_form_of_a_callable(self, source: str) -> None:
        with pytest.raises(DeriveError, match="cannot derive a spec from"):
            derive_spec(source)
