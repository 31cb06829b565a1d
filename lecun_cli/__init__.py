"""lecun-init: generate files of initial weights, exact, with the same bits everywhere, in bounded memory.

A spec describes layers, a plan describes tensors, and a plan is written to a weight file with a manifest.

    >>> import lecun_cli
    >>> spec = lecun_cli.parse_spec('''
    ... seed: 42
    ... layers:
    ...   - {type: dense, name: hidden, in_features: 100, out_features: 64, activation: selu}
    ... ''')
    >>> plan = lecun_cli.make_plan(spec)
    >>> plan
    <Plan: 2 tensors, 6,464 weights, 25.2 KiB, keras, fan rule exact, seed 42>
    >>> [(tensor.name, tensor.shape) for tensor in plan.tensors]
    [('hidden/bias', (64,)), ('hidden/kernel', (100, 64))]

From a spec to a file
    `load_spec(path_or_sample)`, `parse_spec(text)` -> `Spec`. The options of the command line are keywords:
    `seed`, `framework`, `dtype`, `fan_rule`, and `params` for `--set`.
    `make_plan(spec)` -> `Plan`, whose `tensors` are `TensorPlan`s: name, dtype, shape, and parts with their
    fans, initializer and distribution. It creates no arrays; 405 billion weights take 0.05 s.
    `generate(plan, path, GenerateOptions(...))` -> `GenerateResult`, with the `Manifest`. The path `-` means
    standard output.

Arrays, without a file
    `slice_tensor(plan, name, "0:2,:8")` returns a slice of one tensor, with the same elements as in the file.
    `lecun_normal(shape, fan_in=, seed=, identity=, dtype=)` returns one array by its identity.

    >>> kernel = lecun_cli.lecun_normal((64, 100), fan_in=100, seed=42, identity="hidden/kernel")
    >>> bool((lecun_cli.slice_tensor(plan, "hidden/kernel") == kernel.T).all())
    True

Weight files of any tool
    `verify(path, regenerate=True)` -> one `VerifyReport` per manifest: checks every digest, and every bit
    against the seed.
    `read_manifest(path)` -> `Manifest`, which is enough to draw any tensor again.
    `inspect(path)` -> `Inspection`, with a `TensorReport` per tensor: its statistics, compared with its
    expected distribution, and a verdict.
    `derive_spec(source)` -> `Derivation`: a spec for a checkpoint, a config or a model.

Signals through a network
    `propagate(spec_or_path, compare=["he_normal"])` -> `Propagation`: mean and variance at every depth.

    >>> (run,) = lecun_cli.propagate(spec).runs
    >>> 0.9 < run.layers[0].variance < 1.1
    True

Errors
    Every error that a user can cause is a `LecunInitError`. Its text says what is wrong, where, and what to
    do; its `exit_code` is that of the command line. Subclasses: `SpecError` and `PlanError` with all
    diagnostics of a run, `UsageError`, `OutputError`, `ManifestError`, `WeightFileError`, `DeriveError`.

A `Spec`, a `Plan` and a `Manifest` are shown as tables in a notebook and by `rich.print`. Heavy packages are
imported when they are used: `import lecun_cli` does not import numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lecun_cli._version import __version__

if TYPE_CHECKING:
    from lecun_cli.derive import Derivation, derive_spec
    from lecun_cli.errors import (
        DeriveError,
        LecunInitError,
        ManifestError,
        OutputError,
        PlanError,
        SpecError,
        UsageError,
        WeightFileError,
    )
    from lecun_cli.generation import GenerateOptions, GenerateResult, generate
    from lecun_cli.inspection.inspector import Inspection, TensorReport, inspect
    from lecun_cli.manifest.model import Manifest
    from lecun_cli.manifest.reader import read_manifest
    from lecun_cli.plan.planner import make_plan
    from lecun_cli.plan.types import Plan, TensorPlan
    from lecun_cli.propagation.propagator import propagate
    from lecun_cli.propagation.result import Propagation
    from lecun_cli.spec.load import Spec, load_spec, parse_spec
    from lecun_cli.tensors.arrays import lecun_normal
    from lecun_cli.tensors.slices import slice_tensor
    from lecun_cli.verification import VerifyReport, verify

_HOMES = {
    "derive": ("Derivation", "derive_spec"),
    "errors": (
        "DeriveError", "LecunInitError", "ManifestError", "OutputError", "PlanError", "SpecError",
        "UsageError", "WeightFileError",
    ),
    "generation": ("GenerateOptions", "GenerateResult", "generate"),
    "manifest.model": ("Manifest",),
    "plan.types": ("Plan", "TensorPlan"),
    "plan.planner": ("make_plan",),
    "inspection.inspector": ("Inspection", "TensorReport", "inspect"),
    "propagation.propagator": ("propagate",),
    "propagation.result": ("Propagation",),
    "tensors.arrays": ("lecun_normal",),
    "tensors.slices": ("slice_tensor",),
    "spec.load": ("Spec", "load_spec", "parse_spec"),
    "verification": ("VerifyReport", "verify"),
    "manifest.reader": ("read_manifest",),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}
_ALIASES = {"Options": "GenerateOptions", "Report": "VerifyReport", "Written": "GenerateResult"}
"""Names of earlier releases, which still work."""

__all__ = [
    "Derivation",
    "DeriveError",
    "GenerateOptions",
    "GenerateResult",
    "Inspection",
    "LecunInitError",
    "Manifest",
    "ManifestError",
    "OutputError",
    "Plan",
    "PlanError",
    "Propagation",
    "Spec",
    "SpecError",
    "TensorPlan",
    "TensorReport",
    "UsageError",
    "VerifyReport",
    "WeightFileError",
    "__version__",
    "derive_spec",
    "generate",
    "inspect",
    "lecun_normal",
    "load_spec",
    "make_plan",
    "parse_spec",
    "propagate",
    "read_manifest",
    "slice_tensor",
    "verify",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public object
    name = _ALIASES.get(name, name)
    if name in _HOME:
        value = getattr(import_module(f"lecun_cli.{_HOME[name]}"), name)
        globals()[name] = value  # the public name wins over a submodule with the same name
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
