"""`lecun-init plan SPEC`: what a spec makes, and what it costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lecun_cli.cli.options import (
    DTypeOption,
    FanRuleOption,
    FrameworkOption,
    JsonOption,
    SeedOption,
    SetOption,
    SpecArgument,
    read_spec,
)

if TYPE_CHECKING:
    from lecun_cli.plan.types import Plan


def plan(
    spec: SpecArgument,
    seed: SeedOption = None,
    framework: FrameworkOption = None,
    dtype: DTypeOption = None,
    assignments: SetOption = None,
    fan_rule: FanRuleOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the tensors of a spec, their fans, std and sizes, and what they will cost. Nothing is made.

    Example: lecun-init plan spec.yaml --framework torch
    """
    import json

    from lecun_cli.cli.report import Column, emit, fitted_table, warn
    from lecun_cli.display.tables import RIGHT, TENSOR_COLUMNS, tensor_row
    from lecun_cli.plan.planner import make_plan

    made = make_plan(
        read_spec(
            spec, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, assignments=assignments
        )
    )
    warn(made.warnings)
    if as_json:
        emit(json.dumps(_json(made), ensure_ascii=False))
        return
    columns = [Column(name, right=name in RIGHT, rank=_RANKS.get(name, 0)) for name in TENSOR_COLUMNS]
    fitted_table(columns, [tensor_row(tensor) for tensor in made.tensors])
    emit("")
    emit("\n".join(_cost(made)))


_RANKS = {"initializer": 1, "weights": 2, "dtype": 3}
"""How little a column matters, where a terminal is too narrow for all."""


def _cost(made: Plan) -> list[str]:
    from pathlib import Path

    from lecun_cli.display.units import format_nbytes
    from lecun_cli.output.destinations.local_file import free_nbytes

    dtypes = ", ".join(dict.fromkeys(tensor.dtype for tensor in made.tensors))
    seed = "drawn when the file is made" if made.seed is None else str(made.seed)
    return [
        f"{len(made.tensors):,} tensors, {made.n_elements:,} weights, {format_nbytes(made.nbytes)} "
        f"({made.nbytes:,} bytes); {format_nbytes(free_nbytes(Path.cwd()))} free here",
        f"framework {made.framework}, {dtypes}, fan rule {made.fan_rule}, seed {seed}",
    ]


def _json(made: Plan) -> dict[str, Any]:
    tensors = []
    for tensor in made.tensors:
        parts = [
            {
                "identity": part.identity,
                "initializer": part.initializer.to_json(),
                "fan_in": None if part.fans is None else part.fans.fan_in,
                "fan_out": None if part.fans is None else part.fans.fan_out,
                "exact_fan_in": None if part.exact is None else part.exact.fan_in,
                "std": part.law.std,
                "bound": part.law.bound,
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
        "seed": made.seed,
        "framework": made.framework,
        "fan_rule": made.fan_rule,
        "elements": made.n_elements,
        "bytes": made.nbytes,
        "tensors": tensors,
    }
