"""Generate a slice of one tensor, without generating the rest."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lecun_cli.display.text import shape_text
from lecun_cli.errors import UsageError
from lecun_cli.initializers.fans import Shape
from lecun_cli.tensors.boxes import Box

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lecun_cli.plan.types import Plan, TensorPlan


@dataclass(frozen=True)
class Selection:
    """A box of a tensor, and the shape of the result, which lacks the axes of single indices.

    Attributes:
        box: The box of the stored shape.
        shape: The shape of the result.
    """

    box: Box
    shape: Shape


def parse_range(text: str, shape: Shape) -> Selection:
    """Parse a selection in NumPy's notation without steps: `3`, `0:5`, `:, -1`.

    Args:
        text: The notation. Axes that it omits are selected in full.
        shape: The stored shape of the tensor.

    Raises:
        UsageError: The text is not a selection, or selects no elements of the shape.
    """
    inner = text.strip().strip("[]").strip()
    items = [item.strip() for item in inner.split(",")] if inner else []
    if len(items) > len(shape):
        raise UsageError(
            f'range "{text}": expected at most {len(shape)} axes, got {len(items)}',
            help=f"the shape of the tensor is {shape_text(shape)}",
        )
    starts, stops, kept = [], [], []
    for axis, n in enumerate(shape):
        item = items[axis] if axis < len(items) else ":"
        low, colon, high = item.partition(":")
        try:
            if colon:
                start, stop, _ = slice(int(low) if low else None, int(high) if high else None).indices(n)
                kept.append(stop - start)
            else:
                start = int(low) + n if int(low) < 0 else int(low)
                stop = start + 1
        except ValueError:
            raise UsageError(
                f'"{item}" is neither an index nor a range',
                help="write 3, 0:5 or : for every axis, for example 0:2,:8",
            ) from None
        if not 0 <= start < stop <= n:
            raise UsageError(
                f'"{item}" selects nothing from an axis of {n}', help=f"its elements are 0 to {n - 1}"
            )
        starts.append(start)
        stops.append(stop)
    return Selection(Box(tuple(starts), tuple(stops)), tuple(kept))


def find_tensor(plan: Plan, name: str) -> TensorPlan:
    """Return the tensor of a name.

    Raises:
        UsageError: The plan has no such tensor; the error suggests the most similar name.
    """
    tensor = plan.tensor(name)
    if tensor is None:
        close = difflib.get_close_matches(name, [t.name for t in plan.tensors], n=1)
        advice = f"did you mean {close[0]}?" if close else "lecun-init plan SPEC lists them"
        raise UsageError(f'the spec has no tensor "{name}"', help=advice)
    return tensor


def slice_tensor(plan: Plan, name: str, text: str = "") -> NDArray[np.generic]:
    """Return a slice of a tensor, equal to the elements in the weight file.

    Args:
        plan: A plan with a seed.
        name: The tensor's name.
        text: The slice, in NumPy's notation without steps. If empty, the whole tensor.

    Returns:
        An array of the selected shape and of the tensor's dtype, little-endian.

    Raises:
        UsageError: The plan has no seed or no such tensor, or the slice is empty or not valid.

    Example:
        >>> slice_tensor(make_plan(load_spec("lenet5", seed=1)), "c1/kernel", "0,0,:,:2").shape
        (1, 2)
    """
    from lecun_cli.tensors.generator import draw_tensor

    if plan.seed is None:
        raise UsageError("a slice needs a seed, but the spec has no seed", help="give --seed")
    tensor = find_tensor(plan, name)
    selection = parse_range(text, tensor.shape)
    return draw_tensor(tensor, plan.seed, selection.box).reshape(selection.shape)
