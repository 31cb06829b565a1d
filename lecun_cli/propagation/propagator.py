"""Propagate unit-variance inputs through the layers of a spec, and measure mean and variance at each depth.

LeCun normal keeps the signal steady: with it, 32 SELU layers keep mean 0 and variance 1 (Klambauer et al.,
arXiv:1706.02515), while with other initializers the signal can explode or vanish.

Memory is bounded: one input and one output at a time, of as many samples as fit, and kernels in blocks,
drawn from the seed or read from a file. Moments are computed in float64, products in float32.
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
"""Maximum bytes of the input and the output of a layer together."""
_MOST_SAMPLES = 1024
_FEWEST_IMAGES = 8
_POSITIONS = 2**15  # positions of all images at the start of a chain, if `samples` is not given

Progress = Callable[[int, str], None]
"""Callback `(bytes_done, layer_name)`; the bytes are those of the weights."""


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
    """Propagate unit-variance inputs through the layers of a spec.

    The input of a layer is the output of the layer before it if the sizes fit; otherwise the layer starts a
    new chain with inputs of its own. A spec is a list of layers, without the sums, branches and pooling
    between them. Convolutions have stride 1 and no padding, batch normalization uses its stored statistics,
    and attention and recurrent layers process one position.

    Args:
        source: A spec, the path of a spec, or that of a weight file, whose layers `derive_spec` recognizes.
        weights: A weight file with the layers of the spec; by default, the weights are drawn exactly as the
            file would contain them.
        compare: Names of initializers. For each, a further run replaces the initializer of every random
            kernel.
        activation: Activation of the layers that do not name one, except the last.
        samples: Number of inputs of each chain; by default 1024, and fewer for large images.
        image_size: Size of the images for convolutions: one for all axes, or one for each; by default, the
            smallest that fits through the convolutions.
        input_seed: Seed of the inputs. They are `lecun_normal((samples, *shape), fan_in=1, seed=input_seed,
            identity="propagate/" + name)` for the layer that starts the chain, channels last, with std 1 and
            bound 2.27.
        progress: Called after each layer.

    Returns:
        The moments after each layer in each run, a verdict on each run, and notes about assumptions.

    Raises:
        UsageError: An argument is out of range, the spec has no layer for a forward pass, or the weight file
            does not belong to the spec.
        SpecError: The spec is not valid.
        DeriveError: The layers of the file cannot be recognized.
        WeightFileError: The file is corrupt.

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
            f'unknown activation "{activation}"', help=f"the activations are: {', '.join(ACTIVATIONS)}"
        )
    if samples is not None and not 2 <= samples <= 2**24:
        raise UsageError(f"samples: expected 2 to {2**24:,}, got {samples}")
    if image_size is not None and any(n < 1 for n in image_size):
        raise UsageError(f"image size: expected at least 1, got {'x'.join(map(str, image_size))}")
    if not 0 <= input_seed < 2**64:
        raise UsageError(f"input seed: expected 0 to 2**64 - 1, got {input_seed}")


def _initializer(name: str) -> Initializer:
    try:
        initializer = make(name)
    except InitializerError as error:
        raise UsageError(error.message, help=error.help) from error
    if not initializer.is_random:
        raise UsageError(
            f"cannot compare {name}: expected a random initializer",
            help="for example lecun_normal or he_normal",
        )
    return initializer


def _label(plan: Plan) -> str:
    """Return the initializer of all random kernels of a plan, or `spec` if they have several."""
    initializers = {
        part.initializer for tensor in plan.tensors for part in tensor.parts if is_random_kernel(part)
    }
    return initializers.pop().name if len(initializers) == 1 else "spec"


def _samples(chains: Chains, samples: int | None) -> tuple[int, ...]:
    """Return the number of samples of each link, which is that of its chain."""
    counts: list[int] = []
    for links in segments(chains.links):
        widest = max(math.prod(link.shape) + math.prod(link.output) for link in links)
        fit = MOST_SIGNAL_NBYTES // (4 * widest)
        if fit < 1:
            raise UsageError(
                f'memory for one sample of the chain from "{links[0].name}": expected at most '
                f"{MOST_SIGNAL_NBYTES:,} bytes, got {4 * widest:,}",
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
    """Yield the links of each chain."""
    starts = [k for k, link in enumerate(links) if link.begins]
    for start, stop in zip(starts, [*starts[1:], len(links)], strict=True):
        yield tuple(links[start:stop])


@dataclass
class _Walk:
    """The state that all runs share."""

    plan: Plan
    chains: Chains
    samples: tuple[int, ...]
    input_seed: int
    progress: Progress | None
    done: int = 0

    @cached_property
    def nbytes(self) -> dict[str, int]:
        """Bytes of each tensor, by name."""
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
    """Return the variances of the longest chain, without softmax layers."""
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
        notes.append("the spec has no seed: seed 0 is used")
    if starts > 1:
        notes.append(
            f"{starts - 1:,} of {len(links):,} layers start a new chain with inputs of their own, because "
            "the sizes do not fit: a list of layers does not contain sums and branches; the verdict is on "
            "the longest chain"
        )
    images = [link for link in links if link.begins and len(link.shape) > 1]
    if images:
        sizes = ", ".join(sorted({"x".join(map(str, link.shape[:-1])) for link in images}))
        notes.append(
            f"convolutions have stride 1 and no padding, on images of {sizes}, without pooling between them"
        )
    notes += dict.fromkeys(link.operation.note for link in links if link.operation.note is not None)
    if any(link.entry == POOLED for link in links):
        notes.append(
            "an image is averaged over its positions where the next layer has as many features as the image "
            "has channels"
        )
    if activation is not None:
        notes.append(
            f"layers that do not name an activation have {activation}, except the last; if a batch or group "
            "normalization follows, the activation comes after it"
        )
    if chains.left_out:
        notes.append(
            f"{chains.left_out:,} raw tensors are left out, because the spec does not say how they are used"
        )
    if samples is not None and min(counts) < samples:
        notes.append(f"{min(counts):,} samples instead of {samples:,} where more do not fit in memory")
    return tuple(notes)
