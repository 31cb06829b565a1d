"""Layer types of Keras classes: one row per class, which reads the config and the shape of the input."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lecun_cli.derive.described_model import Fields
from lecun_cli.derive.layer_fields import (
    bidirectional_fields,
    compact_features,
    compact_sizes,
    with_bias,
)
from lecun_cli.display.text import quote
from lecun_cli.errors import DeriveError

Shapes = dict[str, tuple[int | None, ...]]


@dataclass(frozen=True)
class KerasLayer:
    """A layer in a config of Keras.

    Attributes:
        name: Full name.
        class_name: Name of Keras's class.
        config: Config of the layer.
        shapes: Shapes of its inputs: `input_shape`, or `query_shape` and similar keys.
        source: Name of the config for messages.
    """

    name: str
    class_name: str
    config: dict[str, Any]
    shapes: Shapes
    source: str

    def error(self, message: str, help: str | None = None) -> DeriveError:
        """Return an error about this layer."""
        return DeriveError(
            f"layer {quote(self.name)} ({self.class_name}) of {self.source}: {message}", help=help
        )

    def size(self, key: str, default: int | None = None) -> int:
        """Return a positive integer of the config.

        Raises:
            DeriveError: It is missing or something else.
        """
        value = self.config.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.error(f"{key}: expected a positive integer, got {quote(value)}")
        return value

    def sizes(self, key: str, rank: int, default: int | None = None) -> tuple[int, ...]:
        """Return sizes of the config, one for each axis.

        Raises:
            DeriveError: They are missing or something else.
        """
        value = self.config.get(key, default)
        values = [value] * rank if isinstance(value, int) else value
        if not isinstance(values, list) or len(values) != rank or not all(_is_size(v) for v in values):
            raise self.error(f"{key}: expected {rank} positive integers, got {quote(value)}")
        return tuple(values)

    def flag(self, key: str, default: bool) -> bool:
        """Return a boolean of the config.

        Raises:
            DeriveError: It is something else.
        """
        value = self.config.get(key, default)
        if not isinstance(value, bool):
            raise self.error(f"{key}: expected true or false, got {quote(value)}")
        return value

    def shape(self, key: str = "input_shape") -> tuple[int | None, ...]:
        """Return the shape of an input.

        Raises:
            DeriveError: The layer was never built.
        """
        shape = self.shapes.get(key)
        if shape is None:
            raise self.error(
                "it was never built, so the config does not state the shape of its input",
                "save the model after model.build(input_shape), or begin it with a keras.Input",
            )
        return shape

    def axis(self, axis: int, key: str = "input_shape") -> int:
        """Return the size of one axis of an input.

        Raises:
            DeriveError: The axis does not exist or has no fixed size.
        """
        shape = self.shape(key)
        size = shape[axis] if -len(shape) <= axis < len(shape) else None
        if not _is_size(size):
            raise self.error(f"axis {axis} of its input {list(shape)} has no fixed size")
        return int(size or 0)

    def channels(self) -> int:
        """Return the number of input channels of a convolution."""
        return self.axis(1 if self.config.get("data_format") == "channels_first" else -1)


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


@dataclass(frozen=True)
class LayerSpec:
    """A layer as a spec describes it, without its name.

    Attributes:
        layer_type: A key of `LAYER_TYPES`.
        fields: Keys and values.
        initializer_keys: Keys of the initializers, which are the same in the config and in the spec.
    """

    layer_type: str
    fields: Fields
    initializer_keys: tuple[str, ...] = ("kernel_initializer", "bias_initializer")


def _dense(layer: KerasLayer) -> LayerSpec:
    fields: Fields = (("in_features", layer.axis(-1)), ("out_features", layer.size("units")))
    return LayerSpec("dense", with_bias(fields, layer.flag("use_bias", True)))


def _conv(rank: int) -> Callable[[KerasLayer], LayerSpec]:
    def read(layer: KerasLayer) -> LayerSpec:
        groups = layer.size("groups", 1)
        fields: Fields = (
            ("in_channels", layer.channels()),
            ("out_channels", layer.size("filters")),
            ("kernel_size", compact_sizes(layer.sizes("kernel_size", rank))),
            *((("groups", groups),) if groups > 1 else ()),
        )
        return LayerSpec(f"conv{rank}d", with_bias(fields, layer.flag("use_bias", True)))

    return read


def _conv_transpose(rank: int) -> Callable[[KerasLayer], LayerSpec]:
    def read(layer: KerasLayer) -> LayerSpec:
        stride = compact_sizes(layer.sizes("strides", rank, 1))
        fields: Fields = (
            ("in_channels", layer.channels()),
            ("out_channels", layer.size("filters")),
            ("kernel_size", compact_sizes(layer.sizes("kernel_size", rank))),
            *((("stride", stride),) if stride != 1 else ()),
        )
        return LayerSpec(f"conv{rank}d_transpose", with_bias(fields, layer.flag("use_bias", True)))

    return read


def _depthwise(rank: int, *, separable: bool) -> Callable[[KerasLayer], LayerSpec]:
    def read(layer: KerasLayer) -> LayerSpec:
        multiplier = layer.size("depth_multiplier", 1)
        fields: Fields = (
            ("in_channels", layer.channels()),
            *((("out_channels", layer.size("filters")),) if separable else ()),
            ("kernel_size", compact_sizes(layer.sizes("kernel_size", rank))),
            *((("depth_multiplier", multiplier),) if multiplier > 1 else ()),
        )
        initializer_keys = ("depthwise_initializer", *(("pointwise_initializer",) if separable else ()))
        layer_type = f"{'separable' if separable else 'depthwise'}_conv{rank}d"
        return LayerSpec(
            layer_type,
            with_bias(fields, layer.flag("use_bias", True)),
            (*initializer_keys, "bias_initializer"),
        )

    return read


def _embedding(layer: KerasLayer) -> LayerSpec:
    fields: Fields = (
        ("num_embeddings", layer.size("input_dim")),
        ("embedding_dim", layer.size("output_dim")),
    )
    return LayerSpec("embedding", fields, ("embeddings_initializer",))


_RECURRENT_INITIALIZERS = ("kernel_initializer", "recurrent_initializer", "bias_initializer")


def _recurrent(layer_type: str) -> Callable[[KerasLayer], LayerSpec]:
    def read(layer: KerasLayer) -> LayerSpec:
        bias = layer.flag("use_bias", True)
        fields: Fields = (("input_size", layer.axis(-1)), ("hidden_size", layer.size("units")))
        fields = with_bias(fields, bias)
        if layer_type == "gru" and not layer.flag("reset_after", True):
            fields = (*fields, ("reset_after", False))
        if layer_type == "lstm" and bias and layer.flag("unit_forget_bias", True):
            fields = (*fields, ("unit_forget_bias", True))
        return LayerSpec(layer_type, fields, _RECURRENT_INITIALIZERS)

    return read


def bidirectional(layer: KerasLayer, inner: LayerSpec) -> LayerSpec:
    """Return the bidirectional layer around a recurrent layer."""
    return LayerSpec("bidirectional", bidirectional_fields(inner.layer_type, inner.fields), ())


def _normalized(layer: KerasLayer) -> Fields:
    axis = layer.config.get("axis", -1)
    axes = axis if isinstance(axis, list) else [axis]
    if not axes or not all(isinstance(a, int) and not isinstance(a, bool) for a in axes):
        raise layer.error(f"axis: expected one or several integers, got {quote(axis)}")
    return (("features", compact_features(tuple(layer.axis(a) for a in axes))),)


def _affine(layer: KerasLayer) -> Fields:
    return tuple((key, False) for key in ("scale", "center") if not layer.flag(key, True))


_AFFINE_INITIALIZERS = ("gamma_initializer", "beta_initializer")


def _layer_normalization(layer: KerasLayer) -> LayerSpec:
    fields = (*_normalized(layer), *_affine(layer))
    if layer.flag("rms_scaling", False):  # has a gamma and never a beta
        fields = (*_normalized(layer), ("center", False))
    return LayerSpec("layer_normalization", fields, _AFFINE_INITIALIZERS)


def _batch_normalization(layer: KerasLayer) -> LayerSpec:
    if layer.flag("renorm", False):
        raise layer.error("batch renormalization is not supported")
    moving = ("moving_mean_initializer", "moving_variance_initializer")
    return LayerSpec(
        "batch_normalization", (*_normalized(layer), *_affine(layer)), (*_AFFINE_INITIALIZERS, *moving)
    )


def _group_normalization(layer: KerasLayer) -> LayerSpec:
    groups = layer.config.get("groups", 32)
    features = layer.axis(
        layer.config.get("axis", -1) if isinstance(layer.config.get("axis", -1), int) else -1
    )
    groups = features if groups == -1 else layer.size("groups", 32)
    fields: Fields = (("features", features), *((("groups", groups),) if groups != 32 else ()))
    return LayerSpec("group_normalization", (*fields, *_affine(layer)), _AFFINE_INITIALIZERS)


def _rms_normalization(layer: KerasLayer) -> LayerSpec:
    return LayerSpec("rms_normalization", _normalized(layer), ("scale_initializer",))


def _p_re_lu(layer: KerasLayer) -> LayerSpec:
    shared = layer.config.get("shared_axes") or []
    if not isinstance(shared, list):
        raise layer.error(f"shared_axes: expected a list of axes, got {quote(shared)}")
    rank = len(layer.shape())
    shape = tuple(1 if axis in shared else layer.axis(axis) for axis in range(1, rank))
    return LayerSpec("p_re_lu", (("shape", shape),), ("alpha_initializer",))


def _multi_head_attention(layer: KerasLayer) -> LayerSpec:
    heads, head = layer.size("num_heads"), layer.size("key_dim")
    embed = layer.axis(-1, "query_shape")
    for key, plain in (("value_dim", head), ("output_shape", None), ("use_gate", False)):
        if layer.config.get(key) not in {None, False, plain} and layer.config.get(key) != [embed]:
            raise layer.error(
                f"multi_head_attention does not support {key}, got {quote(layer.config[key])}",
                "derive from package.module:callable or from a weight file, which gives raw tensors",
            )
    value = layer.axis(-1, "value_shape")
    key_width = layer.axis(-1, "key_shape") if layer.shapes.get("key_shape") else value
    fields: Fields = (
        ("embed_dim", embed),
        ("num_heads", heads),
        *((("head_dim", head),) if heads * head != embed else ()),
        *((("kdim", key_width),) if key_width != embed else ()),
        *((("vdim", value),) if value != embed else ()),
    )
    return LayerSpec("multi_head_attention", with_bias(fields, layer.flag("use_bias", True)))


def _grouped_query_attention(layer: KerasLayer) -> LayerSpec:
    heads, head = layer.size("num_query_heads"), layer.size("head_dim")
    embed = layer.axis(-1, "query_shape")
    fields: Fields = (
        ("embed_dim", embed),
        ("num_heads", heads),
        ("num_kv_heads", layer.size("num_key_value_heads")),
        *((("head_dim", head),) if heads * head != embed else ()),
    )
    return LayerSpec("grouped_query_attention", with_bias(fields, layer.flag("use_bias", True)))


_KERNEL = ("kernel", "bias")
_SEPARABLE = ("depthwise_kernel", "pointwise_kernel", "bias")
_CELL = ("kernel", "recurrent_kernel", "bias")
_AFFINE = ("gamma", "beta")


@dataclass(frozen=True)
class KerasClass:
    """A class of Keras that a layer type describes.

    Attributes:
        describe: Function that turns a layer of a config into fields.
        variables: Names of its variables in the order of a `.weights.h5` file; empty if they are all
            in layers inside it. A recurrent layer has them in its cell.
    """

    describe: Callable[[KerasLayer], LayerSpec]
    variables: tuple[str, ...]


CLASSES: dict[str, KerasClass] = {
    "Dense": KerasClass(_dense, _KERNEL),
    "Conv1D": KerasClass(_conv(1), _KERNEL),
    "Conv2D": KerasClass(_conv(2), _KERNEL),
    "Conv3D": KerasClass(_conv(3), _KERNEL),
    "Conv1DTranspose": KerasClass(_conv_transpose(1), _KERNEL),
    "Conv2DTranspose": KerasClass(_conv_transpose(2), _KERNEL),
    "Conv3DTranspose": KerasClass(_conv_transpose(3), _KERNEL),
    "DepthwiseConv1D": KerasClass(_depthwise(1, separable=False), _KERNEL),
    "DepthwiseConv2D": KerasClass(_depthwise(2, separable=False), _KERNEL),
    "SeparableConv1D": KerasClass(_depthwise(1, separable=True), _SEPARABLE),
    "SeparableConv2D": KerasClass(_depthwise(2, separable=True), _SEPARABLE),
    "Embedding": KerasClass(_embedding, ("embeddings",)),
    "SimpleRNN": KerasClass(_recurrent("simple_rnn"), _CELL),
    "SimpleRNNCell": KerasClass(_recurrent("simple_rnn"), _CELL),
    "GRU": KerasClass(_recurrent("gru"), _CELL),
    "GRUCell": KerasClass(_recurrent("gru"), _CELL),
    "LSTM": KerasClass(_recurrent("lstm"), _CELL),
    "LSTMCell": KerasClass(_recurrent("lstm"), _CELL),
    "LayerNormalization": KerasClass(_layer_normalization, _AFFINE),
    "BatchNormalization": KerasClass(_batch_normalization, (*_AFFINE, "moving_mean", "moving_variance")),
    "GroupNormalization": KerasClass(_group_normalization, _AFFINE),
    "RMSNormalization": KerasClass(_rms_normalization, ("scale",)),
    "PReLU": KerasClass(_p_re_lu, ("alpha",)),
    "MultiHeadAttention": KerasClass(_multi_head_attention, ()),
    "GroupedQueryAttention": KerasClass(_grouped_query_attention, ()),
    "GroupQueryAttention": KerasClass(_grouped_query_attention, ()),
}
"""The classes that a layer type describes, by name."""


def snake_case(name: str) -> str:
    """Return a class name as Keras writes it in paths: `Conv2DTranspose` -> `conv2d_transpose`."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


