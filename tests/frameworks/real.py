"""The layers of the frameworks themselves, one for every case, and how to call them.

Nothing here depends on the names, shapes and orders of this package. Frameworks are imported when they are
used, so that this file can be imported without them. Inputs have channels last, as in Keras and Flax.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.fans import Shape
from tests.frameworks.cases import Case

EPSILON = 1e-5


@dataclass(frozen=True)
class Real:
    """One layer in three frameworks.

    Attributes:
        inputs: Shapes of the inputs, with a batch of 2.
        keras: `keras.layers` -> the layer, named `x`; None if Keras does not have such a layer.
        torch: `torch.nn` -> the module, or several by name; None if PyTorch does not have such a module.
        flax: `flax.linen` -> the module, or several by name; None if Flax does not have such a module.
        keras_call: The layer, or the symbolic call of it, on inputs.
        torch_call: (module, `torch`, inputs) -> outputs, channels last.
        flax_call: (callables by name, inputs) -> outputs.
        integers: If given, the inputs are integers below this.
        random: Fields of the spec that make biases and the like random, so that the tests cover them.
    """

    inputs: tuple[Shape, ...]
    keras: Callable[[Any], Any] | None
    torch: Callable[[Any], Any] | None
    flax: Callable[[Any], Any] | None
    keras_call: Callable[..., Any] = lambda layer, *inputs: layer(*inputs)
    torch_call: Callable[..., Any] = lambda module, torch, *inputs: module(*inputs)
    flax_call: Callable[..., Any] = lambda layers, *inputs: layers[""](*inputs)
    integers: int | None = None
    random: str = ", bias_initializer: {name: truncated_normal, stddev: 0.5}"

    def arrays(self) -> list[Any]:
        """Return inputs, the same at every call."""
        generator = np.random.default_rng(3)
        if self.integers is not None:
            return [generator.integers(0, self.integers, shape) for shape in self.inputs]
        return [generator.standard_normal(shape).astype("f4") for shape in self.inputs]

    def frameworks(self, case: Case) -> tuple[str, ...]:
        """Return the frameworks that have such a layer and can store the case."""
        return tuple(
            name
            for name in FRAMEWORKS
            if getattr(self, name) is not None and not isinstance(case.stored(name), str)
        )

    def spec(self, case: Case) -> str:
        """Return the spec of a case, with random biases and the like."""
        if case.layer_type == "bidirectional":
            return case.spec().replace("}}", self.random + "}}")
        return case.spec(self.random)


def import_keras() -> Any:
    """Import Keras with the NumPy backend."""
    os.environ.setdefault("KERAS_BACKEND", "numpy")  # read when keras is first imported
    import keras

    return keras


def import_flax() -> Any:
    """Import Flax linen."""
    import flax.linen

    return flax.linen


def keras_model(layers: Any, inputs: list[Any]) -> Any:
    """Return a functional model.

    Args:
        layers: Symbolic inputs -> symbolic output.
        inputs: What it will be fed.
    """
    keras = import_keras()
    symbols = [keras.Input(x.shape[1:], x.shape[0], dtype=str(x.dtype)) for x in inputs]
    return keras.Model(symbols, layers(*symbols))


def modules_of(modules: Any) -> dict[str, Any]:
    """Return Flax modules by name; a single module has an empty name."""
    return modules if isinstance(modules, dict) else {"": modules}


def load_keras(model: Any, path: Path) -> None:
    """Load the weights of a file into a model by path, and check that the names are exactly the same."""
    from safetensors.numpy import load_file

    weights = load_file(path)
    assert {v.path: tuple(v.shape) for v in model.weights} == {k: w.shape for k, w in weights.items()}
    for variable in model.weights:
        variable.assign(weights[variable.path])


def load_torch(module: Any, path: Path) -> None:
    """Load the weights of a file into a module, strictly."""
    from safetensors.torch import load_file

    module.load_state_dict(load_file(path), strict=True)
    module.eval()


def load_flax(modules: dict[str, Any], inputs: Callable[..., Any], path: Path, arrays: list[Any]) -> Any:
    """Apply modules to arrays with exactly the weights of a file.

    Args:
        modules: Modules by their paths.
        inputs: (callables by path, arrays) -> outputs.
        path: The file.
        arrays: What the modules are applied to.
    """
    from safetensors.numpy import load_file

    weights = load_file(path)
    taken: dict[str, Shape] = {}

    def callable_of(name: str) -> Callable[..., Any]:
        def call(*xs: Any) -> Any:
            needed = flax_tree(modules[name], *xs)
            tree: dict[str, Any] = {}
            for collection, leaf in needed:
                full = f"{collection}/{name}/{leaf}"
                taken[full] = needed[collection, leaf]
                _plant(tree, (collection, *leaf.split("/")), weights[full])
            return modules[name].apply(tree, *xs)

        return call

    outputs = inputs({name: callable_of(name) for name in modules}, *arrays)
    assert taken == {name: w.shape for name, w in weights.items()}
    return outputs


def flax_tree(module: Any, *inputs: Any) -> dict[tuple[str, str], Shape]:
    """Return the shapes of the variables of a Flax module by (collection, path)."""
    import jax

    tree = jax.eval_shape(module.init, jax.random.key(0), *inputs)
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {
        (path[0].key, "/".join(step.key for step in path[1:])): tuple(leaf.shape) for path, leaf in leaves
    }


def _plant(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for step in path[:-1]:
        tree = tree.setdefault(step, {})
    tree[path[-1]] = value


def _last_to_first(call: Callable[..., Any]) -> Callable[..., Any]:
    """Call a module that expects channels first with channels last."""

    def called(module: Any, torch: Any, x: Any) -> Any:
        return call(module, torch, x.movedim(-1, 1)).movedim(1, -1)

    return called


_CHANNELS = _last_to_first(lambda module, torch, x: module(x))


def _first(module: Any, torch: Any, *inputs: Any) -> Any:
    """Return the output without the state."""
    return module(*inputs)[0]


def _conv(
    inputs: Shape,
    torch_name: str,
    keras_name: str,
    window: tuple[int, ...],
    step: tuple[int, ...],
    **more: Any,
) -> Real:
    groups, bias = more.get("groups", 1), more.get("bias", True)
    return Real(
        (inputs,),
        lambda of: getattr(of, keras_name)(6, window, strides=step, groups=groups, use_bias=bias, name="x"),
        lambda nn: getattr(nn, torch_name)(inputs[-1], 6, window, step, groups=groups, bias=bias),
        lambda nn: nn.Conv(
            6, window, strides=step, padding="VALID", feature_group_count=groups, use_bias=bias
        ),
        torch_call=_CHANNELS,
        random=Real.random if bias else "",
    )


def _conv_transpose(inputs: Shape, rank: int, window: tuple[int, ...], step: tuple[int, ...]) -> Real:
    return Real(
        (inputs,),
        lambda of: getattr(of, f"Conv{rank}DTranspose")(6, window, strides=step, name="x"),
        lambda nn: getattr(nn, f"ConvTranspose{rank}d")(inputs[-1], 6, window, step),
        lambda nn: nn.ConvTranspose(6, window, strides=step, padding="VALID"),
        torch_call=_CHANNELS,
    )


def _depthwise(inputs: Shape, rank: int, window: tuple[int, ...], step: int) -> Real:
    return Real(
        (inputs,),
        lambda of: getattr(of, f"DepthwiseConv{rank}D")(window, strides=step, depth_multiplier=2, name="x"),
        lambda nn: getattr(nn, f"Conv{rank}d")(4, 8, window, step, groups=4),
        lambda nn: nn.Conv(8, window, strides=step, padding="VALID", feature_group_count=4),
        torch_call=_CHANNELS,
    )


def _separable(inputs: Shape, rank: int, window: tuple[int, ...]) -> Real:
    one = (1,) * rank

    def modules(nn: Any) -> Any:
        conv = getattr(nn, f"Conv{rank}d")
        return nn.ModuleDict(
            {"depthwise": conv(4, 8, window, groups=4, bias=False), "pointwise": conv(8, 6, one)}
        )

    return Real(
        (inputs,),
        lambda of: getattr(of, f"SeparableConv{rank}D")(6, window, depth_multiplier=2, name="x"),
        modules,
        lambda nn: {
            "depthwise": nn.Conv(8, window, padding="VALID", feature_group_count=4, use_bias=False),
            "pointwise": nn.Conv(6, one),
        },
        torch_call=_last_to_first(lambda m, torch, x: m["pointwise"](m["depthwise"](x))),
        flax_call=lambda layers, x: layers["pointwise"](layers["depthwise"](x)),
    )


def _recurrent(name: str, torch_name: str, cell: str | None, **more: Any) -> Real:
    return Real(
        ((2, 6, 5),),
        lambda of: getattr(of, name)(4, return_sequences=True, name="x", **more),
        lambda nn: getattr(nn, torch_name)(5, 4, batch_first=True, bias=more.get("use_bias", True)),
        (lambda nn: nn.RNN(getattr(nn, cell)(4))) if cell else None,
        torch_call=_first,
        random=Real.random if more.get("use_bias", True) else "",
    )


def _bidirectional(name: str, cell: str, inner: str) -> Real:
    return Real(
        ((2, 6, 5),),
        lambda of: of.Bidirectional(getattr(of, name)(4, return_sequences=True, name=name.lower()), name="x"),
        lambda nn: getattr(nn, name)(5, 4, batch_first=True, bidirectional=True),
        lambda nn: nn.Bidirectional(nn.RNN(getattr(nn, cell)(4)), nn.RNN(getattr(nn, cell)(4))),
        torch_call=_first,
        random=inner,
    )


def _attention(widths: tuple[int, int, int], head: int, **more: Any) -> Real:
    query, key, value = widths
    bias = more.get("bias", True)
    return Real(
        ((2, 5, query), (2, 9, key), (2, 9, value)),
        lambda of: of.MultiHeadAttention(2, head, use_bias=bias, name="x"),
        lambda nn: nn.MultiheadAttention(query, 2, kdim=key, vdim=value, batch_first=True, bias=bias),
        lambda nn: nn.MultiHeadDotProductAttention(
            2, qkv_features=2 * head, out_features=query, use_bias=bias
        ),
        keras_call=lambda layer, q, k, v: layer(q, v, k),
        torch_call=_first,
        random=Real.random if bias else "",
    )


def _grouped_query_modules(nn: Any) -> Any:
    return nn.ModuleDict(
        {
            "q_proj": nn.Linear(8, 8),
            "k_proj": nn.Linear(8, 4),
            "v_proj": nn.Linear(8, 4),
            "o_proj": nn.Linear(8, 8),
        }
    )


def _grouped_query_attention(modules: Any, torch: Any, x: Any) -> Any:
    """Compute it as decoders on the Hub do: two heads of the query share each head of key and value."""

    def heads(name: str, count: int) -> Any:
        return modules[name](x).unflatten(-1, (count, 2)).transpose(1, 2)

    query = heads("q_proj", 4)
    key, value = (heads(name, 2).repeat_interleave(2, 1) for name in ("k_proj", "v_proj"))
    scores = torch.softmax(query @ key.transpose(-1, -2) / 2**0.5, -1)
    return modules["o_proj"]((scores @ value).transpose(1, 2).flatten(2))


def _torch_experts(nn: Any) -> Any:
    import torch

    return nn.ParameterDict({"weight": torch.empty(3, 7, 5), "bias": torch.empty(3, 7)})


def _stacked_dense(nn: Any) -> Any:
    axes = {"variable_axes": {"params": 0}, "split_rngs": {"params": True}}
    return nn.vmap(nn.Dense, in_axes=1, out_axes=1, **axes)(7)


_AFFINE = ", gamma_initializer: truncated_normal, beta_initializer: truncated_normal"
_STATISTICS = (
    ", moving_mean_initializer: truncated_normal"
    ", moving_variance_initializer: {name: uniform, minval: 0.5, maxval: 1.5}"
)


def _layer_norm(shape: Shape, keras: dict[str, Any], torch: dict[str, Any], flax: dict[str, Any]) -> Real:
    random = _AFFINE
    if not flax.get("use_bias", True):
        random = ", gamma_initializer: truncated_normal"
    elif not flax.get("use_scale", True):
        random = ", beta_initializer: truncated_normal"
    return Real(
        (shape,),
        lambda of: of.LayerNormalization(epsilon=EPSILON, name="x", **keras),
        lambda nn: nn.LayerNorm(eps=EPSILON, **torch),
        lambda nn: nn.LayerNorm(epsilon=EPSILON, **flax),
        random=random,
    )


def _batch_norm(*, scale: bool = True, center: bool = True) -> Real:
    random = (_AFFINE if scale else ", beta_initializer: truncated_normal" if center else "") + _STATISTICS
    return Real(
        ((4, 6),),
        lambda of: of.BatchNormalization(epsilon=EPSILON, scale=scale, center=center, name="x"),
        lambda nn: nn.BatchNorm1d(6, eps=EPSILON, affine=scale),
        lambda nn: nn.BatchNorm(use_running_average=True, epsilon=EPSILON, use_scale=scale, use_bias=center),
        random=random,
    )


def _p_re_lu(inputs: Shape, keras: dict[str, Any], *, count: int, flax: bool = False) -> Real:
    return Real(
        (inputs,),
        lambda of: of.PReLU(name="x", **keras),
        lambda nn: nn.PReLU(count),
        (lambda nn: nn.PReLU()) if flax else None,
        torch_call=_CHANNELS,
        random=", alpha_initializer: truncated_normal",
    )


REAL: dict[str, Real] = {
    "dense": Real(
        ((2, 5),), lambda of: of.Dense(7, name="x"), lambda nn: nn.Linear(5, 7), lambda nn: nn.Dense(7)
    ),
    "dense-without-bias": Real(
        ((2, 5),),
        lambda of: of.Dense(7, use_bias=False, name="x"),
        lambda nn: nn.Linear(5, 7, bias=False),
        lambda nn: nn.Dense(7, use_bias=False),
        random="",
    ),
    "einsum_dense": Real(
        ((2, 3, 5),),
        lambda of: of.EinsumDense("abc,cde->abde", (3, 2, 3), bias_axes="de", name="x"),
        lambda nn: nn.Linear(5, 6),
        lambda nn: nn.Einsum((5, 2, 3), "abc,cde->abde"),
        torch_call=lambda module, torch, x: module(x).reshape(2, 3, 2, 3),
    ),
    "einsum_dense-of-heads": Real(
        ((2, 4, 2, 3),),
        lambda of: of.EinsumDense("...de,dec->...c", 5, bias_axes="c", name="x"),
        lambda nn: nn.Linear(6, 5),
        lambda nn: nn.Einsum((2, 3, 5), "...de,dec->...c"),
        torch_call=lambda module, torch, x: module(x.reshape(2, 4, 6)),
    ),
    "einsum_dense-of-experts": Real(
        ((3, 4, 5),),
        lambda of: of.EinsumDense("eci,eio->eco", (4, 7), bias_axes="eo", name="x"),
        None,
        lambda nn: nn.Einsum((3, 5, 7), "eci,eio->eco"),
    ),
    "einsum_dense-with-a-bias-for-one-axis": Real(
        ((2, 3, 5),),
        lambda of: of.EinsumDense("abc,cde->abde", (3, 2, 3), bias_axes="d", name="x"),
        None,
        None,
    ),
    "experts": Real(
        ((2, 3, 5),),
        lambda of: of.EinsumDense("bei,eio->beo", (3, 7), bias_axes="eo", name="x"),
        _torch_experts,
        _stacked_dense,
        torch_call=lambda w, torch, x: torch.einsum("bei,eoi->beo", x, w["weight"]) + w["bias"],
    ),
    "conv1d": _conv((2, 9, 4), "Conv1d", "Conv1D", (3,), (2,)),
    "conv2d": _conv((2, 9, 11, 4), "Conv2d", "Conv2D", (3, 5), (2, 1)),
    "conv2d-in-groups": _conv((2, 9, 11, 4), "Conv2d", "Conv2D", (3, 5), (1, 3), groups=2, bias=False),
    "conv3d": _conv((2, 3, 5, 7, 4), "Conv3d", "Conv3D", (1, 2, 3), (1, 2, 2)),
    "conv1d_transpose": _conv_transpose((2, 6, 4), 1, (3,), (2,)),
    "conv2d_transpose": _conv_transpose((2, 4, 6, 4), 2, (3, 5), (2, 3)),
    "conv2d_transpose-of-a-window-shorter-than-its-stride": _conv_transpose((2, 4, 6, 4), 2, (2, 3), (3, 1)),
    "conv2d_transpose-in-groups": Real(
        ((2, 4, 6, 4),),
        None,
        lambda nn: nn.ConvTranspose2d(4, 6, 3, groups=2),
        None,
        torch_call=_CHANNELS,
    ),
    "conv3d_transpose": _conv_transpose((2, 2, 3, 4, 4), 3, (1, 2, 3), (1, 2, 2)),
    "depthwise_conv1d": _depthwise((2, 9, 4), 1, (3,), 2),
    "depthwise_conv2d": _depthwise((2, 9, 11, 4), 2, (3, 5), 2),
    "separable_conv1d": _separable((2, 9, 4), 1, (3,)),
    "separable_conv2d": _separable((2, 9, 11, 4), 2, (3, 5)),
    "embedding": Real(
        ((2, 9),),
        lambda of: of.Embedding(11, 5, name="x"),
        lambda nn: nn.Embedding(11, 5),
        lambda nn: nn.Embed(11, 5),
        integers=11,
        random="",
    ),
    "simple_rnn": _recurrent("SimpleRNN", "RNN", "SimpleCell"),
    "gru": _recurrent("GRU", "GRU", "GRUCell"),
    "gru-without-bias": _recurrent("GRU", "GRU", None, use_bias=False),
    "gru-that-resets-before-the-product": Real(
        ((2, 6, 5),), lambda of: of.GRU(4, reset_after=False, name="x"), None, None
    ),
    "lstm": _recurrent("LSTM", "LSTM", "OptimizedLSTMCell"),
    "lstm-that-does-not-forget": _recurrent("LSTM", "LSTM", "LSTMCell", unit_forget_bias=True),
    "lstm-without-bias": _recurrent("LSTM", "LSTM", None, use_bias=False),
    "lstm-of-two-layers": Real(
        ((2, 6, 5),),
        None,
        lambda nn: nn.LSTM(5, 4, num_layers=2, batch_first=True),
        None,
        torch_call=_first,
    ),
    "bidirectional-simple_rnn-of-two-layers": Real(
        ((2, 6, 5),),
        None,
        lambda nn: nn.RNN(5, 4, num_layers=2, batch_first=True, bidirectional=True),
        None,
        torch_call=_first,
    ),
    "bidirectional-gru": _bidirectional("GRU", "GRUCell", Real.random),
    "bidirectional-lstm": _bidirectional("LSTM", "LSTMCell", Real.random),
    "multi_head_attention": _attention((8, 8, 8), 4),
    "multi_head_attention-of-three-widths": _attention((8, 6, 7), 4),
    "multi_head_attention-of-narrow-heads": _attention((8, 8, 8), 3, bias=False),
    "grouped_query_attention": Real(
        ((2, 5, 8),),
        lambda of: of.GroupQueryAttention(2, 4, 2, name="x"),
        _grouped_query_modules,
        None,
        keras_call=lambda layer, x: layer(x, x),
        torch_call=_grouped_query_attention,
    ),
    "layer_normalization": _layer_norm((2, 6), {}, {"normalized_shape": 6}, {}),
    "layer_normalization-of-two-axes": _layer_norm(
        (2, 4, 6),
        {"axis": (1, 2)},
        {"normalized_shape": (4, 6)},
        {"reduction_axes": (1, 2), "feature_axes": (1, 2)},
    ),
    "layer_normalization-without-shift": _layer_norm(
        (2, 6), {"center": False}, {"normalized_shape": 6, "bias": False}, {"use_bias": False}
    ),
    "layer_normalization-without-scale": _layer_norm(
        (2, 6), {"scale": False}, {"normalized_shape": 6}, {"use_scale": False}
    ),
    "rms_normalization": Real(
        ((2, 6),),
        lambda of: of.RMSNormalization(epsilon=EPSILON, name="x"),
        lambda nn: nn.RMSNorm(6, eps=EPSILON),
        lambda nn: nn.RMSNorm(epsilon=EPSILON),
        random=", scale_initializer: truncated_normal",
    ),
    "batch_normalization": _batch_norm(),
    "batch_normalization-of-statistics-alone": _batch_norm(scale=False, center=False),
    "batch_normalization-without-scale": _batch_norm(scale=False),
    "group_normalization": Real(
        ((2, 9, 6),),
        lambda of: of.GroupNormalization(3, epsilon=EPSILON, name="x"),
        lambda nn: nn.GroupNorm(3, 6, eps=EPSILON),
        lambda nn: nn.GroupNorm(3, epsilon=EPSILON),
        torch_call=_CHANNELS,
        random=_AFFINE,
    ),
    "p_re_lu-of-channels": _p_re_lu((2, 6), {}, count=6),
    "p_re_lu-of-channels-of-images": _p_re_lu((2, 5, 5, 6), {"shared_axes": (1, 2)}, count=6),
    "p_re_lu-of-a-slope-each": Real(
        ((2, 5, 6),),
        lambda of: of.PReLU(name="x"),
        None,
        None,
        random=", alpha_initializer: truncated_normal",
    ),
    "p_re_lu-of-one-slope": _p_re_lu((2, 6), {"shared_axes": (1,)}, count=1, flax=True),
}
