"""The layers of a spec as chains: what feeds what, by their sizes alone. Pure; no arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lecun_cli.errors import UsageError
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers import AnyLayer
from lecun_cli.plan.types import PlannedLayer
from lecun_cli.propagation.forward import activation_of, operation_of
from lecun_cli.propagation.operation import AS_IT_IS, Operation
from lecun_cli.spec.expand import ExpandedLayer

FRESH = "input"
"""How a layer is fed that begins anew: with inputs of its own, of mean 0 and variance 1."""
TOKENS = "tokens"
"""The same of an embedding: token numbers, all as likely."""

_AFTER_NORMALIZATION = frozenset({"batch_normalization", "group_normalization"})
_NO_KERNEL = frozenset(
    {
        "layer_normalization",
        "rms_normalization",
        "batch_normalization",
        "group_normalization",
        "p_re_lu",
        "embedding",
    }
)


@dataclass(frozen=True)
class Link:
    """A layer in a chain.

    Attributes:
        name: The layer's path; a raw tensor's own name.
        layer: The layer, all sizes plain integers.
        planned: The same layer in the plan.
        operation: Its forward pass.
        entry: How it is fed: `FRESH`, `TOKENS`, or by the layer before, `AS_IT_IS`, `FLATTENED` or `POOLED`.
        shape: What enters, one sample, channels last; `()` for tokens.
        output: What leaves.
        activation: A key of `ACTIVATIONS`, or None.
    """

    name: str
    layer: AnyLayer
    planned: PlannedLayer
    operation: Operation
    entry: str
    shape: Shape
    output: Shape
    activation: str | None

    @property
    def begins(self) -> bool:
        """Whether it has inputs of its own."""
        return self.entry in {FRESH, TOKENS}


@dataclass(frozen=True)
class Chains:
    """All links in the order of the spec, and how many raw tensors are left out."""

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
    """Link the layers of a spec: each to the one before, if its sizes allow, else to inputs of its own.

    Args:
        layers: The layers of the spec.
        planned: The same in the plan.
        framework: A key of `FRAMEWORKS`.
        image: The size of images, one for every axis or one for each; if not given, the smallest that
            leads through the convolutions to the layer behind them.
        activation: The activation of the layers that name none, but the last. Where a batch or group
            normalisation follows, it comes after that.

    Raises:
        UsageError: No layer can be walked, or an image is smaller than a window.
    """
    walked = [
        (expanded.layer, layer_plan, operation)
        for expanded, layer_plan in zip(layers, planned, strict=True)
        if (operation := operation_of(expanded.layer_type, expanded.layer)) is not None
    ]
    if not walked:
        raise UsageError(
            "a forward pass needs layers, and the spec has raw tensors alone",
            help="give its matrices in_axes, which say what an output sums over",
        )
    links: list[Link] = []
    for k, (layer, layer_plan, operation) in enumerate(walked):
        before = links[-1].output if links else None
        entry = operation.enter(layer, before, framework) if before is not None else None
        if entry is None or before is None:
            size: Shape = ()
            if operation.rank(layer):
                rest = tuple((later, how) for later, _, how in walked[k : k + _FURTHEST])
                size = _image(rest, image, framework)
            shape = operation.fresh(layer, size)
            entry = FRESH if shape else TOKENS
            if shape and operation.enter(layer, shape, framework) is None:
                raise UsageError(
                    f'an image of {_by(shape[:-1])} is smaller than the window of "{layer_plan.name}"',
                    help="give a larger --image-size, or leave it out",
                )
        else:
            shape = before if entry == AS_IT_IS else operation.fresh(layer, ())
        output = operation.output(layer, shape)
        name = layer_plan.tensors[0][1] if layer_plan.layer_type == "tensor" else layer_plan.name
        links.append(Link(name, layer, layer_plan, operation, entry, shape, output, activation_of(layer)))
    if activation is not None:
        links = _assumed(links, activation)
    return Chains(tuple(links), len(layers) - len(walked))


_FURTHEST = 10_000  # layers that are looked at for the size of an image
Rest = tuple[tuple[AnyLayer, Operation], ...]


def _image(rest: Rest, sizes: Shape | None, framework: str) -> Shape:
    """The image that a chain begins with: as given, or the smallest that leads through the chain."""
    layer, operation = rest[0]
    rank = operation.rank(layer)
    if sizes is not None:
        if len(sizes) not in {1, rank}:
            raise UsageError(f"--image-size gives {len(sizes)} sizes, and an image has {rank} axes here")
        return sizes * rank if len(sizes) == 1 else sizes
    # Sizes along the image do not matter to whether channels fit, if they are large enough: so a first walk
    # through the convolutions finds where they end, and a second goes back to the size that leads there.
    large = (2**40,) * rank
    shape = operation.output(layer, (*large, layer.in_channels))  # type: ignore[union-attr]
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


def _assumed(links: list[Link], activation: str) -> list[Link]:
    """Links with an activation where a layer with a kernel names none, but for the last such layer."""
    kernels = [k for k, link in enumerate(links) if link.planned.layer_type not in _NO_KERNEL]
    changed = list(links)
    for k in kernels[:-1]:
        follower = links[k + 1]
        if links[k].activation is not None or follower.planned.layer_type == "p_re_lu":
            continue
        moved = follower.planned.layer_type in _AFTER_NORMALIZATION and not follower.begins
        at = k + 1 if moved else k
        changed[at] = replace(changed[at], activation=activation)
    return changed
