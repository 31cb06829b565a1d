"""What a layer would give, by our own tables: a kind is recognised only where they reproduce the source."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache

from lecun_cli.derive.described_model import DerivedLayer, Fields, Tensor
from lecun_cli.derive.yaml_writer import layer_line
from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import DeriveError, SpecError
from lecun_cli.frameworks import FRAMEWORKS
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.fields import MAX_DIMENSION, MAX_NAME, split_path
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import Plan
from lecun_cli.spec.expand import MAX_LAYERS
from lecun_cli.spec.load import parse_spec

_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PLACEHOLDER = "Layer0Placeholder"


def settled(layer: DerivedLayer, source: dict[str, Tensor], framework: str) -> DerivedLayer | None:
    """A layer with the tensors of the source that it stands for, or None where they are not just those.

    Args:
        layer: A layer, its name whole and not yet a template.
        source: What the source has and no layer has taken, by name.
        framework: A key of `FRAMEWORKS`.
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
    """(name, shape, dtype if it is no float) of every tensor of a layer; none where it is no sound layer."""
    line = layer_line(DerivedLayer(layer_type, _PLACEHOLDER, fields))
    try:
        plan = make_plan(parse_spec(f"framework: {framework}\nlayers: [{line}]\n"))
    except SpecError:
        return ()
    return tuple((t.name, t.shape, None if DTYPES[t.dtype].is_float else t.dtype) for t in plan.tensors)


def check_tensors(tensors: tuple[Tensor, ...], source: str) -> None:
    """Refuse what no spec can name.

    Raises:
        DeriveError: A name, a shape or a dtype is beyond what a spec holds.
    """
    if not tensors:
        raise DeriveError(f"{source} holds no tensors", help="is it the file that was meant?")
    if len(tensors) > MAX_LAYERS:
        raise DeriveError(
            f"{source} holds {len(tensors):,} tensors, and a spec has at most {MAX_LAYERS:,} layers"
        )
    seen = set()
    for tensor in tensors:
        name = tensor.name
        shown = ascii(name if len(name) <= 60 else name[:57] + "...")
        if name in seen:
            raise DeriveError(f"{source} names the tensor {shown} twice")
        seen.add(name)
        if not name or len(name) > MAX_NAME:
            raise DeriveError(f"a name in {source} has from 1 to {MAX_NAME} characters, found {len(name)}")
        if _CONTROL.search(name):
            raise DeriveError(f"the name {shown} in {source} holds control characters")
        if tensor.dtype not in DTYPES:
            raise DeriveError(
                f"the tensor {shown} in {source} is {tensor.dtype}, which a spec has not",
                help=f"dtypes are: {', '.join(DTYPES)}",
            )
        if any(not 1 <= n <= MAX_DIMENSION for n in tensor.shape):
            raise DeriveError(
                f"the tensor {shown} in {source} has the shape {list(tensor.shape)}, "
                f"and a dimension is from 1 to {MAX_DIMENSION}",
                help="leave empty tensors out of the file",
            )


def compare(text: str, tensors: tuple[Tensor, ...] | None) -> Plan | str:
    """The plan of a spec's text, or what it gives otherwise than the source has it.

    Args:
        text: The spec.
        tensors: What the source has; None where it names layers only, and a sound spec is enough.
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
    """What the stream of a stored tensor is keyed with, or None where it packs several parameters."""
    if layer.layer_type == "tensor":
        return layer.name
    plan = make_plan(
        parse_spec(f"framework: {framework}\nlayers: [{layer_line(replace(layer, dtype=None))}]\n")
    )
    tensor = plan.tensor(name)
    return tensor.parts[0].identity if tensor is not None and len(tensor.parts) == 1 else None
