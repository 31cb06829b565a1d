"""HDF5: h5py makes a skeleton of contiguous datasets, and the engine fills their extents.

The skeleton is made in a sparse file in memory, with early allocation (so every offset is known), fill
never, no times and a fixed library version; its bytes outside the datasets are the literals.

bfloat16 and the float8 types are HDF5 floating-point types of their own bit layout, which any reader
converts: bfloat16 to float32, float8 to float16. (HDF5 takes an exponent of all ones for infinity,
which float8_e4m3fn uses for 256 to 448: there the stored bits are right and the conversion is not.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import Diagnostic, WeightFileError
from lecun_cli.files.segments import Extent, FileLayout, Literal, Segment, check_gapless
from lecun_cli.files.sparse import SparseFile
from lecun_cli.files.stored import StoredTensor

if TYPE_CHECKING:
    from pathlib import Path

    import h5py

    from lecun_cli.plan import Plan

_ALIGNMENT = (512, 64)
"""Allocations of 512 bytes and more start on a multiple of 64, so every weight of theirs is aligned."""

_MAX_RANK = 32  # H5S_MAX_RANK

# (size, sign position, exponent position, exponent bits, mantissa bits, exponent bias)
_FLOAT_LAYOUTS = {
    "bfloat16": (2, 15, 7, 8, 7, 127),
    "float8_e4m3fn": (1, 7, 3, 4, 3, 7),
    "float8_e5m2": (1, 7, 2, 5, 2, 15),
}


def layout(plan: Plan) -> FileLayout:
    """The segments of an HDF5 file with one contiguous dataset a tensor; `/` in a name makes groups.

    Raises:
        PlanError: A name is no path in HDF5, or is a group and a tensor at once, or a tensor has more
            axes than HDF5 takes.
    """
    _check(plan)
    skeleton = SparseFile()
    offsets = _make_skeleton(skeleton, plan)
    extents = sorted((Extent(offsets[t.name], t) for t in plan.tensors), key=lambda e: (e.offset, e.nbytes))
    segments: list[Segment] = []
    at = 0
    for extent in extents:
        if extent.offset > at:
            segments.append(Literal(at, skeleton.read_at(at, extent.offset - at)))
        segments.append(extent)
        at = extent.offset + extent.nbytes
    if skeleton.nbytes > at:
        segments.append(Literal(at, skeleton.read_at(at, skeleton.nbytes - at)))
    found = tuple(segments)
    check_gapless(found, skeleton.nbytes)
    return FileLayout("hdf5", skeleton.nbytes, found)


def _check(plan: Plan) -> None:
    names = {tensor.name: tensor for tensor in plan.tensors}
    faults = []
    for tensor in plan.tensors:
        if len(tensor.shape) > _MAX_RANK:
            said = f'"{tensor.name}" has {len(tensor.shape)} axes, and HDF5 has at most {_MAX_RANK}'
            faults.append(Diagnostic(said, tensor.place, "write safetensors"))
        parts = tensor.name.split("/")
        if not all(parts) or "." in parts:
            faults.append(
                Diagnostic(f'"{tensor.name}" is no path in HDF5: a part of it is empty or "."', tensor.place)
            )
            continue
        for depth in range(1, len(parts)):
            above = names.get("/".join(parts[:depth]))
            if above is not None:
                related = (above.place, f'"{above.name}" is here') if above.place else None
                faults.append(
                    Diagnostic(
                        f'in HDF5 "{above.name}" cannot be a tensor and also hold "{tensor.name}"',
                        tensor.place,
                        "rename one of them, or write safetensors",
                        related,
                    )
                )
    if faults:
        raise plan.error(*faults)


def _make_skeleton(file: SparseFile, plan: Plan) -> dict[str, int]:
    """Write the skeleton and return the offset of every tensor, in bytes."""
    from h5py import h5d, h5f, h5g, h5p, h5s

    create = h5p.create(h5p.FILE_CREATE)
    create.set_obj_track_times(False)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    access.set_fileobj_driver(_driver(), file)
    access.set_alignment(*_ALIGNMENT)
    group_create = h5p.create(h5p.GROUP_CREATE)
    group_create.set_obj_track_times(False)
    dataset_create = h5p.create(h5p.DATASET_CREATE)
    dataset_create.set_layout(h5d.CONTIGUOUS)
    dataset_create.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    dataset_create.set_fill_time(h5d.FILL_TIME_NEVER)
    dataset_create.set_obj_track_times(False)

    handle = h5f.create(b"skeleton", h5f.ACC_TRUNC, create, access)
    groups: dict[str, Any] = {"": h5g.open(handle, b"/")}
    datasets: dict[str, Any] = {}
    types = {name: _type(name) for name in {tensor.dtype for tensor in plan.tensors}}
    for tensor in plan.tensors:
        above, _, leaf = tensor.name.rpartition("/")
        parent = _group(groups, above, group_create)
        space = h5s.create_simple(tensor.shape) if tensor.shape else h5s.create(h5s.SCALAR)
        datasets[tensor.name] = h5d.create(parent, leaf.encode(), types[tensor.dtype], space, dataset_create)
    handle_offsets = {name: dataset.get_offset() for name, dataset in datasets.items()}
    for tensor in plan.tensors:
        if datasets[tensor.name].get_storage_size() != tensor.nbytes or handle_offsets[tensor.name] is None:
            raise AssertionError(f"HDF5 did not reserve {tensor.nbytes} bytes for {tensor.name}")
    datasets.clear()
    groups.clear()
    handle.close()
    return handle_offsets


def _driver() -> Any:  # noqa: ANN401 - h5py has no types
    from h5py import h5fd

    return h5fd.fileobj_driver


def _group(groups: dict[str, Any], name: str, create: Any) -> Any:  # noqa: ANN401
    from h5py import h5g

    if name not in groups:
        above, _, leaf = name.rpartition("/")
        parent = _group(groups, above, create)
        groups[name] = h5g.create(parent, leaf.encode(), gcpl=create)
    return groups[name]


def _type(dtype: str) -> Any:  # noqa: ANN401
    from h5py import h5t

    if dtype not in _FLOAT_LAYOUTS:
        return h5t.py_create(DTYPES[dtype].numpy(), logical=True)
    size, sign, exponent, exponent_bits, mantissa_bits, bias = _FLOAT_LAYOUTS[dtype]
    made = h5t.IEEE_F32LE.copy()
    made.set_fields(sign, exponent, exponent_bits, 0, mantissa_bits)
    made.set_ebias(bias)
    made.set_precision(8 * size)
    made.set_size(size)
    return made


def read(path: Path) -> tuple[StoredTensor, ...]:
    """What an HDF5 file holds, in the order of the offsets.

    Raises:
        WeightFileError: The file is no HDF5 file, or is damaged.
    """
    import h5py

    found: list[StoredTensor] = []

    def visit(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            offset = item.id.get_offset()
            found.append(
                StoredTensor(
                    name,
                    _dtype_name(item.id.get_type()),
                    item.shape or (),  # None where it has no dataspace
                    -1 if offset is None else offset,
                    item.id.get_storage_size(),
                )
            )

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WeightFileError(f"{path} is no sound HDF5 file: {error}") from error
    return tuple(sorted(found, key=lambda t: (t.offset, t.nbytes)))


def _dtype_name(stored: Any) -> str:  # noqa: ANN401
    for name in _FLOAT_LAYOUTS:
        if stored.equal(_type(name)):
            return name
    try:
        return str(stored.dtype)
    except TypeError:  # a type that NumPy has not, such as a time
        return type(stored).__name__
