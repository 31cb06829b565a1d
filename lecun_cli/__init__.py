"""lecun-init: initial weights in a file, exact, with the same bits everywhere, in bounded memory.

A spec says what the layers are; a plan says what each tensor is; a file is made of a plan, with a manifest.

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
    fans, initializer and law. No array is made; 405 billion weights take 0.05 s.
    `generate(plan, path, GenerateOptions(...))` -> `GenerateResult`, with the `Manifest`. `-` is standard
    output.

Arrays, without a file
    `slice_tensor(plan, name, "0:2,:8")` makes any part of one tensor, the very elements of the file.
    `lecun_normal(shape, fan_in=, seed=, identity=, dtype=)` makes one array by its identity.

    >>> kernel = lecun_cli.lecun_normal((64, 100), fan_in=100, seed=42, identity="hidden/kernel")
    >>> bool((lecun_cli.slice_tensor(plan, "hidden/kernel") == kernel.T).all())
    True

Files, ours or anybody's
    `verify(path, regenerate=True)` -> a `VerifyReport` for each manifest: every digest, every bit from the
    seed.
    `read_manifest(path)` -> `Manifest`, all that is needed to make any tensor again.
    `inspect(path)` -> `Inspection`, of a `TensorReport` for each tensor: its statistics against its law, and
    a verdict.
    `derive_spec(source)` -> `Derivation`: the spec of a checkpoint, a config or a model.

What a network does with its weights
    `propagate(spec_or_path, compare=["he_normal"])` -> `Propagation`: mean and variance at every depth.

    >>> (run,) = lecun_cli.propagate(spec).runs
    >>> 0.9 < run.layers[0].variance < 1.1
    True

Errors
    Every error that a user can cause is a `LecunInitError`, whose text says the rule, what was found, where,
    and what to do, and whose `exit_code` is the command line's: `SpecError` and `PlanError` with all faults
    of a run, `UsageError`, `OutputError`, `ManifestError`, `WeightFileError`, `DeriveError`.

In a notebook a `Spec`, a `Plan` and a `Manifest` show a table, and `rich.print` shows the same. Nothing
heavy is imported before it is used: `import lecun_cli` loads no numpy.
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


def __getattr__(name: str) -> Any:  # noqa: ANN401 - any public thing
    name = _ALIASES.get(name, name)
    if name in _HOME:
        value = getattr(import_module(f"lecun_cli.{_HOME[name]}"), name)
        globals()[name] = value  # also where a module has the same name: the function is what is public
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
