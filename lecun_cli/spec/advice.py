"""Advice about specs and their paths, for every command that takes a file."""

from __future__ import annotations

import difflib
from pathlib import Path

from lecun_cli.spec.samples import sample_names, sample_path

_SUFFIXES = (".yaml", ".yml")


def names_spec(path: str) -> bool:
    """Return whether a path is that of a spec: a YAML file or the name of a sample."""
    return path.lower().endswith(_SUFFIXES) or sample_path(path) is not None


def spec_help(path: str) -> str | None:
    """Return advice for a command that needs weights but was given a spec, or None for other paths.

    Example:
        >>> spec_help("spec.yaml")
        'a spec contains no weights; generate them with lecun-init spec.yaml -o OUT.safetensors'
    """
    if not names_spec(path):
        return None
    return f"a spec contains no weights; generate them with lecun-init {path} -o OUT.safetensors"


def missing_spec_help(path: Path) -> str:
    """Return advice for a spec that does not exist: the most similar name, or the list of the samples."""
    samples = sample_names()
    try:
        siblings = [p.name for p in path.parent.iterdir() if p.suffix in {*_SUFFIXES, ".json"}]
    except (OSError, ValueError):
        siblings = []
    similar = difflib.get_close_matches(path.name, [*samples, *siblings], n=1, cutoff=0.75)
    if similar:
        return f"did you mean {similar[0] if similar[0] in samples else path.with_name(similar[0])}?"
    return f"check the path; - reads stdin; sample specs: {', '.join(samples)}"
