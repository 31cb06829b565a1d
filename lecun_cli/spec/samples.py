"""Sample specs, read by name.

A clone has them in `sample_specs/` at the top; an installed package has a copy inside itself.
"""

from __future__ import annotations

from pathlib import Path

from lecun_cli.errors import UsageError

_PACKAGE = Path(__file__).parents[1]
_INSTALLED = _PACKAGE / "sample_specs"
_FOLDER = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.with_name("sample_specs")


def sample_names() -> tuple[str, ...]:
    """The names of the samples, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def sample_path(name: str) -> Path | None:
    """The file of the sample of a name; None where a file of that name lies here, or no sample has it."""
    if Path(name).exists() or name not in sample_names():
        return None
    return _FOLDER / f"{name}.yaml"


def sample_text(name: str) -> str:
    """A sample's text.

    Raises:
        UsageError: There is no such sample.
    """
    if name not in sample_names():
        raise UsageError(f"there is no sample {name}", help=f"samples are: {', '.join(sample_names())}")
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def describe(name: str) -> str:
    """The first sentence of a sample's own comment."""
    first = sample_text(name).partition("\n\n")[0]
    text = " ".join(line.lstrip("# ").strip() for line in first.split("\n#\n")[0].splitlines())
    return text.split(". ")[0].rstrip(".")
