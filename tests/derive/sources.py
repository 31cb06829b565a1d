"""Sources to derive from: weight files of headers alone, small Keras configs, and what a spec gives."""

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

Held = dict[str, tuple[tuple[int, ...], str]]
"""Name -> (shape, dtype)."""


def plan_of(text: str, framework: str | None = None) -> Plan:
    """The plan of a spec."""
    return make_plan(parse_spec(text, framework=framework))


def held_by(plan: Plan) -> Held:
    """The tensors of a plan."""
    return {t.name: (t.shape, t.dtype) for t in plan.tensors}


def write_safetensors(path: Path, held: Held, metadata: dict[str, str] | None = None) -> Path:
    """A sound safetensors file whose data is a hole: as long as it must be, and no bytes on the disk."""
    header: dict[str, Any] = {"__metadata__": metadata} if metadata else {}
    at = 0
    for name, (shape, dtype) in held.items():
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
    """A layer as Keras 3 writes it; without a shape it was never built."""
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
    """A dtype policy as Keras 3 writes it."""
    return {"module": "keras", "class_name": "DTypePolicy", "config": {"name": name}, "registered_name": None}


def keras_initializer(class_name: str, **config: object) -> dict[str, Any]:
    """An initializer as Keras 3 writes it."""
    return {
        "module": "keras.initializers",
        "class_name": class_name,
        "config": {"seed": None, **config},
        "registered_name": None,
    }


def keras_model(
    *layers: dict[str, Any], class_name: str = "Sequential", name: str = "model"
) -> dict[str, Any]:
    """A model as Keras 3 writes it."""
    return {
        "module": "keras",
        "class_name": class_name,
        "config": {"name": name, "trainable": True, "layers": list(layers)},
        "registered_name": class_name,
    }


def write_keras(path: Path, config: object, **members: bytes) -> Path:
    """A `.keras` archive; where `config` is bytes they are the member as they are."""
    text = config if isinstance(config, bytes) else json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", "{}")
        archive.writestr("config.json", text)
        for name, data in members.items():
            archive.writestr(name, data)
    return path
