"""Models as users write them, which the tests of frameworks pass as `package.module:callable`."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def imported(name: str) -> Any:
    """Import a module of a framework as `Any`, because not all of them have types."""
    return import_module(name)


def transformer() -> Any:
    from torch import nn

    return nn.Transformer(64, 4, 3, 3, 128, batch_first=True)


def lstm() -> Any:
    from torch import nn

    return nn.ModuleDict({"rnn": nn.LSTM(8, 16, 2, bidirectional=True), "head": nn.Linear(32, 5)})


def odds_and_ends() -> Any:
    """Return other torch modules: some known only by their class, some without a layer type."""
    import torch
    from torch import nn

    module = nn.Module()
    module.up = nn.ConvTranspose2d(8, 4, 3, stride=2, groups=2)
    module.depthwise = nn.Conv2d(8, 16, 3, groups=8)
    module.words = nn.Embedding(10, 6)
    module.head = nn.Linear(6, 10, bias=False)
    module.head.weight = module.words.weight
    module.bilinear = nn.Bilinear(2, 3, 4)
    module.slope = nn.PReLU(3)
    module.norms = nn.Sequential(
        nn.BatchNorm2d(3),
        nn.BatchNorm1d(3, affine=False),
        nn.GroupNorm(2, 4),
        nn.LayerNorm((2, 3)),
        nn.LayerNorm(4, bias=False),
        nn.RMSNorm(4),
        nn.SyncBatchNorm(4),
        nn.InstanceNorm2d(4, affine=True, track_running_stats=True),
    )
    module.free = nn.Parameter(torch.ones(7, 5))
    module.normed = nn.utils.parametrizations.weight_norm(nn.Linear(3, 4))
    module.narrow = nn.Linear(3, 5).half()
    module.mixed = nn.Linear(3, 5)
    module.mixed.bias = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    module.cell = nn.LSTMCell(3, 4)
    module.projected = nn.LSTM(4, 6, proj_size=3)
    module.gru = nn.GRU(4, 5, bias=False)
    module.attention = nn.MultiheadAttention(8, 2, kdim=4, vdim=6, add_bias_kv=True)
    module.bag = nn.EmbeddingBag(5, 3)
    module.register_buffer("mask", torch.ones(3, 3, dtype=torch.bool))
    return module


def lazy() -> Any:
    from torch import nn

    return nn.LazyLinear(3)


def flax_attention() -> Any:
    jax, nn = imported("jax"), imported("flax.linen")

    class Block(nn.Module):  # type: ignore[misc, name-defined]
        @nn.compact  # type: ignore[untyped-decorator]
        def __call__(self, x: Any) -> Any:
            x = x + nn.MultiHeadDotProductAttention(num_heads=4)(nn.LayerNorm()(x))
            return x + nn.Dense(16)(nn.gelu(nn.Dense(32)(nn.LayerNorm()(x))))

    class Model(nn.Module):  # type: ignore[misc, name-defined]
        @nn.compact  # type: ignore[untyped-decorator]
        def __call__(self, words: Any) -> Any:
            x = nn.Embed(50, 16, name="embed")(words)
            for i in range(4):
                x = Block(name=f"block_{i}")(x)
            x = nn.Conv(16, (3,), feature_group_count=4, name="conv")(x)
            x = nn.ConvTranspose(8, (3,), strides=(2,), name="up")(x)
            x = nn.BatchNorm(use_running_average=True, name="bn")(x)
            x = nn.GroupNorm(4, name="gn")(nn.RMSNorm(name="rms")(x))
            x = nn.Dropout(0.5, deterministic=False)(x)
            x = nn.RNN(nn.LSTMCell(5), name="rnn")(x)
            return nn.DenseGeneral((2, 3), name="out")(x)

    return Model(), jax.ShapeDtypeStruct((1, 7), jax.numpy.int32)


def flax_without_inputs() -> Any:
    return imported("flax.linen").Dense(3)


def flax_nnx() -> Any:
    nnx = imported("flax.nnx")

    class Model(nnx.Module):  # type: ignore[misc, name-defined]
        def __init__(self, rngs: Any) -> None:
            self.hidden = nnx.Linear(3, 4, rngs=rngs)
            self.conv = nnx.Conv(3, 4, (3, 3), rngs=rngs)
            self.bn = nnx.BatchNorm(4, rngs=rngs)
            self.drop = nnx.Dropout(0.1, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 8, decode=False, rngs=rngs)

    return Model(nnx.Rngs(0))


def keras_functional() -> Any:
    """Return a functional model with most Keras layers that have weights."""
    from tests.frameworks.real import import_keras

    keras = import_keras()
    layers = keras.layers
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, groups=1, activation="relu")(image)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.Conv2DTranspose(6, 2, strides=2)(x)
    x = layers.SeparableConv2D(4, 3, depth_multiplier=2)(x)
    x = layers.GroupNormalization(2)(x)
    x = layers.PReLU(shared_axes=[1, 2])(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(10)(x + 1.0)
    x = keras.Sequential([keras.Input((10,)), layers.Dense(7), layers.Dense(10)], name="inner")(x)
    x = layers.Reshape((5, 2))(x)
    x = layers.Bidirectional(layers.LSTM(4, return_sequences=True, name="lstm"))(x)
    x = layers.GRU(6, return_sequences=True)(x)
    x = layers.GRU(6, return_sequences=True, reset_after=False)(x)
    x = layers.SimpleRNN(6, return_sequences=True, use_bias=False)(x)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    x = layers.GroupQueryAttention(3, 4, 2)(x, x)
    x = layers.LayerNormalization()(x)
    x = layers.RMSNormalization()(x)
    x = layers.TimeDistributed(layers.Dense(3))(x)
    x = layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), bias_axes="de")(x)
    x = layers.Reshape((5, 10))(x)
    return keras.Model(image, layers.Dense(4, dtype="bfloat16")(x))


def keras_subclassed() -> Any:
    from tests.frameworks.real import import_keras

    keras = import_keras()

    class Model(keras.Model):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv = keras.layers.Conv2D(3, 3)
            self.hidden = keras.layers.Dense(4)

        def call(self, x: Any) -> Any:
            return self.hidden(self.conv(x))

    model = Model()
    model(keras.ops.ones((1, 8, 8, 2)))
    return model


def keras_unbuilt() -> Any:
    from tests.frameworks.real import import_keras

    keras = import_keras()
    return keras.Sequential([keras.layers.Dense(3)])
