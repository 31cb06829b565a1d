"""A Keras model's config -> layers. Keras is not imported, and nothing of the config is executed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from lecun_cli.derive.described_model import Entry, Fields, Finding, Group, Item, Value
from lecun_cli.derive.readers.keras_extras import einsum_dense, raw_layer
from lecun_cli.derive.readers.keras_initializers import NotOfferedError, from_keras
from lecun_cli.derive.readers.keras_layers import (
    ROWS,
    WEIGHTLESS,
    Described,
    KerasLayer,
    Shapes,
    bidirectional,
)
from lecun_cli.errors import DeriveError
from lecun_cli.layers import KINDS

_MODELS = frozenset({"Sequential", "Functional", "Model"})
_HELP = (
    "give package.module:callable, which builds the model, or a file of its weights: "
    "what no layer kind describes becomes raw tensors there"
)


def from_config(config: dict[str, Any], source: str, *, keep_initializers: bool) -> Finding:
    """The layers of a model's config, in its order.

    Args:
        config: What `model.to_json()` and the `config.json` of a `.keras` archive hold.
        source: What messages call it.
        keep_initializers: Whether kernels keep the initializers of the config.

    Raises:
        DeriveError: The config is of no model that is known, or its layers were never built.
    """
    reader = _Reader(source, keep_initializers)
    items = reader.model(config, "")
    if not items:
        raise DeriveError(f"the model of {source} has no layer with weights")
    return Finding("keras", items, None, tuple(dict.fromkeys(reader.warnings)))


class _Reader:
    def __init__(self, source: str, keep_initializers: bool) -> None:
        self.source = source
        self.keep = keep_initializers
        self.warnings: list[str] = []

    def model(self, node: dict[str, Any], above: str) -> tuple[Item, ...]:
        """The items of a model."""
        name = node.get("class_name")
        config = node.get("config")
        if name not in _MODELS:
            raise DeriveError(
                f"the model of {self.source} is a {str(name)[:60]!a}, a class of its author's, "
                "whose layers its config does not list",
                help=_HELP,
            )
        layers = config.get("layers") if isinstance(config, dict) else config  # a list in old Sequentials
        if not isinstance(layers, list):
            raise DeriveError(f'the config of {self.source} has no list of "layers"')
        return tuple(item for layer in layers for item in self._layer(layer, above))

    def _layer(self, node: object, above: str) -> list[Item]:
        if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
            raise DeriveError(f"a layer in the config of {self.source} is no layer: {str(node)[:60]!a}")
        name, config = node.get("class_name"), node["config"]
        own = config.get("name", node.get("name"))
        if not isinstance(name, str):
            raise DeriveError(f"a layer in the config of {self.source} has no class_name")
        if str(node.get("module") or "").startswith(("keras.src.ops", "keras.ops")) or name in WEIGHTLESS:
            return []
        if not isinstance(own, str) or not own:
            raise DeriveError(f"a {name!a} layer in the config of {self.source} has no name")
        if name in _MODELS:
            items = self.model(node, own)
            fields: Fields = (("model", "sequential"),) if name == "Sequential" else ()
            return [Group(own, items, fields)] if items else []
        layer = KerasLayer(own, name, config, _shapes(node), self.source)
        return self._entries(layer)

    def _entries(self, layer: KerasLayer) -> list[Item]:
        name = layer.class_name
        dtype = _dtype(layer)
        if name == "TimeDistributed":
            inner = self._inner(layer, "layer", drop_axis=True)
            return [] if inner.class_name in WEIGHTLESS else self._entries(inner)
        if name == "Bidirectional":
            inner = self._inner(layer, "layer")
            described = self._describe(inner)
            if described.kind not in {"lstm", "gru", "simple_rnn"}:
                raise layer.fault(f"it runs a {inner.class_name}, which is no recurrent layer", _HELP)
            backward = layer.config.get("backward_layer")
            if (
                isinstance(backward, dict)
                and self._describe(self._inner(layer, "backward_layer")) != described
            ):
                raise layer.fault("its two ways have layers of different sizes", _HELP)
            both = replace(described, fields=(*described.fields, *self._initializers(inner, described)))
            return [self._entry(layer, bidirectional(layer, both), dtype)]
        if name == "RNN":
            inner = replace(self._inner(layer, "cell"), name=layer.name)
            return [self._entry(inner, self._describe(inner), dtype)]
        if name == "EinsumDense":
            kernel, *bias = (replace(e, dtype=dtype) for e in einsum_dense(layer))
            own = self._initializer(layer, "kernel_initializer", "lecun_normal")
            kept: Fields = () if own is None else (("initializer", own),)
            return [replace(kernel, fields=(*kernel.fields, *kept)), *bias]
        raw = raw_layer(layer)
        if raw is not None:
            return [e if e.dtype else replace(e, dtype=dtype) for e in raw]
        return [self._entry(layer, self._describe(layer), dtype)]

    def _describe(self, layer: KerasLayer) -> Described:
        row = ROWS.get(layer.class_name)
        if row is None:
            raise layer.fault("its class is none that is known here, so its weights are not either", _HELP)
        return row(layer)

    def _inner(self, layer: KerasLayer, key: str, *, drop_axis: bool = False) -> KerasLayer:
        """The layer that a wrapper holds, with the shape of its input."""
        node = layer.config.get(key)
        if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
            raise layer.fault(f"its config has no {key}")
        own = node["config"].get("name")
        name = f"{layer.name}/{own}" if isinstance(own, str) and own else layer.name
        shapes = dict(layer.shapes)
        if drop_axis and len(shapes.get("input_shape", ())) > 2:
            shapes["input_shape"] = (shapes["input_shape"][0], *shapes["input_shape"][2:])
        return KerasLayer(
            name, str(node.get("class_name")), node["config"], shapes or _shapes(node), self.source
        )

    def _entry(self, layer: KerasLayer, described: Described, dtype: str) -> Entry:
        fields = described.fields
        activation = layer.config.get("activation")
        known = KINDS[described.kind].model_fields.get("activation")
        if known is not None and isinstance(activation, str) and activation in _activations(known):
            fields = (*fields, ("activation", activation))
        return Entry(
            described.kind, layer.name, (*fields, *self._initializers(layer, described)), dtype=dtype
        )

    def _initializers(self, layer: KerasLayer, described: Described) -> Fields:
        """The layer's own initializers, where they are kept, offered, and not what the kind has anyway."""
        found: list[tuple[str, Value]] = []
        for role in described.roles:
            known = KINDS[described.kind].model_fields[role]
            value = self._initializer(layer, role, known.default.name)
            if value is not None:
                found.append((role, value))
        return tuple(found)

    def _initializer(self, layer: KerasLayer, role: str, default: str) -> Value | None:
        if not self.keep:
            return None
        try:
            value = from_keras(layer.config.get(role))
        except NotOfferedError as error:
            said = f"{role} of {layer.name!a} is {str(error)[:80]}, which is not offered"
            self.warnings.append(f"{said}; it has {default} now")
            return None
        return None if value == default else value


