"""HDF5: one contiguous dataset a tensor, in groups as its name has them.

bfloat16 and the float8 types are HDF5 floating-point types of their own bit layout, which any reader
converts: bfloat16 to float32, float8 to float16. (HDF5 takes an exponent of all ones for infinity,
which float8_e4m3fn uses for 256 to 448: there the stored bits are right and the conversion is not.)
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
    """The segments of an HDF5 file with one contiguous dataset a tensor; `/` in a name makes groups.

    Raises:
        PlanError: A name is no path in HDF5, or is a group and a tensor at once, or a tensor has more
            axes than HDF5 takes.
    """
    _check(plan)
    return skeleton.layout("hdf5", [Dataset(tensor.name, tensor) for tensor in plan.tensors])


def _check(plan: Plan) -> None:
    names = {tensor.name: tensor for tensor in plan.tensors}
    diagnostics = []
    for tensor in plan.tensors:
        if len(tensor.shape) > _MAX_RANK:
            message = f'"{tensor.name}" has {len(tensor.shape)} axes, and HDF5 has at most {_MAX_RANK}'
            diagnostics.append(Diagnostic(message, tensor.span, "write safetensors"))
        parts = tensor.name.split("/")
        if not all(parts) or "." in parts:
            diagnostics.append(
                Diagnostic(f'"{tensor.name}" is no path in HDF5: a part of it is empty or "."', tensor.span)
            )
            continue
        for depth in range(1, len(parts)):
            above = names.get("/".join(parts[:depth]))
            if above is not None:
                related = (above.span, f'"{above.name}" is here') if above.span else None
                diagnostics.append(
                    Diagnostic(
                        f'in HDF5 "{above.name}" cannot be a tensor and also hold "{tensor.name}"',
                        tensor.span,
                        "rename one of them, or write safetensors",
                        related,
                    )
                )
    if diagnostics:
        raise plan.error(*diagnostics)


def read(path: Path) -> tuple[StoredTensor, ...]:
    """What an HDF5 file holds, in the order of the offsets.

    Raises:
        WeightFileError: The file is no HDF5 file, or is damaged.
    """
    import h5py

    tensors: list[StoredTensor] = []

    def visit(name: str, item: h5py.HLObject) -> bool | None:
        # h5py calls this from C, where an exception may be swallowed: a signal ends the visit instead.
        if hold.pending:
            return True
        if isinstance(item, h5py.Dataset):
            offset = item.id.get_offset()
            tensors.append(
                StoredTensor(
                    name,
                    _dtype_name(item.id.get_type()),
                    item.shape or (),  # None where it has no dataspace
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
    except TypeError:  # a type that NumPy has not, such as a time
        return type(stored).__name__
