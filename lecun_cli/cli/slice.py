"""`lecun-init slice SPEC TENSOR [RANGE]`: print a slice of one tensor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lecun_cli.cli import completion
from lecun_cli.cli.option_groups import with_option_groups
from lecun_cli.cli.options import SpecArgument, SpecOptions, read_spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@with_option_groups
def slice_(
    spec: SpecArgument,
    tensor: Annotated[
        str,
        typer.Argument(
            metavar="TENSOR",
            help="Name of the tensor; lecun-init plan lists the names.",
            autocompletion=completion.tensors,
        ),
    ],
    selection: Annotated[
        str,
        typer.Argument(
            metavar="RANGE",
            help="As in NumPy, without steps: 3 or 0:2,:8 or [-1]. Default: the whole tensor.",
        ),
    ] = "",
    *,
    spec_options: SpecOptions,
    as_json: Annotated[bool, typer.Option("--json", help="Print nested lists as JSON.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the stored bytes, little-endian, in C order.")
    ] = False,
) -> None:
    """Print a slice of one tensor, with the values that the weight file contains.

    The other tensors, and the rest of this one, are not generated.

    Example: lecun-init slice spec.yaml hidden/kernel 0:2,:4
    """
    from lecun_cli.cli.report import emit
    from lecun_cli.errors import UsageError
    from lecun_cli.plan.planner import make_plan
    from lecun_cli.tensors.slices import slice_tensor

    if as_json and raw:
        raise UsageError("--json and --raw contradict each other")
    values = slice_tensor(make_plan(read_spec(spec, spec_options)), tensor, selection)
    if raw:
        from lecun_cli.output.destinations.stream import standard_output

        standard_output().write(0, memoryview(values.tobytes()))
    elif as_json:
        import json

        emit(json.dumps(_printable(values).tolist()))
    else:
        emit(_text(_printable(values)))


def _printable(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """Convert narrow floats to float32, which represents them exactly and prints all their digits."""
    import numpy as np

    return values.astype(np.float32) if values.dtype.itemsize < 4 and values.dtype.kind in "fV" else values


def _text(values: NDArray[np.generic]) -> str:
    """Return a line for each row of the last axis; every value is the shortest text that parses to it."""
    rows = values.reshape(-1, values.shape[-1]) if values.ndim else values.reshape(1, 1)
    return "\n".join(" ".join(str(value) for value in row) for row in rows)
