"""Sources for the tests of derive: sparse weight files, small Keras configs, and the tensors of a plan."""

from __future__ import annotations

import json
import math
import struct
import zipfile
from pathlib import Path
from typing import Any

from lecun_cli.dtypes import DTYPES
from lecun_cli.formats.safetensors import DTYPE_NAMES
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import Plan
from lecun_cli.spec.load import parse_spec

Tensors = dict[str, tuple[tuple[int, ...], str]]
"""(shape, dtype) of tensors by name."""


def plan_of(text: str, framework: str | None = None) -> Plan:
    """Return the plan of a spec."""
    return make_plan(parse_spec(text, framework=framework))


def tensors_of(plan: Plan) -> Tensors:
    """Return the tensors of a plan."""
    return {t.name: (t.shape, t.dtype) for t in plan.tensors}


def write_safetensors(path: Path, tensors: Tensors, metadata: dict[str, str] | None = None) -> Path:
    """Write a valid safetensors file; its data is a hole, which takes no space on the disk."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (shape, dtype) in tensors.items():
        row = DTYPES[dtype]
        nbytes = math.prod(shape) * row.itemsize
        header[name] = {"dtype": DTYPE_NAMES[dtype], "shape": shape, "data_offsets": [at, at + nbytes]}
        at += nbytes
    data = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(data)) + data)
        file.truncate(8 + len(data) + at)
    return path


def keras_layer(
    class_name: str, name: str, shape: list[int | None] | None = None, **config: object
) -> dict[str, Any]:
    """Return a layer as Keras 3 writes it; without a shape, it was never built."""
    layer: dict[str, Any] = {
        "module": "keras.layers",
        "class_name": class_name,
        "config": {"name": name, "dtype": keras_policy("float32"), **config},
        "registered_name": None,
    }
    if shape is not None:
        layer["build_config"] = {"input_shape": shape}
    return layer


def keras_policy(name: str) -> dict[str, Any]:
    """Return a dtype policy as Keras 3 writes it."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def keras_initializer(class_name: str, **config: object) -> dict[str, Any]:
    """Return an initializer as Keras 3 writes it."""
    return {
        "module": "keras.initializers",
        "class_name": class_name,
        "config": {"seed": None, **config},
        "registered_name": None,
    }


def keras_model(
    *layers: dict[str, Any], class_name: str = "Sequential", name: str = "model"
) -> dict[str, Any]:
    """Return a model as Keras 3 writes it."""
    return {
        "module": "keras",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, "layers": list(layers)},
        "registered_name": class_name,
    }


def write_keras(path: Path, config: object, **members: bytes) -> Path:
    """Write a `.keras` archive; if `config` is bytes, they become its config.json unchanged."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", text)
        for name, data in members.items():
            archive.writestr(name, data)
    return path