VARIABLES: dict[str, tuple[str, ...]] = {
    snake_case(name): keras_class.variables
    for name, keras_class in CLASSES.items()
    if keras_class.variables and not name.endswith("Cell")  # the file names a cell by its layer
} | {"einsum_dense": _KERNEL}
"""The variables of each class in the order of a `.weights.h5` file, by its name in snake case."""

# The layers of Keras without weights. (Seeds and lookup tables do not count; weight files omit them too.)
WEIGHTLESS = frozenset(
    {
        "Activation", "ActivityRegularization", "AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D",
        "AdaptiveAveragePooling3D", "AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D",
        "Add", "AlphaDropout", "AugMix", "AutoContrast", "Average", "AveragePooling1D", "AveragePooling2D",
        "AveragePooling3D", "CategoryEncoding", "CenterCrop", "Concatenate",
        "ContrastLimitedAdaptiveHistogramEqualization", "Cropping1D", "Cropping2D", "Cropping3D", "CutMix",
        "Discretization", "Dot", "Dropout", "ELU", "Equalization", "Flatten", "GaussianDropout",
        "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D",
        "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "HashedCrossing", "Hashing",
        "Identity", "InputLayer", "IntegerLookup", "Lambda", "LeakyReLU", "Masking", "MaxNumBoundingBoxes",
        "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "Minimum", "MixUp", "Multiply",
        "Permute", "Pipeline", "RandAugment", "RandomBrightness", "RandomColorDegeneration",
        "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomElasticTransform", "RandomErasing",
        "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert",
        "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness",
        "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom", "ReLU", "RepeatVector",
        "Rescaling", "Reshape", "Resizing", "Softmax", "Solarization", "SpatialDropout1D",
        "SpatialDropout2D", "SpatialDropout3D", "StringLookup", "Subtract", "TextVectorization",
        "ThresholdedReLU", "UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D",
        "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D",
    }
)  # fmt: skip
