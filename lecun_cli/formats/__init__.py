"""The file formats: each turns a plan into segments, and reads a file back. A new one is a file and a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lecun_cli.errors import UsageError
from lecun_cli.formats import hdf5, keras_h5, safetensors

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.formats.segments import FileLayout
    from lecun_cli.formats.stored_tensor import StoredTensor
    from lecun_cli.plan.types import Plan


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes:
        name: As `--format` names it.
        suffixes: The endings of file names that mean it.
        layout: Plan -> the segments of a file.
        read: A file -> what it says that it holds.
    """

    name: str
    suffixes: tuple[str, ...]
    layout: Callable[[Plan], FileLayout]
    read: Callable[[Path], tuple[StoredTensor, ...]]


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("safetensors", (".safetensors",), safetensors.layout, safetensors.read),
        Format("keras", (".weights.h5",), keras_h5.layout, keras_h5.read),
        Format("hdf5", (".h5", ".hdf5"), hdf5.layout, hdf5.read),
    )
}

DEFAULT_FORMAT = "safetensors"
"""What is written where there is no suffix to go by: to a pipe."""


def format_of(name: str) -> Format:
    """The format that the suffix of a file's name means.

    Raises:
        UsageError: The suffix means none.
    """
    for file_format in FORMATS.values():
        if name.lower().endswith(file_format.suffixes):
            return file_format
    suffixes = ", ".join(suffix for f in FORMATS.values() for suffix in f.suffixes)
    raise UsageError(
        f'the suffix of "{name}" names no format',
        help=f"end it in one of {suffixes}, or give --format {' or '.join(FORMATS)}",
    )
