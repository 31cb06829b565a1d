"""Read a torch.nn.Module by the classes of its submodules; the spec must reproduce its state dict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.derive.described_model import DerivedLayer, DescribedModel, Fields, Tensor
from lecun_cli.derive.layer_fields import (
    bidirectional_fields,
    compact_features,
    compact_sizes,
    with_bias,
    with_center,
)
from lecun_cli.derive.readers.messages import initializers_not_kept
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.raw_tensors import raw_tensor
from lecun_cli.derive.recognition.recognizer import recognize
from lecun_cli.derive.recognition.tensor_index import TensorIndex
from lecun_cli.derive.recognition.torch_names import inputs_first
from lecun_cli.errors import DeriveError

if TYPE_CHECKING:
    from collections.abc import Iterator


def from_module(
    module: Any,  # noqa: ANN401 - a torch.nn.Module; torch is not imported for its type
    source: str,
    *,
    keep_initializers: bool = False,
    left_out: dict[str, str] | None = None,
) -> DescribedModel:
    """Return the layers of a module, in the order of its state dict.

    Args:
        module: A torch.nn.Module on any device.
        source: Name of the module for messages.
        keep_initializers: Ignored with a warning; a module does not name its initializers.
        left_out: Names of tensors that are not stored because they are tied, each with the name of the
            tensor that is stored.

    Raises:
        DeriveError: A parameter has no shape yet, or a spec cannot describe it.
    """
    import torch

    left_out = left_out or {}
    state: dict[str, torch.Tensor] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if torch.nn.parameter.is_lazy(value):
            raise DeriveError(
                f"parameter {name} of {source} has no shape yet",
                help="run the module once on an example input before returning it",
            )
        if isinstance(value, torch.Tensor) and name not in left_out:
            state[name] = value
    tensors = tuple(
        Tensor(name, tuple(value.shape), str(value.dtype).removeprefix("torch."))
        for name, value in state.items()
    )
    check_tensors(tensors, source)
    shared = _shared(state)
    index = TensorIndex(tensors, "torch")
    layers = [layer for name, sub in module.named_modules() for layer in _known_layers(index, name, sub)]
    layers = [layer for layer in layers if not any(t.name in shared for t in layer.stored)]
    recognized = recognize(tuple(t for t in tensors if t.name not in shared), "torch", layers)
    recognized = _with_shared(recognized, tensors, shared)
    warnings = (initializers_not_kept("a torch.nn.Module"),) if keep_initializers else ()
    remarks = tuple(f"{name} is tied to {first} and is not stored." for name, first in left_out.items())
    return DescribedModel("torch", recognized, tensors, warnings, remarks)


def _shared(state: dict[str, Any]) -> dict[str, str]:
    """Return the further names of tensors with several names, each with the tensor's first name."""
    first: dict[int, str] = {}
    first_names = {}
    for name, value in state.items():
        before = first.setdefault(id(value), name)
        if before != name:
            first_names[name] = before
    return first_names


def _with_shared(
    recognized: tuple[DerivedLayer, ...], tensors: tuple[Tensor, ...], shared: dict[str, str]
) -> tuple[DerivedLayer, ...]:
    """Return the layers, and for each further name a raw tensor with the identity of the first."""
    from lecun_cli.derive.recognition.layer_check import identity_of

    by_name = {tensor.name: tensor for tensor in tensors}
    owners = {t.name: layer for layer in recognized for t in layer.stored}
    layers = list(recognized)
    for name, first in shared.items():
        identity = identity_of(owners[first], first, "torch")
        layer = raw_tensor(by_name[name], "torch")
        if identity is not None:
            fields: Fields = (*layer.fields, ("stream", identity))
            comment = f"tied to {first}: the same weights"
            layer = DerivedLayer("tensor", name, fields, comment, layer.dtype, layer.stored)
        layers.append(layer)
    return tuple(layers)


