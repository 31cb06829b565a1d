"""Parameters of a layer in their canonical layout, drawn or read from a file, a box at a time."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lecun_cli.errors import UsageError, WeightFileError
from lecun_cli.formats import DEFAULT_FORMAT, FORMATS, Format
from lecun_cli.formats.checkpoint import MissingShardError, checkpoint_files, weight_format
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.family import Initializer
from lecun_cli.initializers.fans import Shape
from lecun_cli.plan.types import PackedParameter, Plan, PlannedLayer, TensorPlan
from lecun_cli.tensors.boxes import Box, full_box
from lecun_cli.tensors.generator import TensorGenerator

if TYPE_CHECKING:
    from lecun_cli.formats.stored_tensor import StoredTensor
    from lecun_cli.layers import AnyLayer
    from lecun_cli.layers.operation import Array

ReadParameter = Callable[[TensorPlan, int, Box], "Array"]
"""(tensor, index of the parameter in it, box of the canonical parameter) -> values as float32 `box.dims`."""

_MOST_UNMAPPED = 2**28
"""Maximum bytes of a chunked HDF5 dataset, which is read as a whole; other datasets are mapped."""


@dataclass(frozen=True)
class Weights:
    """The parameters of one layer (`layers.operation.LayerWeights`).

    Attributes:
        params: For each parameter that the framework stores: its tensor, and its index in the tensor.
        read_parameter: The source of the values.
    """

    params: Mapping[str, tuple[TensorPlan, int]]
    read_parameter: ReadParameter

    def __contains__(self, param_name: str) -> bool:
        return param_name in self.params

    def shape(self, param_name: str) -> Shape:
        """Return the canonical shape of a parameter."""
        tensor, k = self.params[param_name]
        return tensor.parts[k].canonical_shape

    def read(self, param_name: str, *ranges: tuple[int, int]) -> Array:
        """Return a parameter, or a box of it, as float32.

        Args:
            param_name: Its name within the layer.
            ranges: `(start, stop)` for each axis; the whole parameter if omitted.
        """
        tensor, k = self.params[param_name]
        if not ranges:
            return self.read_parameter(tensor, k, full_box(self.shape(param_name)))
        return self.read_parameter(tensor, k, Box(*zip(*ranges, strict=True)))

    def rows(self, param_name: str, start: int, stop: int) -> Array:
        """Return the rows `start .. stop` of the first axis of a parameter."""
        return self.read(param_name, (start, stop), *((0, n) for n in self.shape(param_name)[1:]))


def params_of(
    planned: PlannedLayer, layer: AnyLayer, framework: str, tensors: Mapping[str, TensorPlan]
) -> dict[str, tuple[TensorPlan, int]]:
    """Map each canonical parameter of a layer that the framework stores to (tensor, index in the tensor).

    Args:
        planned: The layer in the plan.
        layer: The same layer in the spec.
        framework: A key of `FRAMEWORKS`, that of the plan.
        tensors: The tensors of the plan by name.
    """
    if planned.layer_type == "tensor":
        return {"": (tensors[planned.tensors[0][1]], 0)}
    names = {parameter.param_name for parameter in layer.parameters()}
    slots = FRAMEWORKS[framework].slots(planned.layer_type, layer)
    packed = [
        packed_names
        for slot in slots
        if (packed_names := [param_name for param_name in slot.param_names if param_name in names])
    ]
    return {
        param_name: (tensors[name], k)
        for (_, name), packed_names in zip(planned.tensors, packed, strict=True)
        for k, param_name in enumerate(packed_names)
    }


def is_random_kernel(part: PackedParameter) -> bool:
    """Return whether another initializer can replace that of a parameter: it is random and has fans."""
    return part.initializer.is_random and part.fans is not None


def drawn(seed: int, initializer: Initializer | None = None) -> ReadParameter:
    """Return a source of values from the stream: exactly those that the file would hold.

    Args:
        seed: The seed.
        initializer: An initializer that replaces that of every random kernel. Each kernel keeps its own
            stream, so kernels of two initializers differ only in scale and distribution.
    """
    generator = TensorGenerator(seed)

    def read(tensor: TensorPlan, k: int, box: Box) -> Array:
        part = tensor.parts[k]
        if initializer is not None and is_random_kernel(part):
            part = replace(part, initializer=initializer, distribution=initializer.distribution(part.fans))
        # In the canonical layout no axis is permuted or reversed, whatever the file does with them.
        part = replace(part, shape=part.canonical_shape, axes=None, flip=())
        canonical = TensorPlan.of(tensor.name, tensor.dtype, part.shape, (part,))
        out = np.empty(box.dims, tensor.storage.numpy())
        if box == full_box(part.shape):
            generator.draw_range(canonical, 0, out.reshape(-1))
        else:
            generator.draw_box(canonical, box, out)
        return out.astype(np.float32, copy=False)

    return read


def from_file(path: Path, plan: Plan) -> ReadParameter:
    """Return a source of values from a weight file, which is mapped and not read as a whole.

    Args:
        path: A safetensors, HDF5 or Keras weight file, or an index of shards.
        plan: The tensors that it should hold.

    Raises:
        UsageError: The file does not hold all tensors of the plan, in their shapes.
        WeightFileError: The file is corrupt, or has an unknown dtype.
    """
    file_format, files = _checkpoint(path)
    stored = {
        stored_tensor.name: (stored_tensor, file)
        for file in files
        for stored_tensor in file_format.read(file)
    }
    names = file_format.stored_names(plan)
    for tensor in plan.tensors:
        _check(tensor, stored, names.get(tensor.name, tensor.name), path)
    maps = {file: np.memmap(file, np.uint8, "r") for file in files}

    def read(tensor: TensorPlan, k: int, box: Box) -> Array:
        stored_tensor, file = stored[names.get(tensor.name, tensor.name)]
        flat = _values(maps[file], stored_tensor, file)
        part = tensor.parts[k]
        if tensor.concat_axis == 0:
            first = sum(p.n_elements for p in tensor.parts[:k])
            values = flat[first : first + part.n_elements].reshape(part.shape)
        else:
            first = sum(p.shape[tensor.concat_axis] for p in tensor.parts[:k])
            last = first + part.shape[tensor.concat_axis]
            values = flat.reshape(tensor.shape)[(*(slice(None),) * tensor.concat_axis, slice(first, last))]
        axes = part.axes or tuple(range(len(part.shape)))
        canonical = np.flip(values, part.flip).transpose(np.argsort(axes))
        chosen = tuple(slice(a, b) for a, b in zip(box.starts, box.stops, strict=True))
        return np.ascontiguousarray(canonical[chosen], np.float32)

    return read


def _checkpoint(path: Path) -> tuple[Format, tuple[Path, ...]]:
    """Return the format and the files of a checkpoint."""
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    try:
        files = checkpoint_files(path)
    except MissingShardError as error:
        raise UsageError(error.message, help=error.help) from error
    file_format = weight_format(files[0]) if files else FORMATS[DEFAULT_FORMAT]
    if file_format is None:
        raise UsageError(f"{path}: unrecognized file type", help="give a safetensors or HDF5 file")
    return file_format, files


def _check(
    tensor: TensorPlan, stored: Mapping[str, tuple[StoredTensor, Path]], name: str, path: Path
) -> None:
    stored_tensor, _ = stored.get(name, (None, None))
    if stored_tensor is None:
        close = difflib.get_close_matches(name, list(stored)[:10_000], n=1)
        advice = f"did you mean {close[0]}? " if close else ""
        raise UsageError(
            f'{path} does not contain the tensor "{name}"',
            help=f"{advice}give a file of this spec, and the --framework that it was made with",
        )
    if stored_tensor.shape != tensor.shape:
        raise UsageError(
            f'shape of "{name}" in {path}: expected {list(tensor.shape)}, got {list(stored_tensor.shape)}',
            help="give the file without the spec, or the --set and --framework that it was made with",
        )


def _values(data: np.ndarray[Any, Any], tensor: StoredTensor, path: Path) -> np.ndarray[Any, Any]:
    """Return the elements of a stored tensor in one axis, in the dtype of the file."""
    from lecun_cli.dtypes import DTYPES

    if tensor.offset >= 0 and tensor.dtype in DTYPES:
        return data[tensor.offset : tensor.offset + tensor.nbytes].view(DTYPES[tensor.dtype].numpy())
    n_elements = math.prod(tensor.shape)
    if tensor.dtype in DTYPES and n_elements * DTYPES[tensor.dtype].itemsize <= _MOST_UNMAPPED:
        import h5py

        with h5py.File(path, "r") as file:
            values: np.ndarray[Any, Any] = file[tensor.name][()]
        return values.reshape(-1)
    raise WeightFileError(
        f'cannot read "{tensor.name}" in {path}: {tensor.dtype} {list(tensor.shape)}, chunked or compressed',
        help="save it as safetensors, or as HDF5 without chunks and compression",
    )
