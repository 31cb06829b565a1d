"""Link the layers of a spec to chains: which layer feeds which, by their sizes alone; no arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from lecun_cli.errors import UsageError
from lecun_cli.frameworks import FRAMEWORKS, Framework
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers import LAYER_TYPES, AnyLayer
from lecun_cli.layers.operation import AS_IS, Operation
from lecun_cli.plan.types import PlannedLayer
from lecun_cli.spec.expand import ExpandedLayer

FRESH = "input"
"""Entry of a layer that starts a chain: inputs of mean 0 and variance 1."""
TOKENS = "tokens"
"""Entry of an embedding, which starts a chain: token IDs, uniformly distributed."""


@dataclass(frozen=True)
class Link:
    """A layer in a chain.

    Attributes:
        name: Path of the layer; for a raw tensor, its name.
        layer: The layer, with all sizes as integers.
        planned: The same layer in the plan.
        operation: Its forward pass.
        entry: How the signal enters: `FRESH` or `TOKENS` at the start of a chain; from the layer before,
            `AS_IS`, `FLATTENED` or `POOLED`.
        shape: Shape of the input, one sample, channels last; `()` for token IDs.
        output: Shape of the output.
        activation: A key of `ACTIVATIONS`, or None.
    """

    name: str
    layer: AnyLayer
    planned: PlannedLayer
    operation: Operation[Any]
    entry: str
    shape: Shape
    output: Shape
    activation: str | None

    @property
    def begins(self) -> bool:
        """If true, the layer starts a chain."""
        return self.entry in {FRESH, TOKENS}


@dataclass(frozen=True)
class Chains:
    """All chains of a spec.

    Attributes:
        links: The links of all chains, in the order of the spec.
        left_out: Number of raw tensors that are not part of a forward pass.
    """

    links: tuple[Link, ...]
    left_out: int


def chain(
    layers: tuple[ExpandedLayer, ...],
    planned: tuple[PlannedLayer, ...],
    framework: str,
    *,
    image: Shape | None = None,
    activation: str | None = None,
) -> Chains:
    """Link each layer of a spec to the layer before it if the sizes fit, or start a new chain.

    Args:
        layers: The layers of the spec.
        planned: The same layers in the plan.
        framework: A key of `FRAMEWORKS`.
        image: Size of the images: one for all axes, or one for each; by default, the smallest that fits
            through the convolutions to the layer after them.
        activation: Activation of the layers that do not name one, except the last. If a batch or group
            normalization follows, the activation comes after it.

    Raises:
        UsageError: No layer takes part in a forward pass, a layer type is not supported, or an image is
            smaller than a window.
    """
    conventions = FRAMEWORKS[framework]
    walked = [
        (expanded.layer, layer_plan, operation)
        for expanded, layer_plan in zip(layers, planned, strict=True)
        if (operation := operation_of(expanded.layer_type)).applies_to(expanded.layer)
    ]
    if not walked:
        raise UsageError(
            "a forward pass needs layers, but the spec has only raw tensors",
            help="give its matrices in_axes, the axes that an output sums over",
        )
    links: list[Link] = []
    for k, (layer, layer_plan, operation) in enumerate(walked):
        before = links[-1].output if links else None
        entry = operation.enter(layer, before, conventions) if before is not None else None
        if entry is None or before is None:
            size: Shape = ()
            if operation.rank(layer):
                rest = tuple((later, how) for later, _, how in walked[k : k + _FURTHEST])
                size = _image(rest, image, conventions)
            shape = operation.fresh(layer, size)
            entry = FRESH if shape else TOKENS
            if shape and operation.enter(layer, shape, conventions) is None:
                raise UsageError(
                    f'an image of {_by(shape[:-1])} is smaller than the window of "{layer_plan.name}"',
                    help="give a larger --image-size, or omit it",
                )
        else:
            shape = before if entry == AS_IS else operation.fresh(layer, ())
        output = operation.output(layer, shape)
        name = layer_plan.tensors[0][1] if layer_plan.layer_type == "tensor" else layer_plan.name
        links.append(Link(name, layer, layer_plan, operation, entry, shape, output, activation_of(layer)))
    if activation is not None:
        links = _with_activation(links, activation)
    return Chains(tuple(links), len(layers) - len(walked))


def operation_of(layer_type: str) -> Operation[Any]:
    """Return the forward pass of a layer type.

    Raises:
        UsageError: The layer type does not have one.
    """
    operation = LAYER_TYPES[layer_type].operation
    if operation is None:
        raise UsageError(
            f"propagate does not support {layer_type} yet", help="use a spec without layers of this type"
        )
    return operation


def activation_of(layer: AnyLayer) -> str | None:
    """Return the activation that a spec gives a layer, or None."""
    activation: str | None = getattr(layer, "activation", None)
    return activation


_FURTHEST = 10_000  # maximum number of layers that determine the size of an image
Rest = tuple[tuple[AnyLayer, Operation[Any]], ...]


def _image(rest: Rest, sizes: Shape | None, framework: Framework) -> Shape:
    """Return the image at the start of a chain.

    Args:
        rest: The layers that may be part of the chain, the first of which takes an image.
        sizes: Size of the images, as in `chain`.
        framework: The framework.
    """
    layer, operation = rest[0]
    rank = operation.rank(layer)
    if sizes is not None:
        if len(sizes) not in {1, rank}:
            raise UsageError(f"--image-size: expected 1 or {rank} sizes, got {len(sizes)}")
        return sizes * rank if len(sizes) == 1 else sizes
    # Whether the channels fit does not depend on the size of the image, if it is large enough. So the first
    # pass finds the last layer that takes an image, and the second goes back to the size that leads there.
    large = (2**40,) * rank
    shape = operation.output(layer, operation.fresh(layer, large))
    through = [(layer, operation)]
    target = (1,) * rank
    for later, how in rest[1:]:
        demanded = how.demands(later, shape[-1], rank, framework)
        if demanded is not None or how.before is None or how.enter(later, shape, framework) is None:
            target = demanded or target
            break
        through.append((later, how))
        shape = how.output(later, shape)
    for passed, how in reversed(through):
        if how.before is not None:
            target = how.before(passed, target)
    return target


def _by(image: Shape) -> str:
    return "x".join(map(str, image))


def _with_activation(links: list[Link], activation: str) -> list[Link]:
    """Give an activation to each layer with a kernel that does not name one, except the last."""
    types = [LAYER_TYPES[link.planned.layer_type] for link in links]
    kernels = [k for k, layer_type in enumerate(types) if layer_type.has_kernel]
    changed = list(links)
    for k in kernels[:-1]:
        follower = links[k + 1]
        if links[k].activation is not None or types[k + 1].is_activation:
            continue
        moved = types[k + 1].precedes_activation and not follower.begins
        at = k + 1 if moved else k
        changed[at] = replace(changed[at], activation=activation)
    return changed
