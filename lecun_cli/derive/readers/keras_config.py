"""Read the config of a Keras model. Keras is not imported, and nothing in the config is executed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, DescribedModel, Fields, Group, Value
from lecun_cli.derive.layer_fields import GATES
from lecun_cli.derive.readers.keras_extras import einsum_dense, einsum_tensors, einsum_terms, raw_layer
from lecun_cli.derive.readers.keras_initializers import UnsupportedInitializerError, from_keras
from lecun_cli.derive.readers.keras_layers import (
    CLASSES,
    WEIGHTLESS,
    KerasLayer,
    LayerSpec,
    Shapes,
    bidirectional,
)
from lecun_cli.display.text import quote
from lecun_cli.errors import DeriveError
from lecun_cli.layers import LAYER_TYPES

_MODELS = frozenset({"Sequential", "Functional", "Model"})
_HELP = (
    "give package.module:callable, which builds the model, or a weight file of it: "
    "there, layers of an unknown type become raw tensors"
)


def from_config(config: dict[str, Any], source: str, *, keep_initializers: bool) -> DescribedModel:
    """Return the layers in the config of a model, in order.

    Args:
        config: The object that `model.to_json()` writes, or the `config.json` of a `.keras` archive.
        source: Name of the config for messages.
        keep_initializers: If true, kernels keep the initializers of the config.

    Raises:
        DeriveError: The model or one of its layers is of an unknown class, or a layer was never built.
    """
    reader = _Reader(source, keep_initializers)
    items = reader.model(config, "")
    if not items:
        raise DeriveError(f"the model in {source} has no layers with weights")
    return DescribedModel("keras", items, None, tuple(dict.fromkeys(reader.warnings)))


class _Reader:
    def __init__(self, source: str, keep_initializers: bool) -> None:
        self.source = source
        self.keep = keep_initializers
        self.warnings: list[str] = []

    def model(self, node: dict[str, Any], above: str) -> tuple[DerivedItem, ...]:
        """Return the items of a model."""
        name = node.get("class_name")
        config = node.get("config")
        if name not in _MODELS:
            raise DeriveError(
                f"the model in {self.source} is of the custom class {quote(name)}, "
                "so its config does not list its layers",
                help=_HELP,
            )
        layers = config.get("layers") if isinstance(config, dict) else config  # a list in old Keras
        if not isinstance(layers, list):
            raise DeriveError(f'invalid model config in {self.source}: expected a list "layers"')
        return tuple(item for layer in layers for item in self._layer(layer, above))

    def _layer(self, node: object, above: str) -> list[DerivedItem]:
        if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
            raise DeriveError(
                f"invalid layer in {self.source}: expected an object with a config, got {quote(node)}"
            )
        name, config = node.get("class_name"), node["config"]
        layer_name = config.get("name", node.get("name"))
        if not isinstance(name, str):
            raise DeriveError(f"a layer in {self.source} has no class_name")
        if str(node.get("module") or "").startswith(("keras.src.ops", "keras.ops")) or name in WEIGHTLESS:
            return []
        if not isinstance(layer_name, str) or not layer_name:
            raise DeriveError(f"a {quote(name)} layer in {self.source} has no name")
        if name in _MODELS:
            items = self.model(node, layer_name)
            fields: Fields = (("model", "sequential"),) if name == "Sequential" else ()
            return [Group(layer_name, items, fields)] if items else []
        layer = KerasLayer(layer_name, name, config, _shapes(node), self.source)
        return self._derived_items(layer)

    def _derived_items(self, layer: KerasLayer) -> list[DerivedItem]:
        name = layer.class_name
        dtype = _dtype(layer)
        if name == "TimeDistributed":
            inner = self._inner(layer, "layer", drop_axis=True)
            return [] if inner.class_name in WEIGHTLESS else self._derived_items(inner)
        if name == "Bidirectional":
            inner = self._inner(layer, "layer")
            layer_spec = self._describe(inner)
            if layer_spec.layer_type not in GATES:
                raise layer.error(f"expected a recurrent layer inside it, got {inner.class_name}", _HELP)
            backward = layer.config.get("backward_layer")
            if (
                isinstance(backward, dict)
                and self._describe(self._inner(layer, "backward_layer")) != layer_spec
            ):
                raise layer.error("its forward and backward layers differ in size", _HELP)
            both = replace(layer_spec, fields=(*layer_spec.fields, *self._initializers(inner, layer_spec)))
            return [self._derived_layer(layer, bidirectional(layer, both), dtype)]
        if name == "RNN":
            inner = replace(self._inner(layer, "cell"), name=layer.name)
            return [self._derived_layer(inner, self._describe(inner), dtype)]
        if name == "EinsumDense":
            return self._einsum_dense(layer, dtype)
        raw = raw_layer(layer)
        if raw is not None:
            return [e if e.dtype else replace(e, dtype=dtype) for e in raw]
        return [self._derived_layer(layer, self._describe(layer), dtype)]

    def _einsum_dense(self, layer: KerasLayer, dtype: str) -> list[DerivedItem]:
        terms = einsum_terms(layer)
        layer_spec = einsum_dense(terms)
        if layer_spec is not None:
            return [self._derived_layer(layer, layer_spec, dtype)]
        kernel, *bias = (replace(tensor, dtype=dtype) for tensor in einsum_tensors(layer, terms))
        initializer = self._initializer(layer, "kernel_initializer", "lecun_normal")
        kept: Fields = () if initializer is None else (("initializer", initializer),)
        return [replace(kernel, fields=(*kernel.fields, *kept)), *bias]

    def _describe(self, layer: KerasLayer) -> LayerSpec:
        keras_class = CLASSES.get(layer.class_name)
        if keras_class is None:
            raise layer.error("unknown class, so its weights are unknown", _HELP)
        return keras_class.describe(layer)

    def _inner(self, layer: KerasLayer, key: str, *, drop_axis: bool = False) -> KerasLayer:
        """Return the layer inside a wrapper, with the shape of its input."""
        node = layer.config.get(key)
        if not isinstance(node, dict) or not isinstance(node.get("config"), dict):
            raise layer.error(f"its config has no {key}")
        inner_name = node["config"].get("name")
        name = f"{layer.name}/{inner_name}" if isinstance(inner_name, str) and inner_name else layer.name
        shapes = dict(layer.shapes)
        if drop_axis and len(shapes.get("input_shape", ())) > 2:
            shapes["input_shape"] = (shapes["input_shape"][0], *shapes["input_shape"][2:])
        return KerasLayer(
            name, str(node.get("class_name")), node["config"], shapes or _shapes(node), self.source
        )

    def _derived_layer(self, layer: KerasLayer, layer_spec: LayerSpec, dtype: str) -> DerivedLayer:
        fields = layer_spec.fields
        activation = layer.config.get("activation")
        field = LAYER_TYPES[layer_spec.layer_type].model.model_fields.get("activation")
        if field is not None and isinstance(activation, str) and activation in _activations(field):
            fields = (*fields, ("activation", activation))
        return DerivedLayer(
            layer_spec.layer_type, layer.name, (*fields, *self._initializers(layer, layer_spec)), dtype=dtype
        )

    def _initializers(self, layer: KerasLayer, layer_spec: LayerSpec) -> Fields:
        """Return the layer's own initializers if they are kept, supported and not the default."""
        initializers: list[tuple[str, Value]] = []
        for key in layer_spec.initializer_keys:
            field = LAYER_TYPES[layer_spec.layer_type].model.model_fields[key]
            value = self._initializer(layer, key, field.default.name)
            if value is not None:
                initializers.append((key, value))
        return tuple(initializers)

    def _initializer(self, layer: KerasLayer, key: str, default: str) -> Value | None:
        if not self.keep:
            return None
        try:
            value = from_keras(layer.config.get(key))
        except UnsupportedInitializerError as error:
            problem = f"{key} of {quote(layer.name)} is {str(error)[:80]}, which is not supported"
            self.warnings.append(f"{problem}; {default} is used instead")
            return None
        return None if value == default else value


