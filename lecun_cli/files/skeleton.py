"""An HDF5 file without its data: h5py makes it in memory, and what lies between the datasets is literal.

Early allocation fixes every offset, fill never keeps the data unwritten, and without times and with a
fixed library version two skeletons are the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lecun_cli.dtypes import DTYPES
from lecun_cli.files.segments import Extent, FileLayout, Literal, Segment, check_gapless
from lecun_cli.files.sparse import SparseFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lecun_cli.planned import TensorPlan

_ALIGNMENT = (512, 64)
"""Allocations of 512 bytes and more start on a multiple of 64, so every weight of theirs is aligned."""

# (size, sign position, exponent position, exponent bits, mantissa bits, exponent bias)
FLOAT_LAYOUTS = {
    "bfloat16": (2, 15, 7, 8, 7, 127),
    "float8_e4m3fn": (1, 7, 3, 4, 3, 7),
    "float8_e5m2": (1, 7, 2, 5, 2, 15),
}


@dataclass(frozen=True)
class Dataset:
    """A contiguous dataset of the file.

    Attributes:
        path: Its path, without a leading `/`.
        tensor: What fills it.
        opaque: Whether its elements are bytes of no type, as h5py stores what NumPy has no type for.
        attributes: Texts beside it.
    """

    path: str
    tensor: TensorPlan
    opaque: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def layout(
    name: str, datasets: Sequence[Dataset], group_attributes: Mapping[str, Mapping[str, str]] | None = None
) -> FileLayout:
    """The segments of an HDF5 file.

    Args:
        name: The format, a key of `FORMATS`.
        datasets: The datasets, in the order in which they are laid out; `/` in a path makes groups.
        group_attributes: Texts beside groups, by the path of the group.
    """
    file = SparseFile()
    offsets = _make(file, datasets, group_attributes or {})
    extents = sorted(
        (Extent(offset, d.tensor, d.path) for offset, d in zip(offsets, datasets, strict=True)),
        key=lambda e: (e.offset, e.nbytes),
    )
    segments: list[Segment] = []
    at = 0
    for extent in extents:
        if extent.offset > at:
            segments.append(Literal(at, file.read_at(at, extent.offset - at)))
        segments.append(extent)
        at = extent.offset + extent.nbytes
    if file.nbytes > at:
        segments.append(Literal(at, file.read_at(at, file.nbytes - at)))
    found = tuple(segments)
    check_gapless(found, file.nbytes)
    return FileLayout(name, file.nbytes, found)


def _make(
    file: SparseFile, datasets: Sequence[Dataset], group_attributes: Mapping[str, Mapping[str, str]]
) -> list[int]:
    """Write the skeleton and return the offset of every dataset, in bytes."""
    from h5py import h5d, h5f, h5fd, h5g, h5p, h5s

    create = h5p.create(h5p.FILE_CREATE)
    create.set_obj_track_times(False)
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    access.set_fileobj_driver(h5fd.fileobj_driver, file)
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
    types = {key: stored_type(*key) for key in {(d.tensor.dtype, d.opaque) for d in datasets}}
    made = []
    for dataset in datasets:
        tensor = dataset.tensor
        above, _, leaf = dataset.path.rpartition("/")
        parent = _group(groups, above, group_create)
        space = h5s.create_simple(tensor.shape) if tensor.shape else h5s.create(h5s.SCALAR)
        stored = types[tensor.dtype, dataset.opaque]
        made.append(h5d.create(parent, leaf.encode(), stored, space, dataset_create))
        _write_attributes(made[-1], dataset.attributes)
    for path, attributes in group_attributes.items():
        _write_attributes(_group(groups, path, group_create), attributes)
    offsets = [dataset.get_offset() for dataset in made]
    for dataset, offset, stored in zip(datasets, offsets, made, strict=True):
        if stored.get_storage_size() != dataset.tensor.nbytes or offset is None:
            raise AssertionError(f"HDF5 did not reserve {dataset.tensor.nbytes} bytes for {dataset.path}")
    made.clear()
    groups.clear()
    handle.close()
    return offsets


def _group(groups: dict[str, Any], name: str, create: Any) -> Any:  # noqa: ANN401 - h5py has no types
    from h5py import h5g

    if name not in groups:
        above, _, leaf = name.rpartition("/")
        parent = _group(groups, above, create)
        groups[name] = h5g.create(parent, leaf.encode(), gcpl=create)
    return groups[name]


def _write_attributes(item: Any, attributes: Mapping[str, str]) -> None:  # noqa: ANN401
    from h5py import AttributeManager

    for name, text in attributes.items():
        # Of variable length, which alone h5py reads back as str: Keras compares with one.
        AttributeManager(_Holder(item))[name] = text


class _Holder:
    """What `AttributeManager` wants of a high-level object: its identifier."""

    def __init__(self, item: Any) -> None:  # noqa: ANN401
        self.id = item


def stored_type(dtype: str, opaque: bool = False) -> Any:  # noqa: ANN401
    """The HDF5 type of a dtype: the narrow floats are floating-point types of their own bit layout."""
    from h5py import h5t

    if opaque:
        made = h5t.create(h5t.OPAQUE, DTYPES[dtype].itemsize)
        made.set_tag(b"")
        return made
    if dtype not in FLOAT_LAYOUTS:
        return h5t.py_create(DTYPES[dtype].numpy(), logical=True)
    size, sign, exponent, exponent_bits, mantissa_bits, bias = FLOAT_LAYOUTS[dtype]
    made = h5t.IEEE_F32LE.copy()
    made.set_fields(sign, exponent, exponent_bits, 0, mantissa_bits)
    made.set_ebias(bias)
    made.set_precision(8 * size)
    made.set_size(size)
    return made
