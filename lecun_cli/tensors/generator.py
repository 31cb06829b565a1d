"""Generate any range or box of a planned tensor from the stream."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lecun_cli.initializers.distributions import Constant
from lecun_cli.plan.types import PackedParameter, TensorPlan
from lecun_cli.stream._kernel import bindings
from lecun_cli.stream.constant import constant
from lecun_cli.stream.fill import Scratch, fill, fill_box, fill_runs
from lecun_cli.stream.philox import key_of, key_prefix
from lecun_cli.stream.sampler import make_sampler
from lecun_cli.tensors.boxes import Box, Runs, boxes_of_range, full_box, runs_of, split, to_draw

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_DRAWN = 2**18
"""Number of elements of a transposed part that are drawn at once, so that they stay in the CPU cache."""

Range = tuple[TensorPlan, int, int, int]
"""(tensor, start, nbytes, offset): a range of a stored tensor, and its offset in the output, in bytes."""


class TensorGenerator:
    """Generates elements of tensors under one seed. Each thread needs a generator of its own.

    Args:
        seed: The seed, 0 to 2**64 - 1.
    """

    def __init__(self, seed: int) -> None:
        self._prefix = key_prefix(seed)
        self._drawn = np.empty(0, np.uint8)

    @cached_property
    def _scratch(self) -> Scratch:
        """Working memory, which is needed only if the C kernel is not used."""
        return Scratch()

    def draw_ranges(self, ranges: Iterable[Range], out: NDArray[np.uint8]) -> None:
        """Generate ranges of many tensors into one buffer.

        Args:
            ranges: The ranges; they do not overlap in `out`.
            out: The buffer, one-dimensional.
        """
        runs = []
        batched = bindings.available()
        template = packed = None
        itemsize = 1
        for tensor, start, nbytes, offset in ranges:
            if tensor.template is not template:
                template = tensor.template
                itemsize = tensor.storage.itemsize
                packed = _packed_sampler(tensor) if batched else None
            if packed is None:
                elements = out[offset : offset + nbytes].view(tensor.storage.numpy())
                self.draw_range(tensor, start // itemsize, elements)
            else:
                key = key_of(self._prefix, tensor.identities[0])
                runs.append(bindings.packed_run(packed, key, start // itemsize, offset, nbytes // itemsize))
        if runs:
            bindings.draw_runs(out, runs)

    def draw_range(self, tensor: TensorPlan, start: int, out: NDArray[np.generic]) -> None:
        """Generate the elements `start` to `start + len(out)` of a tensor, in C order of its stored shape.

        Args:
            tensor: The tensor.
            start: Index of the first element.
            out: A one-dimensional array of the tensor's dtype, little-endian; it may be unaligned.
        """
        if tensor.concat_axis > 0:
            done = 0
            for box in boxes_of_range(tensor.shape, start, start + len(out)):
                self.draw_box(tensor, box, out[done : done + box.n_elements].reshape(box.dims))
                done += box.n_elements
            return
        at = 0
        for part in tensor.parts:
            first, last = max(start, at), min(start + len(out), at + part.n_elements)
            if first < last:
                self._draw_part_range(tensor, part, first - at, out[first - start : last - start])
            at += part.n_elements

    def draw_box(self, tensor: TensorPlan, box: Box, out: NDArray[np.generic]) -> None:
        """Generate a box of a tensor.

        Args:
            tensor: The tensor.
            box: A box of its stored shape.
            out: An array of shape `box.dims` and of the tensor's dtype, with any strides.
        """
        if len(tensor.parts) == 1 and tensor.parts[0].shape == tensor.shape:
            self._draw_part_box(tensor, tensor.parts[0], box, out)
        elif tensor.concat_axis > 0:
            at = 0
            for part in tensor.parts:
                share = box.cut(tensor.concat_axis, at, at + part.shape[tensor.concat_axis])
                if share is not None:
                    inner = share.shifted(tensor.concat_axis, -at)
                    self._draw_part_box(tensor, part, inner, out[share.within(box)])
                at += part.shape[tensor.concat_axis]
        else:  # axes are merged: a box of the tensor is not a box of a part, but its runs are ranges of parts
            runs = runs_of(tensor.shape, box)
            flat = np.empty((runs.count, runs.length), tensor.storage.numpy())
            for row, start in zip(flat, _starts(runs).tolist(), strict=True):
                self.draw_range(tensor, start, row)
            out[...] = flat.reshape(box.dims)

    def _draw_part_range(
        self, tensor: TensorPlan, part: PackedParameter, start: int, out: NDArray[np.generic]
    ) -> None:
        if part.in_order:
            fill(
                out,
                part.distribution,
                key_of(self._prefix, part.identity),
                start,
                tensor.storage,
                self._scratch,
            )
            return
        done = 0
        for box in boxes_of_range(part.shape, start, start + len(out)):
            self._draw_part_box(tensor, part, box, out[done : done + box.n_elements].reshape(box.dims))
            done += box.n_elements

    def _draw_part_box(
        self, tensor: TensorPlan, part: PackedParameter, box: Box, out: NDArray[np.generic]
    ) -> None:
        if isinstance(part.distribution, Constant):
            out[...] = constant(part.distribution.value, tensor.storage)
            return
        for axis in part.flip:
            box = box.flipped(axis, part.shape[axis])
            out = np.flip(out, axis)
        axes = part.axes or tuple(range(len(part.shape)))
        shape = part.canonical_shape
        if self._draw_natively(tensor, part, box.permuted(axes), out.transpose(np.argsort(axes))):
            return
        for block in split(box.permuted(axes), _MOST_DRAWN):
            for share in split(to_draw(shape, block), _MOST_DRAWN):
                kept = block.overlap(share)
                if kept is not None:
                    drawn = self._draw_canonical(tensor, part, share)
                    stored = Box(
                        tuple(kept.starts[axis] for axis in axes), tuple(kept.stops[axis] for axis in axes)
                    )
                    out[stored.within(box)] = drawn[kept.within(share)].transpose(axes)

    def _draw_natively(
        self, tensor: TensorPlan, part: PackedParameter, box: Box, out: NDArray[np.generic]
    ) -> bool:
        """Draw with the C kernel in one pass, and return true, if it is available.

        Args:
            tensor: The tensor.
            part: A part of it.
            box: A box of the canonical parameter.
            out: An array of shape `box.dims`, with canonical axes.
        """
        shape = part.canonical_shape
        counts = tuple(math.prod(shape[k + 1 :]) for k in range(len(shape)))
        start = sum(a * count for a, count in zip(box.starts, counts, strict=True))
        key = key_of(self._prefix, part.identity)
        return fill_box(out, part.distribution, key, start, counts, tensor.storage)

    def _draw_canonical(self, tensor: TensorPlan, part: PackedParameter, box: Box) -> NDArray[np.generic]:
        """Return a box of the canonical parameter, in a buffer that the next call overwrites."""
        dtype = tensor.storage
        nbytes = box.n_elements * dtype.itemsize
        if len(self._drawn) < nbytes:
            self._drawn = np.empty(_MOST_DRAWN * dtype.itemsize, np.uint8)
        flat = self._drawn[:nbytes].view(dtype.numpy())
        runs = runs_of(part.canonical_shape, box)
        key = key_of(self._prefix, part.identity)
        if runs.count == 1:
            fill(flat, part.distribution, key, runs.base, dtype, self._scratch)
        else:
            fill_runs(
                flat.reshape(runs.count, runs.length),
                part.distribution,
                key,
                _starts(runs),
                dtype,
                self._scratch,
            )
        return flat.reshape(box.dims)


def _packed_sampler(tensor: TensorPlan) -> bytes | None:
    """Return the kernel's sampler for a tensor whose ranges are runs of one stream, else None."""
    first, *more = tensor.template.parts
    if more or not first.in_order or isinstance(first.distribution, Constant):
        return None
    return bindings.packed_sampler(make_sampler(first.distribution, tensor.storage))


def _starts(runs: Runs) -> NDArray[np.int64]:
    """Return the index of the first element of every run."""
    starts = np.full((), runs.base, np.int64)
    for count, stride in runs.outer:
        starts = np.add.outer(starts, np.arange(count, dtype=np.int64) * stride)
    return starts.reshape(-1)


def draw_tensor(tensor: TensorPlan, seed: int, box: Box | None = None) -> NDArray[np.generic]:
    """Return a tensor, or a box of it, as an array.

    Args:
        tensor: The tensor.
        seed: The seed, 0 to 2**64 - 1.
        box: A box of its stored shape. If None, the whole tensor.

    Returns:
        An array of the box's shape and of the tensor's dtype, little-endian.
    """
    box = full_box(tensor.shape) if box is None else box
    out = np.empty(box.dims, tensor.storage.numpy())
    generator = TensorGenerator(seed)
    if box == full_box(tensor.shape):
        generator.draw_range(tensor, 0, out.reshape(-1))
    else:
        generator.draw_box(tensor, box, out)
    return out
