"""`lecun-init plan SPEC`: list the tensors of a spec and their cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.cli.option_groups import with_option_groups
from lecun_cli.cli.options import JsonOption, SpecArgument, SpecOptions, read_spec

if TYPE_CHECKING:
    from lecun_cli.plan.types import Plan


@with_option_groups
def plan(spec: SpecArgument, *, spec_options: SpecOptions, as_json: JsonOption = False) -> None:
    """Show the tensors of a spec with their fans, standard deviations and sizes. Writes no file.

    Example: lecun-init plan spec.yaml --framework torch
    """
    import json

    from lecun_cli.cli.report import Column, emit, fitted_table, warn
    from lecun_cli.display.tables import RIGHT, TENSOR_COLUMNS, tensor_row
    from lecun_cli.plan.planner import make_plan

    tensor_plan = make_plan(read_spec(spec, spec_options))
    warn(tensor_plan.warnings)
    if as_json:
        emit(json.dumps(_json(tensor_plan), ensure_ascii=False))
        return
    columns = [Column(name, right=name in RIGHT, rank=_RANKS.get(name, 0)) for name in TENSOR_COLUMNS]
    fitted_table(columns, [tensor_row(tensor) for tensor in tensor_plan.tensors])
    emit("")
    emit("\n".join(_summary(tensor_plan)))


_RANKS = {"initializer": 1, "weights": 2, "dtype": 3}
"""The columns that a narrow terminal drops, the highest rank first."""


def _summary(plan: Plan) -> list[str]:
    from pathlib import Path

    from lecun_cli.display.text import counted
    from lecun_cli.display.units import format_nbytes
    from lecun_cli.output.destinations.local_file import free_nbytes

    free = format_nbytes(free_nbytes(Path.cwd()))
    dtypes = ", ".join(dict.fromkeys(tensor.dtype for tensor in plan.tensors))
    seed = "drawn when the file is generated" if plan.seed is None else str(plan.seed)
    return [
        f"{counted(len(plan.tensors), 'tensor')}, {counted(plan.n_elements, 'weight')}, "
        f"{format_nbytes(plan.nbytes)} ({plan.nbytes:,} bytes); {free} free here",
        f"framework {plan.framework}, {dtypes}, fan rule {plan.fan_rule}, seed {seed}",
    ]


def _json(plan: Plan) -> dict[str, Any]:
    tensors = []
    for tensor in plan.tensors:
        parts = [
            {
                "identity": part.identity,
                "initializer": part.initializer.to_json(),
                "fan_in": None if part.fans is None else part.fans.fan_in,
                "fan_out": None if part.fans is None else part.fans.fan_out,
                "exact_fan_in": None if part.exact is None else part.exact.fan_in,
                "std": part.distribution.std,
                "bound": part.distribution.bound,
            }
            for part in tensor.parts
        ]
        tensors.append(
            {
                "name": tensor.name,
                "dtype": tensor.dtype,
                "shape": list(tensor.shape),
                "elements": tensor.n_elements,
                "bytes": tensor.nbytes,
                "parts": parts,
            }
        )
    return {
        "seed": plan.seed,
        "framework": plan.framework,
        "fan_rule": plan.fan_rule,
        "elements": plan.n_elements,
        "bytes": plan.nbytes,
        "tensors": tensors,
    }
