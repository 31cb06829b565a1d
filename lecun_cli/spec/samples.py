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
    """Return the names of the samples, sorted."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def sample_path(name: str) -> Path | None:
    """Return the file of a sample.

    Args:
        name: The name of a sample, such as `selu_mlp`.

    Returns:
        The path, or None if no sample has that name or the working directory contains a file of that name.
    """
    if name not in sample_names() or Path(name).exists():
        return None
    return _FOLDER / f"{name}.yaml"


def sample_text(name: str) -> str:
    """Return the text of a sample.

    Raises:
        UsageError: No sample has that name.
    """
    if name not in sample_names():
        raise UsageError(f'unknown sample "{name}"', help=f"the samples are: {', '.join(sample_names())}")
    return (_FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def describe(name: str) -> str:
    """Return the first sentence of the comment at the top of a sample."""
    first = sample_text(name).partition("\n\n")[0]
    text = " ".join(line.lstrip("# ").strip() for line in first.split("\n#\n")[0].splitlines())
    return text.split(". ")[0].rstrip(".")