def _activations(field: Any) -> tuple[str, ...]:  # noqa: ANN401 - pydantic's own
    names = re.findall(r"'(\w+)'", str(field.annotation))
    return tuple(name for name in names if name != "linear")


def _dtype(layer: KerasLayer) -> str:
    """Return the dtype of a layer's variables; a mixed policy keeps them in float32."""
    policy = layer.config.get("dtype")
    if isinstance(policy, dict):
        config = policy.get("config")
        policy = config.get("name") if isinstance(config, dict) else None
    if policy is None:
        return "float32"
    if not isinstance(policy, str) or "_from_" in policy:
        raise layer.error(f"quantized layers are not supported, got the dtype policy {quote(policy)}")
    return "float32" if policy.startswith("mixed_") else policy


def _shapes(node: dict[str, Any]) -> Shapes:
    """Return the shapes of a layer's inputs, from any place where a config states them."""
    build, config = node.get("build_config"), node["config"]
    shapes: Shapes = {}
    if isinstance(build, dict):
        shapes_dict = build.get("shapes_dict")
        for key, value in (shapes_dict if isinstance(shapes_dict, dict) else build).items():
            shape = _shape(value)
            if isinstance(key, str) and shape is not None:
                shapes[key] = shape
    for value in (config.get("batch_shape"), config.get("batch_input_shape"), _connected(node)):
        shape = _shape(value)
        if shape is not None:
            shapes.setdefault("input_shape", shape)
    if "input_shape" in shapes:
        for key in ("query_shape", "value_shape"):
            shapes.setdefault(key, shapes["input_shape"])
    return shapes


def _shape(value: object) -> tuple[int | None, ...] | None:
    if not isinstance(value, list) or not value:
        return None
    if all(v is None or (isinstance(v, int) and not isinstance(v, bool)) for v in value):
        return tuple(value)
    return None


def _connected(node: dict[str, Any]) -> object:
    """Return the shape of the first tensor that a functional model feeds to a layer."""
    value: Any = node.get("inbound_nodes")
    for step in (0, "args", 0, "config", "shape"):
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and len(value) > step else None
        else:
            value = value.get(step) if isinstance(value, dict) else None
    return value
