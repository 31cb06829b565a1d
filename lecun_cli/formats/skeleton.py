"""The skeleton of an HDF5 file: h5py creates the file in memory, without the data of its datasets.

Early allocation fixes every offset, the fill time "never" leaves the data unwritten, and without
timestamps and with a fixed library version, two skeletons are equal byte for byte. Everything between the
datasets becomes literal segments.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import OutputError
from lecun_cli.formats.segments import Extent, FileLayout, Literal, Segment, check_gapless
from lecun_cli.formats.sparse import SparseFile
from lecun_cli.signals import Hold, hold_signals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lecun_cli.plan.types import TensorPlan

_MAX_CHECKED = 1000
"""Number of datasets that are read back as a check, spread over the file: reading is as slow as writing."""

_ALIGNMENT = (512, 64)
"""(threshold, alignment): datasets of 512 bytes and more start at a multiple of 64."""

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
        path: Path of the dataset, without a leading slash.
        tensor: The tensor that fills it.
        opaque: If true, the type is opaque bytes, as h5py stores dtypes that NumPy lacks.
        attributes: HDF5 attributes of the dataset.
    """

    path: str
    tensor: TensorPlan
    opaque: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def layout(
    name: str, datasets: Sequence[Dataset], group_attributes: Mapping[str, Mapping[str, str]] | None = None
) -> FileLayout:
    """Return the layout of an HDF5 file.

    Args:
        name: The format, a key of `FORMATS`.
        datasets: The datasets, in the order in which they are allocated. Slashes in a path make groups.
        group_attributes: HDF5 attributes of groups, by the path of the group.

    Raises:
        OutputError: HDF5 cannot create the file, or the file differs from what was requested.
    """
    file = SparseFile()
    # h5py calls the methods of `file` from C and may swallow an exception there, so no signal may raise one.
    with hold_signals() as hold:
        try:
            offsets = _make(file, datasets, group_attributes or {}, hold)
            _check(file, datasets, offsets, hold)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise OutputError(
                f"the structure of an HDF5 file of {len(datasets)} datasets could not be created: {error}",
                help="write safetensors, or report this as a bug",
            ) from error
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
    complete = tuple(segments)
    check_gapless(complete, file.nbytes)
    return FileLayout(name, file.nbytes, complete)


def _make(
    file: SparseFile,
    datasets: Sequence[Dataset],
    group_attributes: Mapping[str, Mapping[str, str]],
    hold: Hold,
) -> list[int]:
    """Create the skeleton, and return the offset of every dataset in bytes."""
    from h5py import h5d, h5f, h5g, h5p, h5s

    create = h5p.create(h5p.FILE_CREATE)
    create.set_obj_track_times(False)
    access = _access(file)
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
    created = []
    try:
        for dataset in datasets:
            hold.check()
            tensor = dataset.tensor
            above, _, leaf = dataset.path.rpartition("/")
            parent = _group(groups, above, group_create)
            space = h5s.create_simple(tensor.shape) if tensor.shape else h5s.create(h5s.SCALAR)
            stored = types[tensor.dtype, dataset.opaque]
            created.append(h5d.create(parent, leaf.encode(), stored, space, dataset_create))
            _write_attributes(created[-1], dataset.attributes)
        for path, attributes in group_attributes.items():
            hold.check()
            _write_attributes(_group(groups, path, group_create), attributes)
        offsets = [dataset.get_offset() for dataset in created]
    finally:  # h5py writes to the file when it closes it, which must happen here and not later
        created.clear()
        groups.clear()
        handle.close()
    return offsets


def _access(file: SparseFile) -> Any:  # noqa: ANN401 - h5py has no types
    """Return the property list with which HDF5 reads and writes a Python file object."""
    from h5py import h5f, h5fd, h5p

    access = h5p.create(h5p.FILE_ACCESS)
    access.set_libver_bounds(h5f.LIBVER_V18, h5f.LIBVER_V18)
    access.set_fileobj_driver(h5fd.fileobj_driver, file)
    access.set_alignment(*_ALIGNMENT)
    return access


def _check(file: SparseFile, datasets: Sequence[Dataset], offsets: Sequence[int | None], hold: Hold) -> None:
    """Check that no call of the file object failed, and read datasets back: shape, type and offset.

    Raises:
        ValueError: The skeleton differs from what was requested.
    """
    from h5py import h5d, h5f

    if file.error is not None:
        raise ValueError(f"{type(file.error).__name__}: {file.error}") from file.error
    if None in offsets:
        raise ValueError("a dataset has no offset")
    step = max(1, len(datasets) // _MAX_CHECKED)
    types = {key: stored_type(*key) for key in {(d.tensor.dtype, d.opaque) for d in datasets}}
    handle = h5f.open(b"skeleton", h5f.ACC_RDONLY, _access(file))
    try:
        for dataset, offset in zip(datasets[::step], offsets[::step], strict=True):
            hold.check()
            tensor = dataset.tensor
            stored = h5d.open(handle, dataset.path.encode())
            seen = (stored.get_offset(), stored.get_storage_size(), stored.shape)
            if seen != (offset, tensor.nbytes, tensor.shape):
                raise ValueError(f"{dataset.path} is not where it was created")
            if not stored.get_type().equal(types[tensor.dtype, dataset.opaque]):
                raise ValueError(f"{dataset.path} does not have the type of {tensor.dtype}")
    finally:
        handle.close()


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
        # A string of variable length: only those come back from h5py as str, which Keras expects.
        AttributeManager(_Holder(item))[name] = text


class _Holder:
    """Replaces a high-level object, of which `AttributeManager` needs the identifier only."""

    def __init__(self, item: Any) -> None:  # noqa: ANN401
        self.id = item


def stored_type(dtype: str, opaque: bool = False) -> Any:  # noqa: ANN401
    """Return the HDF5 type of a dtype; narrow floats become floating-point types with their bit layout.

    Args:
        dtype: A key of `DTYPES`.
        opaque: If true, return an opaque type of the same size.
    """
    from h5py import h5t

    if opaque:
        hdf5_type = h5t.create(h5t.OPAQUE, DTYPES[dtype].itemsize)
        hdf5_type.set_tag(b"")
        return hdf5_type
    if dtype not in FLOAT_LAYOUTS:
        return h5t.py_create(DTYPES[dtype].numpy(), logical=True)
    size, sign, exponent, exponent_bits, mantissa_bits, bias = FLOAT_LAYOUTS[dtype]
    hdf5_type = h5t.IEEE_F32LE.copy()
    hdf5_type.set_fields(sign, exponent, exponent_bits, 0, mantissa_bits)
    hdf5_type.set_ebias(bias)
    hdf5_type.set_precision(8 * size)
    hdf5_type.set_size(size)
    return hdf5_type
