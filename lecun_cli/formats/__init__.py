"""The file formats. A new format is one module and one row in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import Diagnostic, UsageError
from lecun_cli.formats import hdf5, keras_h5, safetensors
from lecun_cli.formats.file_type import FileType

if TYPE_CHECKING:
    from lecun_cli.formats.segments import FileLayout
    from lecun_cli.formats.stored_tensor import StoredTensor
    from lecun_cli.plan.types import Plan


def _own_names(plan: Plan) -> dict[str, str]:
    return {tensor.name: tensor.name for tensor in plan.tensors}


def _no_framework(path: Path) -> None:
    del path


@dataclass(frozen=True)
class Format(FileType):
    """A format of weight files: everything that the rest of the package knows about it.

    Attributes:
        name: Name of the format, as in `--format` and in manifests.
        layout: Return the layout of the file of a plan.
        read: Return the tensors that a file contains, without reading their values.
        stored_names: Return the name in the file of each tensor of a plan, by the tensor's name. Tensors
            that the format cannot store are left out. By default, the file uses the tensors' own names.
        dtypes: The dtypes that the format can store, keys of `DTYPES`.
        framework_of: Return the framework, a key of `FRAMEWORKS`, that a file was written for, or None if
            the file does not say.
    """

    layout: Callable[[Plan], FileLayout]
    read: Callable[[Path], tuple[StoredTensor, ...]]
    stored_names: Callable[[Plan], dict[str, str]] = _own_names
    dtypes: Collection[str] = tuple(DTYPES)
    framework_of: Callable[[Path], str | None] = _no_framework

    def lay_out(self, plan: Plan) -> FileLayout:
        """Return the layout of the file of a plan.

        Raises:
            PlanError: The format cannot store the plan.
        """
        unsupported = {tensor.dtype for tensor in plan.tensors} - set(self.dtypes)
        if unsupported:
            tensors = [tensor for tensor in plan.tensors if tensor.dtype in unsupported]
            raise plan.error(
                *(
                    Diagnostic(
                        f'"{tensor.name}" is {tensor.dtype}, which {self.name} cannot store',
                        tensor.span,
                        f"dtypes of {self.name}: {', '.join(self.dtypes)}",
                    )
                    for tensor in tensors[:100]
                )
            )
        return self.layout(plan)


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (  # a format comes before the more general one that it builds on
        Format(
            name="safetensors",
            suffixes=(".safetensors",),
            magic=safetensors.MAGIC,
            layout=safetensors.layout,
            read=safetensors.read,
            dtypes=tuple(safetensors.DTYPE_NAMES),
            framework_of=safetensors.framework_of,
        ),
        Format(
            name="keras",
            suffixes=(".weights.h5",),
            magic=hdf5.MAGIC,
            layout=keras_h5.layout,
            read=keras_h5.read,
            stored_names=keras_h5.stored_names,
            framework_of=lambda path: "keras",
        ),
        Format(
            name="hdf5",
            suffixes=(".h5", ".hdf5"),
            magic=hdf5.MAGIC,
            layout=hdf5.layout,
            read=hdf5.read,
        ),
    )
}

DEFAULT_FORMAT = "safetensors"
"""Format of an output whose name has no suffix to go by, such as a pipe."""


def format_of(name: str) -> Format:
    """Return the format that the suffix of a file name stands for.

    Raises:
        UsageError: No format has this suffix.
    """
    for file_format in FORMATS.values():
        if file_format.matches_name(name):
            return file_format
    suffixes = ", ".join(suffix for f in FORMATS.values() for suffix in f.suffixes)
    raise UsageError(
        f'the suffix of "{name}" names no format',
        help=f"end it in one of {suffixes}, or give --format {' or '.join(FORMATS)}",
    )
