"""The stored tensors of a layer in each framework, made by NumPy from its canonical parameters.

Written from the documentation of the frameworks, independently of the tables in the package. Names are those
within the layer, as in `cases.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Arrays = Mapping[str, Any]


def by_hand(framework: str, layer_type: str, canonical: Arrays) -> dict[str, Any]:
    """Return the stored tensors of a layer.

    Args:
        framework: A key of `FRAMEWORKS`.
        layer_type: The layer's type, or the id of its case; for a bidirectional one, `bidirectional-` and the
            type within it.
        canonical: Its canonical parameters by name.
    """
    return STORED_BY_HAND[layer_type](framework, canonical)


def _bias(c: Arrays, name: str = "bias") -> dict[str, Any]:
    return {name: c["bias"]} if "bias" in c else {}


def _window_first(w: Any) -> Any:
    """Return `(*window, a, b)` from `(a, b, *window)`."""
    return np.moveaxis(w, (0, 1), (-2, -1))


def _dense(framework: str, c: Arrays) -> dict[str, Any]:
    w = c["kernel"]
    kernel = {"weight": w} if framework == "torch" else {"kernel": np.swapaxes(w, -1, -2)}
    return {**kernel, **_bias(c)}


def _conv(framework: str, c: Arrays) -> dict[str, Any]:
    w = c["kernel"]
    kernel = {"weight": w} if framework == "torch" else {"kernel": _window_first(np.swapaxes(w, 0, 1))}
    return {**kernel, **_bias(c)}


def _conv_transpose(framework: str, c: Arrays) -> dict[str, Any]:
    groups = c["kernel"]
    if framework == "torch":
        return {"weight": np.concatenate([np.swapaxes(one, 0, 1) for one in groups]), **_bias(c)}
    (one,) = groups
    if framework == "keras":
        return {"kernel": _window_first(one), **_bias(c)}
    backwards = tuple(range(2, one.ndim))
    return {"kernel": _window_first(np.swapaxes(np.flip(one, backwards), 0, 1)), **_bias(c)}


def _depthwise_kernel(framework: str, w: Any) -> Any:
    """Return the stored kernel, from `(in, multiplier, 1, *window)`."""
    if framework == "keras":
        return _window_first(w[:, :, 0])
    in_groups = np.concatenate(list(w))
    return in_groups if framework == "torch" else _window_first(np.swapaxes(in_groups, 0, 1))


def _depthwise(framework: str, c: Arrays) -> dict[str, Any]:
    name = "weight" if framework == "torch" else "kernel"
    return {name: _depthwise_kernel(framework, c["kernel"]), **_bias(c)}


def _separable(framework: str, c: Arrays) -> dict[str, Any]:
    deep = _depthwise_kernel(framework, c["depthwise_kernel"])
    point = _conv(framework, {"kernel": c["pointwise_kernel"]}).popitem()[1]
    if framework == "keras":
        return {"depthwise_kernel": deep, "pointwise_kernel": point, **_bias(c)}
    if framework == "torch":
        return {"depthwise.weight": deep, "pointwise.weight": point, **_bias(c, "pointwise.bias")}
    return {"depthwise/kernel": deep, "pointwise/kernel": point, **_bias(c, "pointwise/bias")}


def _embedding(framework: str, c: Arrays) -> dict[str, Any]:
    name = {"keras": "embeddings", "torch": "weight", "flax": "embedding"}[framework]
    return {name: c["embeddings"]}


_ORDERS = {
    ("keras", "simple_rnn"): ("",),
    ("keras", "gru"): ("_update", "_reset", "_candidate"),
    ("keras", "lstm"): ("_input", "_forget", "_cell", "_output"),
    ("torch", "simple_rnn"): ("",),
    ("torch", "gru"): ("_reset", "_update", "_candidate"),
    ("torch", "lstm"): ("_input", "_forget", "_cell", "_output"),
}
_LETTERS = {
    "gru": {"r": "_reset", "z": "_update", "n": "_candidate"},
    "lstm": {"i": "_input", "f": "_forget", "g": "_cell", "o": "_output"},
}


def _keras_cell(layer_type: str, c: Arrays, resets_after: bool) -> dict[str, Any]:
    order = _ORDERS["keras", layer_type]

    def side_by_side(param_name: str) -> Any:
        return np.concatenate([c[param_name + gate].T for gate in order], -1)

    stored = {
        f"{layer_type}_cell/{param_name}": side_by_side(param_name)
        for param_name in ("kernel", "recurrent_kernel")
    }
    if f"bias{order[0]}" in c:
        bias = side_by_side("bias")
        if resets_after:
            bias = np.stack([bias, side_by_side("recurrent_bias")])
        stored[f"{layer_type}_cell/bias"] = bias
    return stored


def _torch_cell(layer_type: str, c: Arrays, suffix: str) -> dict[str, Any]:
    order = _ORDERS["torch", layer_type]
    names = {
        "kernel": "weight_ih",
        "recurrent_kernel": "weight_hh",
        "bias": "bias_ih",
        "recurrent_bias": "bias_hh",
    }
    return {
        f"{name}_{suffix}": np.concatenate([c[param_name + gate] for gate in order])
        for param_name, name in names.items()
        if param_name + order[0] in c
    }


def _flax_cell(layer_type: str, c: Arrays) -> dict[str, Any]:
    if layer_type == "simple_rnn":
        return {
            "cell/i/kernel": c["kernel"].T,
            "cell/i/bias": c["bias"],
            "cell/h/kernel": c["recurrent_kernel"].T,
        }
    stored = {}
    for letter, gate in _LETTERS[layer_type].items():
        stored[f"cell/i{letter}/kernel"] = c["kernel" + gate].T
        stored[f"cell/h{letter}/kernel"] = c["recurrent_kernel" + gate].T
        stored[f"cell/{'h' if layer_type == 'lstm' else 'i'}{letter}/bias"] = c["bias" + gate]
    if layer_type == "gru":
        stored["cell/hn/bias"] = c["recurrent_bias_candidate"]
    return stored


def _under(c: Arrays, prefix: str) -> dict[str, Any]:
    return {
        param_name.removeprefix(prefix): w for param_name, w in c.items() if param_name.startswith(prefix)
    }


def _recurrent(layer_type: str, resets_after: bool = False) -> Callable[[str, Arrays], dict[str, Any]]:
    def stored(framework: str, c: Arrays) -> dict[str, Any]:
        if framework == "keras":
            return _keras_cell(layer_type, c, resets_after)
        if framework == "flax":
            return _flax_cell(layer_type, c)
        first = {param_name: w for param_name, w in c.items() if not param_name.startswith("l1/")}
        second = _under(c, "l1/")
        return {
            **_torch_cell(layer_type, first, "l0"),
            **(_torch_cell(layer_type, second, "l1") if second else {}),
        }

    return stored


def _bidirectional(layer_type: str, resets_after: bool = False) -> Callable[[str, Arrays], dict[str, Any]]:
    def stored(framework: str, c: Arrays) -> dict[str, Any]:
        weights: dict[str, Any] = {}
        for way, suffix in (("forward", ""), ("backward", "_reverse")):
            one = _under(c, f"{way}/")
            if framework == "keras":
                cell = _keras_cell(layer_type, one, resets_after)
                weights |= {f"{way}_{layer_type}/{name}": w for name, w in cell.items()}
            elif framework == "flax":
                weights |= {f"{way}_rnn/{name}": w for name, w in _flax_cell(layer_type, one).items()}
            else:
                weights |= _torch_cell(layer_type, one, f"l0{suffix}")
                second = _under(c, f"l1/{way}/")
                weights |= _torch_cell(layer_type, second, f"l1{suffix}") if second else {}
        return weights

    return stored


def _attention(framework: str, c: Arrays) -> dict[str, Any]:
    if framework == "torch":
        return _torch_attention(c)
    out = "attention_output" if framework == "keras" else "out"
    stored = {}
    for name in ("query", "key", "value"):
        stored[f"{name}/kernel"] = np.moveaxis(c[f"{name}/kernel"], -1, 0)
    stored[f"{out}/kernel"] = np.moveaxis(c["output/kernel"], 0, -1)
    for name in ("query", "key", "value", "output"):
        if f"{name}/bias" in c:
            stored[f"{out if name == 'output' else name}/bias"] = c[f"{name}/bias"]
    return stored


def _torch_attention(c: Arrays) -> dict[str, Any]:
    flat = {name: np.concatenate(list(c[f"{name}/kernel"])) for name in ("query", "key", "value")}
    biases = [c[f"{name}/bias"].ravel() for name in flat]
    stored = {
        "in_proj_bias": np.concatenate(biases),
        "out_proj.weight": c["output/kernel"].reshape(len(c["output/bias"]), -1),
        "out_proj.bias": c["output/bias"],
    }
    if len({w.shape for w in flat.values()}) == 1:
        return {"in_proj_weight": np.concatenate(list(flat.values())), **stored}
    return {**{f"{name[0]}_proj_weight": w for name, w in flat.items()}, **stored}


def _grouped_query_attention(framework: str, c: Arrays) -> dict[str, Any]:
    if framework != "torch":
        return _attention(framework, c)
    stored = {
        "o_proj.weight": c["output/kernel"].reshape(len(c["output/bias"]), -1),
        "o_proj.bias": c["output/bias"],
    }
    for name in ("query", "key", "value"):
        stored[f"{name[0]}_proj.weight"] = np.concatenate(list(c[f"{name}/kernel"]))
        stored[f"{name[0]}_proj.bias"] = c[f"{name}/bias"].ravel()
    return stored


_NORM: dict[str, dict[str, str]] = {
    "keras": {},
    "torch": {
        "gamma": "weight",
        "scale": "weight",
        "beta": "bias",
        "moving_mean": "running_mean",
        "moving_variance": "running_var",
    },
    "flax": {
        "gamma": "scale",
        "beta": "bias",
        "moving_mean": "batch_stats:mean",
        "moving_variance": "batch_stats:var",
    },
}


def _norm(framework: str, c: Arrays) -> dict[str, Any]:
    names = _NORM[framework]
    return {
        names.get(param_name, param_name): w
        for param_name, w in c.items()
        if param_name != "num_batches_tracked" or framework == "torch"
    }


def _p_re_lu(framework: str, c: Arrays) -> dict[str, Any]:
    alpha = c["alpha"]
    if framework == "keras":
        return {"alpha": alpha}
    return {"weight": alpha.ravel()} if framework == "torch" else {"negative_slope": alpha.reshape(())}


def _einsum(
    kernel: tuple[int, ...], bias: tuple[int, ...], outputs: int
) -> Callable[[str, Arrays], dict[str, Any]]:
    """Return a function from canonical to stored tensors of an EinsumDense.

    Args:
        kernel: Canonical axis of each axis of the kernel in the equation.
        bias: Shape of the bias in Flax.
        outputs: Number of outputs.
    """

    def stored(framework: str, c: Arrays) -> dict[str, Any]:
        if framework == "torch":
            return {"weight": c["kernel"].reshape(outputs, -1), "bias": c["bias"].ravel()}
        flat = c["bias"].reshape(bias) if framework == "flax" else c["bias"]
        return {"kernel": c["kernel"].transpose(kernel), "bias": flat}

    return stored


STORED_BY_HAND: dict[str, Callable[[str, Arrays], dict[str, Any]]] = {
    "dense": _dense,
    "einsum_dense": _einsum((2, 0, 1), (2, 3), 6),
    "einsum_dense-of-heads": _einsum((1, 2, 0), (5,), 5),
    "einsum_dense-of-experts": _einsum((0, 2, 1), (3, 7), 21),
    "einsum_dense-with-a-bias-for-one-axis": _einsum((2, 0, 1), (2,), 6),
    "experts": _dense,
    "conv1d": _conv,
    "conv2d": _conv,
    "conv3d": _conv,
    "conv1d_transpose": _conv_transpose,
    "conv2d_transpose": _conv_transpose,
    "conv3d_transpose": _conv_transpose,
    "depthwise_conv1d": _depthwise,
    "depthwise_conv2d": _depthwise,
    "separable_conv1d": _separable,
    "separable_conv2d": _separable,
    "embedding": _embedding,
    "simple_rnn": _recurrent("simple_rnn"),
    "gru": _recurrent("gru", resets_after=True),
    "gru-that-resets-before-the-product": _recurrent("gru"),
    "lstm": _recurrent("lstm"),
    "bidirectional-simple_rnn": _bidirectional("simple_rnn"),
    "bidirectional-gru": _bidirectional("gru", resets_after=True),
    "bidirectional-lstm": _bidirectional("lstm"),
    "multi_head_attention": _attention,
    "grouped_query_attention": _grouped_query_attention,
    "layer_normalization": _norm,
    "rms_normalization": _norm,
    "batch_normalization": _norm,
    "group_normalization": _norm,
    "p_re_lu": _p_re_lu,
}
