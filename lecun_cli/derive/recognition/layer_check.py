"""Check derived layers: plan them and compare the planned tensors with those of the source.

A layer counts as recognized only if its plan reproduces the tensors of the source exactly.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor
from lecun_cli.derive.yaml_writer import layer_line
from lecun_cli.display.text import CONTROL_CHARACTERS, quote
from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import DeriveError, SpecError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.fields import MAX_DIMENSION, MAX_NAME, split_path
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import Plan
from lecun_cli.spec.expand import MAX_LAYERS
from lecun_cli.spec.load import parse_spec

_PLACEHOLDER = "Layer0Placeholder"


def with_stored(layer: DerivedLayer, source: dict[str, Tensor], framework: str) -> DerivedLayer | None:
    """Return a layer with the tensors of the source that it describes.

    Args:
        layer: A layer with its full name, which is not a template yet.
        source: Tensors of the source that do not belong to a layer yet, by name.
        framework: A key of `FRAMEWORKS`.

    Returns:
        The layer with `stored` filled in, or None if the source does not have exactly its tensors.
    """
    name = layer.name
    path = split_path(name)
    if not all(path) or FRAMEWORKS[framework].separator.join(path) != name:
        return None
    expected = _tensors_of(framework, layer.layer_type, layer.fields)
    stored = []
    for template, shape, fixed in expected:
        tensor = source.get(template.replace(_PLACEHOLDER, name, 1))
        if tensor is None or tensor.shape != shape:
            return None
        if (tensor.dtype if not DTYPES[tensor.dtype].is_float else None) != fixed:
            return None
        stored.append(tensor)
    return replace(layer, stored=tuple(stored)) if stored else None


@lru_cache(maxsize=4096)
def _tensors_of(framework: str, layer_type: str, fields: Fields) -> tuple[tuple[str, Shape, str | None], ...]:
    """Return the (name, shape, dtype or None for floats) of a layer's tensors; empty if it is invalid."""
    line = layer_line(DerivedLayer(layer_type, _PLACEHOLDER, fields))
    try:
        plan = make_plan(parse_spec(f"framework: {framework}\nlayers: [{line}]\n"))
    except SpecError:
        return ()
    return tuple((t.name, t.shape, None if DTYPES[t.dtype].is_float else t.dtype) for t in plan.tensors)


def check_tensors(tensors: tuple[Tensor, ...], source: str) -> None:
    """Check that a spec can describe all tensors of a source.

    Args:
        tensors: The tensors of the source.
        source: Name of the source for messages.

    Raises:
        DeriveError: The source has no tensors or too many, or a spec does not allow a name, shape or dtype.
    """
    if not tensors:
        raise DeriveError(f"{source} contains no tensors", help="check that it is the intended file")
    if len(tensors) > MAX_LAYERS:
        raise DeriveError(
            f"too many tensors in {source}: expected at most {MAX_LAYERS:,}, got {len(tensors):,}"
        )
    seen = set()
    for tensor in tensors:
        name = tensor.name
        shown = quote(name)
        if name in seen:
            raise DeriveError(f"{source} contains two tensors named {shown}")
        seen.add(name)
        if not name or len(name) > MAX_NAME:
            raise DeriveError(
                f"invalid tensor name in {source}: expected 1 to {MAX_NAME:,} characters, got {len(name):,}"
            )
        if CONTROL_CHARACTERS.search(name):
            raise DeriveError(f"the tensor name {shown} in {source} contains control characters")
        if tensor.dtype not in DTYPES:
            raise DeriveError(
                f'tensor {shown} in {source}: unknown dtype "{tensor.dtype}"',
                help=f"supported dtypes: {', '.join(DTYPES)}",
            )
        if any(not 1 <= n <= MAX_DIMENSION for n in tensor.shape):
            raise DeriveError(
                f"tensor {shown} in {source}: expected dimensions from 1 to {MAX_DIMENSION}, "
                f"got the shape {list(tensor.shape)}",
                help="remove empty tensors from the file",
            )


def compare(text: str, tensors: tuple[Tensor, ...] | None) -> Plan | str:
    """Plan the text of a spec and compare its tensors with those of the source.

    Args:
        text: The spec.
        tensors: The tensors of the source, or None if it names only layers; then a valid spec is enough.

    Returns:
        The plan if it has exactly these tensors, else the first difference as text.
    """
    try:
        plan = make_plan(parse_spec(text))
    except SpecError as error:
        return str(error)
    if tensors is None:
        return plan
    planned = {Tensor(t.name, t.shape, t.dtype) for t in plan.tensors}
    other = min(planned ^ set(tensors), key=lambda t: t.name, default=None)
    return plan if other is None else f"{other.name} {list(other.shape)} {other.dtype}"


def identity_of(layer: DerivedLayer, name: str, framework: str) -> str | None:
    """Return the stream identity of a stored tensor, or None if it packs several parameters."""
    if layer.layer_type == "tensor":
        return layer.name
    plan = make_plan(
        parse_spec(f"framework: {framework}\nlayers: [{layer_line(replace(layer, dtype=None))}]\n")
    )
    tensor = plan.tensor(name)
    return tensor.parts[0].identity if tensor is not None and len(tensor.parts) == 1 else None
