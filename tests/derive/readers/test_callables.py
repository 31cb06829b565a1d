"""`package.module:callable` without any framework: what cannot be imported, called, or used."""

from __future__ import annotations

from pathlib import Path

import pytest

from lecun_cli.derive import derive_spec
from lecun_cli.errors import DeriveError

MODULE = """\
def none(): return None
def boom(): raise RuntimeError("no weights today")
def leaves(): raise SystemExit(0)
def wants(x): return x
def pair(): return (1, 2)
value = 3
def speaks():
    print("hello")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module in the current folder, which is not on the path yet."""
    (tmp_path / "derive_called_models.py").write_text(MODULE)
    (tmp_path / "derive_called_broken.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["", *__import__("sys").path])
    return "derive_called_models"


class TestCallables:
    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("none", "got a builtins.NoneType"),
            ("boom", "RuntimeError: no weights today"),
            ("leaves", "SystemExit"),
            ("wants", "without arguments failed: TypeError"),
            ("pair", "expected a Flax module as its first item"),
            ("value", "expected a function or a model, got a builtins.int"),
            ("nosuch", "has no nosuch"),
            ("none.there", "has no none.there"),
        ],
    )
    def test_that_make_no_model_are_refused(self, name: str, message: str, module: str) -> None:
        with pytest.raises(DeriveError, match=message.replace(".", r"\.")):
            derive_spec(f"{module}:{name}")

    def test_that_print_do_not_write_into_the_spec(
        self, module: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(DeriveError, match="NoneType"):
            derive_spec(f"{module}:speaks")
        assert capsys.readouterr() == ("", "hello\n")

    def test_in_a_module_that_fails_are_refused(self, module: str) -> None:
        del module
        with pytest.raises(DeriveError, match="importing derive_called_broken failed: ZeroDivisionError"):
            derive_spec("derive_called_broken:model")

    def test_in_no_module_are_refused(self) -> None:
        with pytest.raises(DeriveError, match=r"cannot import the module no_such_package\.models"):
            derive_spec("no_such_package.models:model")

    @pytest.mark.parametrize("source", ["os;rm:x", "a b:c", "a:b()", ":x", "a:", "../x:y", "C:\\x"])
    def test_of_another_form_are_no_callables(self, source: str) -> None:
        with pytest.raises(DeriveError, match="cannot derive a spec from"):
            derive_spec(source)
