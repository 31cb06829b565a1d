"""Slots that Keras and Flax share: channels last, `(in, out)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lecun_cli.frameworks.base import FanAxes, Slot, Slots, slot

if TYPE_CHECKING:
    from lecun_cli.layers.einsum_dense import EinsumDense

BIAS = slot("bias", "bias")


def conv(rank: int) -> Slots:
    """Return `kernel (*window, in / groups, out)` and `bias (out,)`.

    Args:
        rank: Number of axes of the window.
    """
    window = tuple(range(2, 2 + rank))
    return (slot("kernel", "kernel", (*window, 1, 0)), BIAS)


def einsum(layer: EinsumDense) -> Slots:
    """Return `kernel` in the order of its axes in the equation, and `bias`.

    Keras's EinsumDense counts the axes that are summed over as inputs, and all others as outputs.
    """
    terms = layer.terms
    inputs = tuple(k for k, axis in enumerate(terms.kernel) if axis in terms.summed)
    outputs = tuple(k for k, axis in enumerate(terms.kernel) if axis not in terms.summed)
    return (Slot("kernel", ("kernel",), terms.stored_axes, fan_axes=FanAxes(inputs, outputs)), BIAS)


def attention(output: str) -> Slots:
    """Return `query/kernel (embed, heads, head)`, the same for key and value, and the output projection.

    The kernel of the output projection is `(heads, head, embed)`. Both frameworks compute the fans from the
    axes of the heads: Keras in EinsumDense, Flax in DenseGeneral.

    Args:
        output: The name of the output projection.
    """
    inward = FanAxes((0,), (1, 2))
    slots: list[Slot] = []
    for name in ("query", "key", "value"):
        slots.append(Slot(f"{name}/kernel", (f"{name}/kernel",), (2, 0, 1), fan_axes=inward))
        slots.append(slot(f"{name}/bias", f"{name}/bias"))
    outward = FanAxes((0, 1), (2,))
    slots.append(Slot(f"{output}/kernel", ("output/kernel",), (1, 2, 0), fan_axes=outward))
    slots.append(slot(f"{output}/bias", "output/bias"))
    return tuple(slots)
