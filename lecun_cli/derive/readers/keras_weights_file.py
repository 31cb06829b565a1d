"""Read a `.weights.h5` file of Keras 3.

Paths such as `layers/dense/vars/0` state the class of a layer and the position of a variable; the names of
the layers are attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.derive.described_model import (
    DerivedItem,
    DerivedLayer,
    DescribedModel,
    Fields,
    Group,
    Tensor,
    layers_of,
)
from lecun_cli.derive.layer_fields import GATES, STRIDE_UNKNOWN, compact_sizes, with_bias
from lecun_cli.derive.readers.keras_layers import VARIABLES
from lecun_cli.derive.readers.weight_files import hdf5_tensors, natural
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.recognizer import recognize
from lecun_cli.display.text import quote
from lecun_cli.errors import DeriveError
from lecun_cli.signals import hold_signals

if TYPE_CHECKING:
    import h5py

_MODELS = frozenset({"functional", "sequential", "model"})

_PROJECTIONS = {"query": "query", "key": "key", "value": "value", "output": "attention_output"}


@dataclass
class _Node:
    """A group of the file.

    Attributes:
        children: Groups inside it, by name.
        variables: Tensors in its `vars` group, in order.
        name: Name of the layer, or None if the file does not state it.
    """

    children: dict[str, _Node]
    variables: list[Tensor]
    name: str | None = None

    def at(self, *path: str) -> _Node | None:
        """Return the group at a path, or None if it does not exist."""
        here: _Node | None = self
        for part in path:
            here = here.children.get(part) if here else None
        return here


def from_keras_weights(path: Path) -> DescribedModel:
    """Return the layers of a `.weights.h5` file.

    Raises:
        DeriveError: The file is not a valid HDF5 file or does not have the layout of Keras 3.
    """
    stored = hdf5_tensors(path)
    dtypes, names = _attributes(path)
    root = _Node({}, [])
    for tensor in sorted(stored, key=lambda t: natural(t.name)):
        *above, group, number = ("", "", *tensor.name.split("/"))
        parts = [part for part in above if part]
        if group != "vars" or not number.isdigit():
            raise DeriveError(
                f"{path} is not a .weights.h5 file of Keras 3: expected paths such as "
                f"layers/dense/vars/0, got {quote(tensor.name)}",
                help="if it is plain HDF5 or a file of Keras 2, give it the suffix .h5",
            )
        if parts[:1] == ["optimizer"]:
            continue
        node = root
        for part in parts:
            node = node.children.setdefault(part, _Node({}, []))
        node.variables.append(replace(tensor, dtype=dtypes.get(tensor.name, tensor.dtype)))
        node.name = names.get("/".join((*parts, "vars")))
    reader = _Reader(str(path))
    top = root.children.get("layers", root)
    items = reader.container(top, "")
    tensors = tuple(t for layer in layers_of(items) for t in layer.stored)
    check_tensors(tensors, str(path))
    remark = "A .weights.h5 file states the classes and names of layers, but not the order of the classes."
    return DescribedModel("keras", items, tensors, tuple(reader.warnings), (remark,))


def _attributes(path: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the dtype of the datasets that state one and the names of layers, both by path."""
    import h5py

    dtypes: dict[str, str] = {}
    names: dict[str, str] = {}

    def visit(name: str, item: h5py.HLObject) -> bool | None:
        # h5py calls this from C, which may swallow an exception, so a signal ends the visit instead.
        if hold.pending:
            return True
        key, texts = ("dtype", dtypes) if isinstance(item, h5py.Dataset) else ("name", names)
        value = item.attrs.get(key)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if isinstance(value, str) and value:
            texts[name] = value
        return None

    try:
        with hold_signals() as hold, h5py.File(path, "r") as file:
            file.visititems(visit)
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        raise DeriveError(f"{path} is not a valid HDF5 file: {error}") from error
    return dtypes, names


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.warnings: list[str] = []

    def container(self, node: _Node, above: str) -> tuple[DerivedItem, ...]:
        """Return the items of a model."""
        items: list[DerivedItem] = []
        for key, child in sorted(node.children.items(), key=lambda pair: natural(pair[0])):
            layer_class = _layer_class(key)
            name = child.name or key
            if layer_class in _MODELS and "layers" in child.children:
                inner = self.container(child.children["layers"], f"{above}{name}/")
                fields: Fields = (("model", "sequential"),) if layer_class == "sequential" else ()
                items.append(Group(name, inner, fields))
            else:
                items += self._layer(layer_class, name, child, above)
        return tuple(items)

    def _layer(self, layer_class: str, name: str, node: _Node, above: str) -> list[DerivedItem]:
        if layer_class == "time_distributed" and (inner := node.at("layer")) is not None:
            inner_name = inner.name or "layer"
            return self._layer(
                _layer_class(re.sub(r"_\d+\Z", "", inner_name)), f"{name}/{inner_name}", inner, above
            )
        named = self._named(layer_class, name, node)
        if named is None:
            self.warnings.append(
                f"layer {quote(name)} has the unknown class {quote(layer_class)}; "
                "its tensors become raw tensors"
            )
            tensors = [
                replace(t, name=f"{name}/{t.name.rpartition('vars/')[2]}") for t in _all_variables(node)
            ]
            layers = tuple(raw_tensor(t, "keras") for t in tensors)
        else:
            convolution = _convolution(layer_class, name, named)
            layers = recognize(named, "keras", () if convolution is None else (convolution,))
        return [replace(e, stored=tuple(replace(t, name=above + t.name) for t in e.stored)) for e in layers]

    def _named(self, layer_class: str, name: str, node: _Node) -> tuple[Tensor, ...] | None:
        """Return the variables of a layer under Keras's names, or None for an unknown class."""
        parts: list[tuple[str, str, _Node | None]] = []
        if layer_class in GATES:
            parts.append((f"{layer_class}_cell/", layer_class, node.at("cell")))
        elif layer_class == "bidirectional":
            for way in ("forward", "backward"):
                cell = node.at(f"{way}_layer", "cell")
                cell_type = _cell_type(cell)
                parts.append((f"{way}_{cell_type}/{cell_type}_cell/", cell_type, cell))
        elif layer_class in {"multi_head_attention", "grouped_query_attention"}:
            for attribute, tensor_name in _PROJECTIONS.items():
                projection = node.at(f"{attribute}_dense") or node.at(f"_{attribute}_dense")
                parts.append((f"{tensor_name}/", "dense", projection))
        else:
            parts.append(("", layer_class, node if not node.children else None))
        tensors: list[Tensor] = []
        for prefix, of, part in parts:
            param_names = None if part is None else self._param_names(of, name, len(part.variables))
            if part is None or param_names is None:
                return None
            tensors += [
                replace(t, name=f"{name}/{prefix}{param_name}")
                for t, param_name in zip(part.variables, param_names, strict=True)
            ]
        return tuple(tensors)

    def _param_names(self, layer_class: str, name: str, count: int) -> tuple[str, ...] | None:
        param_names = VARIABLES.get(layer_class)
        if param_names is None or not 1 <= count <= len(param_names):
            return None
        if layer_class == "batch_normalization":
            if count == 3:
                self.warnings.append(
                    f"layer {quote(name)} has either a gamma or a beta, and the file does not state which; "
                    "a beta is assumed"
                )
            return {4: param_names, 3: param_names[1:], 2: param_names[2:]}.get(count)
        if layer_class.startswith("separable") and count == 1:
            return None
        return param_names[:count]