def _activations(field: Any) -> tuple[str, ...]:  # noqa: ANN401 - pydantic's own
    names = re.findall(r"'(\w+)'", str(field.annotation))
    return tuple(name for name in names if name != "linear")


def _dtype(layer: KerasLayer) -> str:
    """The dtype of a layer's variables: a mixed policy keeps them in float32."""
    found = layer.config.get("dtype")
    if isinstance(found, dict):
        config = found.get("config")
        found = config.get("name") if isinstance(config, dict) else None
    if found is None:
        return "float32"
    if not isinstance(found, str) or "_from_" in found:
        raise layer.fault(
            f"its dtype policy is {str(found)[:60]!a}, and quantised weights are no initial weights"
        )
    return "float32" if found.startswith("mixed_") else found


def _shapes(node: dict[str, Any]) -> Shapes:
    """The shapes of a layer's inputs, from wherever the config says them."""
    build, config = node.get("build_config"), node["config"]
    found: Shapes = {}
    if isinstance(build, dict):
        given = build.get("shapes_dict")
        for key, value in (given if isinstance(given, dict) else build).items():
            shape = _shape(value)
            if isinstance(key, str) and shape is not None:
                found[key] = shape
    for value in (config.get("batch_shape"), config.get("batch_input_shape"), _connected(node)):
        shape = _shape(value)
        if shape is not None:
            found.setdefault("input_shape", shape)
    if "input_shape" in found:
        for key in ("query_shape", "value_shape"):
            found.setdefault(key, found["input_shape"])
    return found


def _shape(value: object) -> tuple[int | None, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    if all(v is None or (isinstance(v, int) and not isinstance(v, bool)) for v in value):
        return tuple(value)
    return None


def _connected(node: dict[str, Any]) -> object:
    """The shape of the first tensor that a functional model feeds to a layer."""
    value: Any = node.get("inbound_nodes")
    for step in (0, "args", 0, "config", "shape"):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
