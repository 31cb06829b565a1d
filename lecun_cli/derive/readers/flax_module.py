"""Read a Flax module: linen by the shapes of `jax.eval_shape`, nnx by the state of the module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lecun_cli.derive.described_model import DerivedLayer, DescribedModel, Fields, Tensor
from lecun_cli.derive.layer_fields import compact_sizes, with_bias, with_center
from lecun_cli.derive.readers.messages import error_text, initializers_not_kept
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.recognizer import recognize
from lecun_cli.derive.recognition.tensor_index import COLLECTIONS
from lecun_cli.display.text import quote
from lecun_cli.errors import DeriveError


def from_flax(
    module: Any,  # noqa: ANN401 - a Flax module; Flax is not imported for its type
    inputs: tuple[Any, ...],
    source: str,
    *,
    keep_initializers: bool,
) -> DescribedModel:
    """Return the layers of a Flax module.

    Args:
        module: A `flax.linen.Module` or a `flax.nnx.Module`.
        inputs: Example inputs of a linen module: arrays or `jax.ShapeDtypeStruct`.
        source: Name of the module for messages.
        keep_initializers: Ignored with a warning; a Flax module does not name its initializers.

    Raises:
        DeriveError: The module cannot be applied to the inputs, or a spec cannot describe it.
    """
    if any(c.__module__.startswith("flax.nnx") for c in type(module).__mro__):
        variables = _nnx(module)
        layers: list[DerivedLayer] = []
    else:
        variables, layers = _linen(module, inputs, source)  # in the order of the calls
    tensors = tuple(
        Tensor(name, tuple(leaf.shape), str(leaf.dtype))
        for name, leaf in variables.items()
        if name.partition("/")[0] in COLLECTIONS
    )
    others = sorted({name.partition("/")[0] for name in variables} - set(COLLECTIONS))
    check_tensors(tensors, source)
    recognized = recognize(tensors, "flax", layers)
    warnings = (initializers_not_kept("a Flax module"),) if keep_initializers else ()
    remarks = tuple(
        f"The collection {quote(name)} does not contain weights and is omitted." for name in others
    )
    return DescribedModel("flax", recognized, tensors, warnings, remarks)


def _linen(module: Any, inputs: tuple[Any, ...], source: str) -> tuple[dict[str, Any], list[DerivedLayer]]:  # noqa: ANN401
    import jax
    from flax import linen as nn
    from flax.core import meta

    seen: dict[str, Any] = {}

    def watch(call: Any, args: Any, kwargs: Any, context: Any) -> Any:  # noqa: ANN401 - Flax's own protocol
        seen.setdefault("/".join(context.module.path), context.module)
        return call(*args, **kwargs)

    key = jax.random.key(0)
    try:
        with nn.intercept_methods(watch):
            shapes = jax.eval_shape(module.init, {"params": key, "dropout": key}, *inputs)
    except Exception as error:
        raise DeriveError(
            f"cannot initialize the Flax module of {source}: {error_text(error)}",
            help="return (module, example inputs...): arrays or jax.ShapeDtypeStruct(shape, dtype)",
        ) from error
    order = {path: i for i, path in enumerate(seen)}
    flat = dict(sorted(_flat(meta.unbox(shapes)).items(), key=lambda pair: _call_order(pair[0], order)))
    layers = [
        layer
        for path, submodule in seen.items()
        if path
        for layer in _known_layers(path, submodule, flat, nn)
    ]
    return flat, layers


def _known_layers(path: str, module: Any, flat: dict[str, Any], nn: Any) -> list[DerivedLayer]:  # noqa: ANN401
    """Return the layers of a module whose class says more than its names and shapes."""
    kernel = flat.get(f"params/{path}/kernel")
    bias = flat.get(f"params/{path}/bias")
    if kernel is None or not isinstance(module, nn.Conv | nn.ConvTranspose):
        if isinstance(module, nn.GroupNorm):
            scale = flat.get(f"params/{path}/scale", bias)
            groups = module.num_groups or 32
            fields: Fields = (("features", scale.shape[0] if scale else 1),)
            fields += (("groups", groups),) if groups != 32 else ()
            fields += (("scale", False),) if not module.use_scale else ()
            return [DerivedLayer("group_normalization", path, with_center(fields, module.use_bias))]
        return []
    *taps, first, second = kernel.shape
    rank = len(taps)
    if isinstance(module, nn.ConvTranspose):
        stride = _stride(module.strides, rank)
        fields = (
            ("in_channels", first),
            ("out_channels", second),
            ("kernel_size", compact_sizes(tuple(taps))),
        )
        fields += (("stride", stride),) if stride != 1 else ()
        return (
            []
            if module.transpose_kernel
            else [DerivedLayer(f"conv{rank}d_transpose", path, with_bias(fields, bias))]
        )
    groups = module.feature_group_count
    fields = (
        ("in_channels", first * groups),
        ("out_channels", second),
        ("kernel_size", compact_sizes(tuple(taps))),
    )
    fields += (("groups", groups),) if groups > 1 else ()
    return [DerivedLayer(f"conv{rank}d", path, with_bias(fields, bias))]


def _call_order(name: str, order: dict[str, int]) -> tuple[int, str]:
    """Return a key that sorts variables by the call of their module; JAX sorts them by name."""
    path = name.partition("/")[2].rpartition("/")[0]
    return order.get(path, len(order)), name


def _stride(strides: Any, rank: int) -> int | tuple[int, ...]:  # noqa: ANN401
    if strides is None:
        return 1
    steps = (strides,) * rank if isinstance(strides, int) else tuple(int(s) for s in strides)
    return steps[0] if len(set(steps)) == 1 else steps


def _nnx(module: Any) -> dict[str, Any]:  # noqa: ANN401
    from flax import nnx

    variables = {}
    for path, variable in nnx.to_flat_state(nnx.state(module)):
        variable_type = variable.type if hasattr(variable, "type") else type(variable)
        collection = "params" if issubclass(variable_type, nnx.Param) else None
        if issubclass(variable_type, nnx.BatchStat):
            collection = "batch_stats"
        name = "/".join(map(str, path))
        variables[f"{collection or variable_type.__name__}/{name}"] = (
            variable.get_value() if collection else variable
        )
    return variables


def _flat(tree: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by path."""
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            leaves |= _flat(value, f"{above}{key}/")
        else:
            leaves[f"{above}{key}"] = value
    return leaves
