"""What `propagate` finds: plain, frozen values."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from lecun_cli.display.tables import MOST_ROWS, Table, TableRepr
from lecun_cli.display.text import counted
from lecun_cli.initializers.fans import Shape
from lecun_cli.propagation.signal_verdict import Verdict


@dataclass(frozen=True)
class LayerMoments:
    """A layer's output over all samples and features, before and after its activation.

    Attributes:
        depth: Counts the layers from 1, whatever their chains.
        name: The layer's path.
        kind: Its `type`.
        activation: A key of `ACTIVATIONS`, or None.
        entry: `input` or `tokens` where a chain begins; else how the layer before feeds it: as it is
            (empty), `flattened` or `pooled`.
        shape: One sample of its output, channels last.
        samples: How many.
        mean: Of its output. Not finite where float32 overflowed, as in the next three.
        variance: Of its output.
        mean_before: Before the activation.
        variance_before: Before the activation.
    """

    depth: int
    name: str
    kind: str
    activation: str | None
    entry: str
    shape: Shape
    samples: int
    mean: float
    variance: float
    mean_before: float
    variance_before: float

    @property
    def begins(self) -> bool:
        """Whether it has inputs of its own."""
        return self.entry in {"input", "tokens"}


@dataclass(frozen=True)
class Run:
    """One forward pass.

    Attributes:
        initializer: What the random kernels follow: a name, `spec` where they follow several, or `file`.
        layers: In order.
        verdict: On the longest chain, without softmax layers, whose outputs are no signal.
    """

    initializer: str
    layers: tuple[LayerMoments, ...]
    verdict: Verdict


@dataclass(frozen=True, repr=False)
class Propagation(TableRepr):
    """Forward passes of the same inputs.

    Attributes:
        source: What was walked, for titles.
        framework: Whose orders and defaults (epsilons, `leaky_relu`, `gelu`) are in force.
        seed: The seed of the weights that are drawn.
        input_seed: The seed of the inputs.
        runs: The spec's or file's own first, then one for each initializer to compare.
        notes: What was assumed.
    """

    source: str
    framework: str
    seed: int
    input_seed: int
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    def table(self) -> Table:
        """What `repr`, rich and notebooks show: the variance after every layer, in every run."""
        layers = self.runs[0].layers
        verdicts = ", ".join(f"{run.initializer} {run.verdict.kind}" for run in self.runs)
        title = f"Propagation through {self.source}: {counted(len(layers), 'layer')}, {verdicts}"
        rows = tuple(
            (each[0].name, each[0].activation or "", *(f"{layer.variance:.3g}" for layer in each))
            for each in list(zip(*(run.layers for run in self.runs), strict=True))[:MOST_ROWS]
        )
        names = (f"variance, {run.initializer}" for run in self.runs)
        return Table(title, ("layer", "activation", *names), rows, len(layers))

    def to_json(self) -> dict[str, Any]:
        """As plain values; what is not finite is null."""
        values: dict[str, Any] = _finite(asdict(self))
        return values


def _finite(value: Any) -> Any:  # noqa: ANN401 - plain values
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
