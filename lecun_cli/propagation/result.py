"""Results of `propagate`: frozen values."""

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
    """Moments of a layer's output over all samples and features, before and after its activation.

    The moments are not finite if float32 overflowed.

    Attributes:
        depth: Number of the layer, from 1, across all chains.
        name: Path of the layer.
        kind: Its layer type.
        activation: A key of `ACTIVATIONS`, or None.
        entry: `input` or `tokens` at the start of a chain; otherwise how the signal of the layer before
            enters: unchanged (an empty string), `flattened` or `pooled`.
        shape: Shape of one sample of the output, channels last.
        samples: Number of samples.
        mean: Mean of the output.
        variance: Variance of the output.
        mean_before: Mean before the activation.
        variance_before: Variance before the activation.
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
        """If true, the layer starts a chain."""
        return self.entry in {"input", "tokens"}


@dataclass(frozen=True)
class Run:
    """One forward pass.

    Attributes:
        initializer: The initializer of the random kernels, `spec` if they have several, or `file`.
        layers: The moments of each layer, in order.
        verdict: The verdict on the longest chain, without softmax layers, whose outputs are probabilities.
    """

    initializer: str
    layers: tuple[LayerMoments, ...]
    verdict: Verdict


@dataclass(frozen=True, repr=False)
class Propagation(TableRepr):
    """Forward passes of the same inputs.

    Attributes:
        source: Name of the spec or weight file, for titles.
        framework: The framework whose storage orders and defaults (epsilons, `leaky_relu`, `gelu`) are used.
        seed: Seed of the drawn weights.
        input_seed: Seed of the inputs.
        runs: The run of the spec or file first, then one for each initializer to compare.
        notes: Assumptions, for the user.
    """

    source: str
    framework: str
    seed: int
    input_seed: int
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    def table(self) -> Table:
        """Return the table of `repr`, rich and notebooks: the variance after each layer, in each run."""
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
        """Return plain values for JSON; values that are not finite become None."""
        values: dict[str, Any] = _finite(asdict(self))
        return values


def _finite(value: Any) -> Any:  # noqa: ANN401 - plain values
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
