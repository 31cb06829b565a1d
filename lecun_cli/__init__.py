"""lecun-init: initial weights in a file, exact, with the same bits everywhere, in bounded memory.

    >>> import lecun_cli
    >>> spec = lecun_cli.parse_spec('''
    ... seed: 42
    ... layers:
    ...   - {type: dense, name: hidden, in_features: 100, out_features: 64, activation: selu}
    ... ''')
    >>> plan = lecun_cli.make_plan(spec)
    >>> [(tensor.name, tensor.shape) for tensor in plan.tensors]
    [('hidden/bias', (64,)), ('hidden/kernel', (100, 64))]

`generate(plan, "weights.safetensors")` makes the file, `verify` holds it against its manifest, `inspect`
holds every tensor of any file against its law, `slice_tensor` makes any part of one tensor, `lecun_normal`
makes one array, and `derive_spec` writes the spec of a model or a checkpoint. The names are those of the
command line. Nothing heavy is imported before it is used.
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
    from lecun_cli.generation import Options, Written, generate
    from lecun_cli.manifest import Manifest
    from lecun_cli.plan import Plan, TensorPlan, make_plan
    from lecun_cli.report.inspection import Inspection, TensorReport, inspect
    from lecun_cli.report.propagation import propagate
    from lecun_cli.report.propagation_result import Propagation
    from lecun_cli.slices import lecun_normal, slice_tensor
    from lecun_cli.spec.load import Spec, load_spec, parse_spec
    from lecun_cli.verification import Report, read_manifest, verify

_HOMES = {
    "derive": ("Derivation", "derive_spec"),
    "errors": (
        "DeriveError", "LecunInitError", "ManifestError", "OutputError", "PlanError", "SpecError",
        "UsageError", "WeightFileError",
    ),
    "generation": ("Options", "Written", "generate"),
    "manifest": ("Manifest",),
    "plan": ("Plan", "TensorPlan", "make_plan"),
    "report.inspection": ("Inspection", "TensorReport", "inspect"),
    "report.propagation": ("propagate",),
    "report.propagation_result": ("Propagation",),
    "slices": ("lecun_normal", "slice_tensor"),
    "spec.load": ("Spec", "load_spec", "parse_spec"),
    "verification": ("Report", "read_manifest", "verify"),
}  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Derivation",
    "DeriveError",
    "Inspection",
    "LecunInitError",
    "Manifest",
    "ManifestError",
    "Options",
    "OutputError",
    "Plan",
    "PlanError",
    "Propagation",
    "Report",
    "Spec",
    "SpecError",
    "TensorPlan",
    "TensorReport",
    "UsageError",
    "WeightFileError",
    "Written",
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
    if name in _HOME:
        value = getattr(import_module(f"lecun_cli.{_HOME[name]}"), name)
        globals()[name] = value  # also where a module has the same name: the function is what is public
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
