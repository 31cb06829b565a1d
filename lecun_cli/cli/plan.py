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
    from collections.abc import Iterator

    from lecun_cli.plan import Part, Plan


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

    from lecun_cli.cli.report import emit, table, warn
    from lecun_cli.plan import make_plan

    made = make_plan(
        read_spec(
            spec, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, assignments=assignments
        )
    )
    warn(made.warnings)
    if as_json:
        emit(json.dumps(_json(made), ensure_ascii=False))
        return
    columns = ["tensor", "dtype", "shape", "initializer", "fan_in", "std", "weights"]
    table(columns, _rows(made), right=frozenset({"fan_in", "std", "weights"}))
    emit("\n".join(_cost(made)))


def _rows(made: Plan) -> Iterator[list[str]]:
    for tensor in made.tensors:
        first = tensor.parts[0]
        yield [
            tensor.name,
            tensor.dtype,
            "x".join(map(str, tensor.shape)) or "scalar",
            first.initializer.name,
            _fan(first),
            f"{first.law.std:.4g}" if first.initializer.is_random else "",
            f"{tensor.n_elements:,}",
        ]


def _fan(part: Part) -> str:
    """The fan-in in force, and the exact one beside it where the two differ."""
    if part.fans is None or not part.initializer.needs_fans:
        return ""
    shown = f"{part.fans.fan_in:.10g}"
    if part.exact is not None and part.exact.fan_in != part.fans.fan_in:
        return f"{shown} (exact {part.exact.fan_in:.10g})"
    return shown


def _cost(made: Plan) -> list[str]:
    from pathlib import Path

    from lecun_cli.local_file import free_nbytes
    from lecun_cli.sizes import format_nbytes

    seed = "drawn when the file is made" if made.seed is None else str(made.seed)
    return [
        f"{len(made.tensors):,} tensors, {made.n_elements:,} weights, {format_nbytes(made.nbytes)} "
        f"({made.nbytes:,} bytes); {format_nbytes(free_nbytes(Path.cwd()))} free here",
        f"framework {made.framework}, fan rule {made.fan_rule}, seed {seed}",
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
