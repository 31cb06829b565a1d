"""HDF5: one contiguous dataset per tensor, in the groups that the slashes of its name make.

bfloat16 and the float8 types are stored as HDF5 floating-point types with their bit layouts, which every
reader converts: bfloat16 to float32, float8 to float16. HDF5 reads an exponent of all ones as infinity,
but float8_e4m3fn uses it for 256 to 448: the stored bits are right, and the conversion is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.errors import Diagnostic, WeightFileError
from lecun_cli.formats import skeleton
from lecun_cli.formats.file_type import Magic
from lecun_cli.formats.skeleton import FLOAT_LAYOUTS, Dataset, stored_type
from lecun_cli.formats.stored_tensor import CORRUPT_HELP, StoredTensor
from lecun_cli.signals import hold_signals

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from lecun_cli.formats.segments import FileLayout
    from lecun_cli.plan.types import Plan

MAGIC = Magic(0, b"\x89HDF\r\n\x1a\n")
_MAX_RANK = 32  # H5S_MAX_RANK


def layout(plan: Plan) -> FileLayout:
    """Return the layout of an HDF5 file with one contiguous dataset per tensor.

    Raises:
        PlanError: A name is not a valid path in HDF5, or names a group and a tensor at once; or a tensor has
            more than 32 axes.
    """
    _check(plan)
    return skeleton.layout("hdf5", [Dataset(tensor.name, tensor) for tensor in plan.tensors])


def _check(plan: Plan) -> None:
    names = {tensor.name: tensor for tensor in plan.tensors}
    diagnostics = []
    for tensor in plan.tensors:
        if len(tensor.shape) > _MAX_RANK:
            message = f'"{tensor.name}": expected at most {_MAX_RANK} axes in HDF5, got {len(tensor.shape)}'
            diagnostics.append(Diagnostic(message, tensor.span, "write safetensors"))
        parts = tensor.name.split("/")
        if not all(parts) or "." in parts:
            diagnostics.append(
                Diagnostic(
                    f'"{tensor.name}" is not a valid path in HDF5, because a part of it is empty or "."',
                    tensor.span,
                    "rename it, or write safetensors",
                )
            )
            continue
        for depth in range(1, len(parts)):
            above = names.get("/".join(parts[:depth]))
            if above is not None:
                related = (above.span, f'"{above.name}" is here') if above.span else None
                diagnostics.append(
                    Diagnostic(
                        f'in HDF5, "{above.name}" cannot be both a tensor and the group of "{tensor.name}"',
                        tensor.span,
                        "rename one of them, or write safetensors",
                        related,
                    )
                )
    if diagnostics:
        raise plan.error(*diagnostics)


def read(path: Path) -> tuple[StoredTensor, ...]:
    """Return the datasets of an HDF5 file, by offset.

    Raises:
        WeightFileError: The file cannot be read or is not a valid HDF5 file.
    """
    import h5py

    tensors: list[StoredTensor] = []

    def visit(name: str, item: h5py.HLObject) -> bool | None:
        # h5py calls this from C, which may swallow an exception, so a signal ends the visit instead.
        if hold.pending:
            return True
        if isinstance(item, h5py.Dataset):
            offset = item.id.get_offset()
            tensors.append(
                StoredTensor(
                    name,
                    _dtype_name(item.id.get_type()),
                    item.shape or (),  # None for an empty dataspace
                    -1 if offset is None else offset,
                    item.id.get_storage_size(),
                )
            )
        return None

    try:
        with hold_signals() as hold, h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WeightFileError(f"{path} is not a valid HDF5 file: {error}", help=CORRUPT_HELP) from error
    return tuple(sorted(tensors, key=lambda t: (t.offset, t.nbytes)))


def _dtype_name(stored: Any) -> str:  # noqa: ANN401
    for name in FLOAT_LAYOUTS:
        if stored.equal(stored_type(name)):
            return name
    try:
        return str(stored.dtype)
    except TypeError:  # a type that NumPy lacks, such as a time
        return type(stored).__name__
