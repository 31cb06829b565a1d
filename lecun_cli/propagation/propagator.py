"""Unit-variance inputs through the layers of a spec, layer by layer: mean and variance at every depth.

This is what LeCun normal is for: with it, 32 SELU layers keep mean 0 and variance 1 (Klambauer et al.,
arXiv:1706.02515), and with another the signal visibly explodes or vanishes.

Memory is bounded: one input and one output at a time, of as many samples as fit, and kernels in blocks,
drawn from the seed or read from a file. Moments are in float64, products in float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lecun_cli.errors import UsageError
from lecun_cli.initializers.family import Initializer, InitializerError, make
from lecun_cli.initializers.fans import Shape
from lecun_cli.layers.operation import POOLED
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import Plan
from lecun_cli.propagation.activations import ACTIVATIONS
from lecun_cli.propagation.chain import Chains, Link, chain
from lecun_cli.propagation.layer_weights import ReadParameter, drawn, from_file, is_random_kernel
from lecun_cli.propagation.network_source import Network, read_network
from lecun_cli.propagation.result import LayerMoments, Propagation, Run
from lecun_cli.propagation.signal_verdict import judge
from lecun_cli.propagation.walk import moments, outputs
from lecun_cli.spec.load import Spec

MOST_SIGNAL_NBYTES = 2**28
"""Bytes of the samples that enter a layer and of those that leave it, together."""
_MOST_SAMPLES = 1024
_FEWEST_IMAGES = 8
_POSITIONS = 2**15  # places of all images that a chain begins with, if it is not said how many

Progress = Callable[[int, str], None]
"""(bytes of weights gone through, the layer at work)"""


def propagate(
    source: Network | Spec | str | Path,
    *,
    weights: str | Path | None = None,
    compare: Sequence[str] = (),
    activation: str | None = None,
    samples: int | None = None,
    image_size: Shape | None = None,
    input_seed: int = 0,
    progress: Progress | None = None,
) -> Propagation:
    """Walk unit-variance inputs through the layers of a spec.

    A layer is fed by the one before where its sizes allow, else by inputs of its own: a spec is a list of
    layers, and sums, branches and pooling between them are not in it. Convolutions have stride 1 and no
    padding, batch normalisation its stored statistics, attention and recurrent layers one position.

    Args:
        source: A spec, the path of one, or that of a weight file, whose layers `derive_spec` recognises.
        weights: A weight file that holds the layers of the spec; if not given, they are drawn as the file
            would hold them.
        compare: Names of initializers, each of which takes the place of that of every random kernel.
        activation: The activation of the layers that name none, but the last.
        samples: Inputs of every chain; if not given, 1024, and fewer of large images.
        image_size: Of convolutions: one size for every axis, or one for each; if not given, the smallest
            that leads through them.
        input_seed: The inputs are `lecun_normal((samples, *shape), fan_in=1, seed=input_seed,
            identity="propagate/" + name)` of the layer that they enter, channels last: std 1, cut at 2.27.
        progress: Told of every layer.

    Raises:
        UsageError: An argument is out of its range, no layer can be walked, or the file is not the spec's.
        SpecError: The spec has faults.
        DeriveError: No layers are recognised in the file.
        WeightFileError: The file is damaged.

    Example:
        >>> from lecun_cli.spec.load import parse_spec
        >>> text = "{type: dense, name: a, in_features: 256, out_features: 256, activation: selu}"
        >>> run = propagate(parse_spec(f"{{seed: 1, layers: [{text}]}}")).runs[0]
        >>> abs(run.layers[0].mean) < 0.1 and 0.8 < run.layers[0].variance < 1.2
        True
    """
    _check(activation, samples, image_size, input_seed)
    network = _network(source)
    spec = network.spec
    weights = network.weights if weights is None else Path(weights)
    initializers = {name: _initializer(name) for name in compare}
    plan = make_plan(spec)
    chains = chain(spec.layers, plan.layers, plan.framework, image=image_size, activation=activation)
    counts = _samples(chains, samples)
    seed = plan.seed or 0
    walk = _Walk(plan, chains, counts, input_seed, progress)
    own_label = "file" if weights is not None else _label(plan)
    first = drawn(seed) if weights is None else from_file(weights, plan)
    runs = [walk.run(own_label, first)]
    for name, initializer in initializers.items():
        if name != own_label:
            runs.append(walk.run(name, drawn(seed, initializer)))
    notes = network.notes + _notes(
        plan, chains, counts, samples, activation, drawn_any=weights is None or len(runs) > 1
    )
    name = weights.name if weights is not None else Path(spec.source).name
    return Propagation(name, plan.framework, seed, input_seed, tuple(runs), notes)


def _network(source: Network | Spec | str | Path) -> Network:
    if isinstance(source, Spec):
        return Network(source)
    return source if isinstance(source, Network) else read_network(source)


def _check(activation: str | None, samples: int | None, image_size: Shape | None, input_seed: int) -> None:
    if activation is not None and activation not in ACTIVATIONS:
        raise UsageError(
            f'there is no activation "{activation}"', help=f"activations are: {', '.join(ACTIVATIONS)}"
        )
    if samples is not None and not 2 <= samples <= 2**24:
        raise UsageError(f"samples are from 2 to {2**24:,}, found {samples}")
    if image_size is not None and any(n < 1 for n in image_size):
        raise UsageError(f"a size of an image is at least 1, found {'x'.join(map(str, image_size))}")
    if not 0 <= input_seed < 2**64:
        raise UsageError(f"a seed is from 0 to 2**64 - 1, found {input_seed}")


def _initializer(name: str) -> Initializer:
    try:
        initializer = make(name)
    except InitializerError as error:
        raise UsageError(error.message, help=error.help) from error
    if not initializer.is_random:
        raise UsageError(
            f"{name} draws nothing, so every signal ends in it", help="compare initializers that are random"
        )
    return initializer


def _label(plan: Plan) -> str:
    """What the random kernels of a plan follow, if it is one initializer; else `spec`."""
    initializers = {
        part.initializer for tensor in plan.tensors for part in tensor.parts if is_random_kernel(part)
    }
    return initializers.pop().name if len(initializers) == 1 else "spec"


def _samples(chains: Chains, samples: int | None) -> tuple[int, ...]:
    """How many samples each link has: those of its chain."""
    counts: list[int] = []
    for links in segments(chains.links):
        widest = max(math.prod(link.shape) + math.prod(link.output) for link in links)
        fit = MOST_SIGNAL_NBYTES // (4 * widest)
        if fit < 1:
            raise UsageError(
                f'one sample through "{links[0].name}" and what follows takes {4 * widest:,} bytes, '
                f"and at most {MOST_SIGNAL_NBYTES:,} are used",
                help="give a smaller --image-size",
            )
        positions = math.prod(links[0].shape[:-1])
        usual = (
            _MOST_SAMPLES
            if positions == 1
            else max(_FEWEST_IMAGES, min(_MOST_SAMPLES, _POSITIONS // positions))
        )
        counts += [min(fit, samples or usual)] * len(links)
    return tuple(counts)


def segments(links: Sequence[Link]) -> Iterator[tuple[Link, ...]]:
    """The chains, each from a layer with inputs of its own."""
    starts = [k for k, link in enumerate(links) if link.begins]
    for start, stop in zip(starts, [*starts[1:], len(links)], strict=True):
        yield tuple(links[start:stop])


@dataclass
class _Walk:
    """What all runs have in common."""

    plan: Plan
    chains: Chains
    samples: tuple[int, ...]
    input_seed: int
    progress: Progress | None
    done: int = 0

    @cached_property
    def nbytes(self) -> dict[str, int]:
        """Bytes of every tensor, by name."""
        return {tensor.name: tensor.nbytes for tensor in self.plan.tensors}

    def run(self, initializer: str, read_parameter: ReadParameter) -> Run:
        layers: list[LayerMoments] = []
        passes = outputs(self.plan, self.chains.links, self.samples, read_parameter, self.input_seed)
        for depth, ((link, before, x), samples) in enumerate(zip(passes, self.samples, strict=True), 1):
            after = moments(x) if link.activation not in {None, "linear"} else before
            layers.append(
                LayerMoments(
                    depth, link.name, link.planned.layer_type, link.activation, link.entry, link.output,
                    samples, *after, *before,
                )
            )  # fmt: skip
            if self.progress is not None:
                self.done += sum(self.nbytes[name] for _, name in link.planned.tensors)
                self.progress(self.done, link.name)
        return Run(initializer, tuple(layers), judge(_longest(layers)))


def _longest(layers: Sequence[LayerMoments]) -> list[float]:
    """The variances of the longest chain, without softmax."""
    best: list[float] = []
    current: list[float] = []
    for layer in layers:
        if layer.begins:
            current = []
        if layer.activation != "softmax":
            current.append(layer.variance)
        if len(current) > len(best):
            best = current
    return best


def _notes(
    plan: Plan,
    chains: Chains,
    counts: Sequence[int],
    samples: int | None,
    activation: str | None,
    *,
    drawn_any: bool,
) -> tuple[str, ...]:
    links = chains.links
    notes = []
    starts = sum(link.begins for link in links)
    if plan.seed is None and drawn_any:
        notes.append("the spec gives no seed: 0 stands for it")
    if starts > 1:
        notes.append(
            f"{starts - 1:,} of {len(links):,} layers begin anew with inputs of their own, as the sizes "
            "before them do not fit: a list of layers holds no sums and no branches; the verdict is on the "
            "longest chain"
        )
    images = [link for link in links if link.begins and len(link.shape) > 1]
    if images:
        sizes = ", ".join(sorted({"x".join(map(str, link.shape[:-1])) for link in images}))
        notes.append(
            f"convolutions have stride 1 and no padding, on images of {sizes}; nothing is pooled between"
        )
    notes += dict.fromkeys(link.operation.note for link in links if link.operation.note is not None)
    if any(link.entry == POOLED for link in links):
        notes.append(
            "an image is averaged over its places where a layer reads no more features than it has channels"
        )
    if activation is not None:
        notes.append(
            f"layers that name no activation have {activation}, but the last; where a batch or group "
            "normalisation follows, after that"
        )
    if chains.left_out:
        notes.append(f"{chains.left_out:,} raw tensors are left out: they do not say how they are used")
    if samples is not None and min(counts) < samples:
        notes.append(f"{min(counts):,} samples in place of {samples:,} where more would not fit in memory")
    return tuple(notes)