def _known_layers(index: TensorIndex, name: str, module: Any) -> Iterator[DerivedLayer]:  # noqa: ANN401
    """Yield the layers of a module of a known class; nothing for other classes."""
    from torch import nn

    if not name:
        return
    bias = getattr(module, "bias", None)
    match module:
        case nn.MultiheadAttention():
            yield DerivedLayer("multi_head_attention", name, _attention(module))
        case nn.LSTM() | nn.GRU() | nn.RNN():
            yield from _recurrent(name, module)
        case nn.Linear():
            fields: Fields = (("in_features", module.in_features), ("out_features", module.out_features))
            yield DerivedLayer("dense", name, with_bias(fields, bias))
        case nn.Bilinear():
            weight = index.tensor(name, "weight")
            if weight is not None:
                yield raw_tensor(weight, "torch", fields=(("in_axes", (1, 2)),), comment="Bilinear")
        case nn.ConvTranspose1d() | nn.ConvTranspose2d() | nn.ConvTranspose3d():
            stride = compact_sizes(tuple(module.stride))
            more: Fields = (("stride", stride),) if stride != 1 else ()
            yield DerivedLayer(f"conv{len(module.kernel_size)}d_transpose", name, _convolution(module, more))
        case nn.Conv1d() | nn.Conv2d() | nn.Conv3d():
            yield DerivedLayer(f"conv{len(module.kernel_size)}d", name, _convolution(module, ()))
        case nn.Embedding() | nn.EmbeddingBag():
            fields = (("num_embeddings", module.num_embeddings), ("embedding_dim", module.embedding_dim))
            yield DerivedLayer("embedding", name, fields)
        case nn.PReLU():
            yield DerivedLayer("p_re_lu", name, (("shape", (module.num_parameters,)),))
        case nn.GroupNorm():
            groups: Fields = (("groups", module.num_groups),) if module.num_groups != 32 else ()
            yield DerivedLayer("group_normalization", name, (("features", module.num_channels), *groups))
        case _ if type(module).__name__ == "Conv1D" and hasattr(module, "nf"):  # of transformers
            yield from inputs_first(index, name)
        case nn.LayerNorm():
            fields = (("features", compact_features(tuple(module.normalized_shape))),)
            yield DerivedLayer("layer_normalization", name, with_center(fields, bias is not None))
        case _:
            yield from _normalization(index, name, type(module).__name__)


def _normalization(index: TensorIndex, name: str, class_name: str) -> Iterator[DerivedLayer]:
    """Yield the layer of a custom `*Norm` class: RMS unless it has a bias (T5LayerNorm is an RMS norm)."""
    weight = index.shape(name, "weight")
    if weight is None or not class_name.endswith("Norm") or index.shape(name, "running_mean") is not None:
        return
    layer_type = "rms" if index.shape(name, "bias") is None else "layer"
    yield DerivedLayer(f"{layer_type}_normalization", name, (("features", compact_features(weight)),))


def _convolution(module: Any, more: Fields) -> Fields:  # noqa: ANN401
    groups: Fields = (("groups", module.groups),) if module.groups > 1 else ()
    fields: Fields = (
        ("in_channels", module.in_channels),
        ("out_channels", module.out_channels),
        ("kernel_size", compact_sizes(tuple(module.kernel_size))),
        *more,
        *groups,
    )
    return with_bias(fields, module.bias)


def _attention(module: Any) -> Fields:  # noqa: ANN401
    embed = module.embed_dim
    widths = (("kdim", module.kdim), ("vdim", module.vdim))
    fields: Fields = (
        ("embed_dim", embed),
        ("num_heads", module.num_heads),
        *((key, width) for key, width in widths if width != embed),
    )
    return with_bias(fields, module.in_proj_bias)


def _recurrent(name: str, module: Any) -> Iterator[DerivedLayer]:  # noqa: ANN401
    if getattr(module, "proj_size", 0):
        return
    layer_type = {"LSTM": "lstm", "GRU": "gru"}.get(module.mode, "simple_rnn")
    layers: Fields = (("num_layers", module.num_layers),) if module.num_layers > 1 else ()
    fields: Fields = (("input_size", module.input_size), ("hidden_size", module.hidden_size), *layers)
    fields = with_bias(fields, module.bias)
    if module.bidirectional:
        yield DerivedLayer("bidirectional", name, bidirectional_fields(layer_type, fields))
    else:
        yield DerivedLayer(layer_type, name, fields)
