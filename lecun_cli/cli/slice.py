"""`lecun-init slice SPEC TENSOR [RANGE]`: any part of one tensor, without making the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.options import (
    DTypeOption,
    FanRuleOption,
    FrameworkOption,
    SeedOption,
    SetOption,
    SpecArgument,
    read_spec,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def slice_(
    spec: SpecArgument,
    tensor: Annotated[
        str,
        typer.Argument(
            metavar="TENSOR", help="The tensor's name; plan lists them.", autocompletion=completion.tensors
        ),
    ],
    selection: Annotated[
        str,
        typer.Argument(metavar="RANGE", help="As in NumPy, without steps: 3 or 0:2,:8 or [-1]; else all."),
    ] = "",
    seed: SeedOption = None,
    framework: FrameworkOption = None,
    dtype: DTypeOption = None,
    assignments: SetOption = None,
    fan_rule: FanRuleOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print nested lists as JSON.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the stored bytes, little-endian, in C order.")
    ] = False,
) -> None:
    """Print any part of one tensor as the file would hold it, without making the rest.

    Example: lecun-init slice spec.yaml hidden/kernel 0:2,:4
    """
    from lecun_cli.cli.report import emit
    from lecun_cli.errors import UsageError
    from lecun_cli.plan.planner import make_plan
    from lecun_cli.tensors.slices import slice_tensor

    if as_json and raw:
        raise UsageError("--json and --raw contradict each other")
    plan = make_plan(
        read_spec(
            spec, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, assignments=assignments
        )
    )
    values = slice_tensor(plan, tensor, selection)
    if raw:
        from lecun_cli.output.destinations.stream import standard_output

        standard_output().write(0, memoryview(values.tobytes()))
    elif as_json:
        import json

        emit(json.dumps(_exact(values).tolist()))
    else:
        emit(_text(_exact(values)))


def _exact(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same values in a type that prints them whole: the narrow floats as float32."""
    import numpy as np

    return values.astype(np.float32) if values.dtype.itemsize < 4 and values.dtype.kind in "fV" else values


def _text(values: NDArray[np.generic]) -> str:
    """One line for each row of the last axis; every value as the shortest text that gives it back."""
    rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    return "\n".join(" ".join(str(value) for value in row) for row in rows)