def _layer_class(key: str) -> str:
    """Return the class in a part of a path: `conv2d_1` is the second `conv2d`."""
    return re.sub(r"_\d+\Z", "", key)


def _cell_type(cell: _Node | None) -> str:
    """Return the recurrent layer type of a cell by the shapes of its kernels, or "unknown"."""
    shapes = [] if cell is None else [t.shape for t in cell.variables]
    if len(shapes) < 2 or len(shapes[1]) != 2:
        return "unknown"
    gates = shapes[1][1] // max(1, shapes[1][0])
    return next((layer_type for layer_type, n in GATES.items() if n == gates), "unknown")


def _all_variables(node: _Node) -> list[Tensor]:
    """Return the variables of a layer and of all layers inside it, named by path."""
    variables = list(node.variables)
    for key, child in node.children.items():
        variables += [
            replace(t, name=f"vars/{key}/{t.name.rpartition('vars/')[2]}") for t in _all_variables(child)
        ]
    return variables


def _convolution(layer_class: str, name: str, tensors: tuple[Tensor, ...]) -> DerivedLayer | None:
    """Return a convolution by its class, since names and shapes do not distinguish convolutions."""
    match = re.match(r"(depthwise_)?conv\dd(_transpose)?\Z", layer_class)
    kernel = tensors[0].shape
    if match is None or len(kernel) < 3:
        return None
    *taps, first, second = kernel
    size = ("kernel_size", compact_sizes(tuple(taps)))
    fields: Fields
    comment = None
    if match[1]:
        fields = (("in_channels", first), size, *((("depth_multiplier", second),) if second > 1 else ()))
    elif match[2]:
        fields = (("in_channels", second), ("out_channels", first), size)
        comment = STRIDE_UNKNOWN
    else:
        fields = (("in_channels", first), ("out_channels", second), size)
    return DerivedLayer(layer_class, name, with_bias(fields, len(tensors) > 1 or None), comment)
