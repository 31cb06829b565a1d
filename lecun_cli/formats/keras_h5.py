"""Keras weight files (`model.weights.h5`), which `model.load_weights` of Keras 3 reads.

They follow the rules of H5IOStore (keras/src/saving/saving_lib.py): a layer's variables are the datasets
`0`, `1`, ... of the group `<path>/vars`; a path consists of the *classes* of layers in snake case, numbered
in each container; the layers of a nested model are in its group `layers`. The layers come in the order of
the spec, which must be the order of `model.layers`.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from lecun_cli.errors import Diagnostic, LecunInitError
from lecun_cli.formats import hdf5, skeleton
from lecun_cli.formats.skeleton import Dataset
from lecun_cli.layers import LAYER_TYPES

if TYPE_CHECKING:
    from pathlib import Path

    from lecun_cli.formats.segments import FileLayout
    from lecun_cli.formats.stored_tensor import StoredTensor
    from lecun_cli.plan.types import Plan, PlannedLayer


def layout(plan: Plan) -> FileLayout:
    """Return the layout of a Keras weight file.

    Raises:
        PlanError: The plan is for another framework, or has a layer that is not a class of Keras.
    """
    _check_framework(plan)
    diagnostics = [
        Diagnostic(
            f"{layer.layer_type} is not a layer of Keras, so a Keras weight file cannot store it",
            layer.span,
            _INSTEAD,
        )
        for layer in plan.layers
        if not LAYER_TYPES[layer.layer_type].is_keras_class
    ]
    if diagnostics:
        raise plan.error(*diagnostics)
    stored_paths = _stored_paths(plan)
    datasets = []
    for tensor in plan.tensors:
        path, _ = stored_paths[tensor.name]
        bfloat16 = tensor.dtype == "bfloat16"
        datasets.append(Dataset(path, tensor, bfloat16, {"dtype": "bfloat16"} if bfloat16 else {}))
    names = {
        path.rpartition("/")[0]: {"name": layer.name.replace("/", "_")}
        for path, layer in stored_paths.values()
    }
    return skeleton.layout("keras", datasets, names)


_INSTEAD = "write .h5 or .safetensors"


def stored_names(plan: Plan) -> dict[str, str]:
    """Return the path of each tensor's dataset in the Keras weight file of a plan.

    Tensors of layers that are not a class of Keras are left out.

    Args:
        plan: A plan for Keras.

    Returns:
        Paths such as `layers/dense_1/vars/0`, by the tensors' names.

    Raises:
        PlanError: The plan is for another framework.
    """
    _check_framework(plan)
    return {name: path for name, (path, _) in _stored_paths(plan).items()}


def _check_framework(plan: Plan) -> None:
    if plan.framework != "keras":
        raise plan.error(
            Diagnostic(
                f"framework of a Keras weight file: expected keras, got {plan.framework}",
                help="give --framework keras",
            )
        )


def _stored_paths(plan: Plan) -> dict[str, tuple[str, PlannedLayer]]:
    """Return the dataset path and the layer of each tensor, by the tensor's name."""
    paths = _Paths()
    return {
        name: (path, layer)
        for layer in plan.layers
        if LAYER_TYPES[layer.layer_type].is_keras_class
        for name, path in paths.variables(layer)
    }


class _Paths:
    """Finds the path of every variable; classes are numbered in each container, in layer order."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = {}
        self._containers: dict[tuple[str, ...], str] = {(): ""}

    def variables(self, layer: PlannedLayer) -> list[tuple[str, str]]:
        """Return (name of the tensor, path) for each tensor of a layer."""
        above = ""
        for container in layer.parents:
            if container.path not in self._containers:
                self._containers[container.path] = self._next(above, container.model)
            above = self._containers[container.path]
        path = self._next(above, layer.layer_type)
        paths = []
        counts: Counter[str] = Counter()
        attributes = LAYER_TYPES[layer.layer_type].keras_attributes
        for leaf, name in layer.tensors:
            *inner, _ = leaf.split("/")
            for part in inner:
                if part not in attributes:
                    raise LecunInitError(
                        f"Keras weight files do not support the inner layer {part} of {layer.layer_type} yet",
                        help=_INSTEAD,
                    )
            group = "/".join((path, *(attributes[part] for part in inner), "vars"))
            paths.append((name, f"{group}/{counts[group]}"))
            counts[group] += 1
        return paths

    def _next(self, above: str, layer_type: str) -> str:
        inside = f"{above}/layers" if above else "layers"
        count = self._counts.setdefault(inside, Counter())
        name = f"{layer_type}_{count[layer_type]}" if count[layer_type] else layer_type
        count[layer_type] += 1
        return f"{inside}/{name}"


def read(path: Path) -> tuple[StoredTensor, ...]:
    """Return the datasets of a Keras weight file, by offset.

    Raises:
        WeightFileError: The file cannot be read or is not a valid HDF5 file.
    """
    return tuple(
        replace(tensor, dtype="bfloat16") if tensor.dtype == "|V2" else tensor for tensor in hdf5.read(path)
    )
