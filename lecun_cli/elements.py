"""The elements of a planned tensor: any range or box of it, made from the stream and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lecun_cli.boxes import Box, boxes_of_range, runs_of, split, to_draw, whole
from lecun_cli.laws import Constant
from lecun_cli.stream.fill import Scratch, fill, fill_runs
from lecun_cli.stream.philox import stream_key

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lecun_cli.plan import Part, TensorPlan

Array = "NDArray[np.generic]"

_MOST_DRAWN = 2**18
"""Elements of a transposed part that are drawn at once: they and their place stay in the cache."""


class Drawer:
    """Makes elements of tensors under one seed; each thread has its own, with its own buffers.

    Args:
        seed: The seed, 0 to 2**64 - 1.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._scratch = Scratch()
        self._drawn = np.empty(0, np.uint8)

    def draw_range(self, tensor: TensorPlan, start: int, out: NDArray[np.generic]) -> None:
        """Make the elements `start .. start + len(out)` of a tensor, in the C order of its stored shape.

        Args:
            tensor: The tensor.
            start: The first element.
            out: One axis, of the tensor's dtype, little-endian; it may be unaligned.
        """
        if len(tensor.parts) == 1 and _in_order(tensor.parts[0]):
            self._fill(tensor.parts[0], start, tensor, out)
            return
        done = 0
        for box in boxes_of_range(tensor.shape, start, start + len(out)):
            self.draw_box(tensor, box, out[done : done + box.n_elements].reshape(box.dims))
            done += box.n_elements

    def draw_box(self, tensor: TensorPlan, box: Box, out: NDArray[np.generic]) -> None:
        """Make a box of a tensor.

        Args:
            tensor: The tensor.
            box: A box in its stored shape.
            out: An array of the box's dims, of the tensor's dtype; it may be a view with any strides.
        """
        at = 0
        for part in tensor.parts:
            if len(tensor.parts) == 1:
                self._draw_part(tensor, part, box, out)
                return
            length = part.shape[tensor.along]
            share = box.cut(tensor.along, at, at + length)
            if share is not None:
                self._draw_part(tensor, part, share.shifted(tensor.along, -at), out[share.within(box)])
            at += length

    def _draw_part(self, tensor: TensorPlan, part: Part, box: Box, out: NDArray[np.generic]) -> None:
        if isinstance(part.law, Constant):
            out[...] = _constant(part.law, tensor)
            return
        axes = part.axes or tuple(range(len(part.shape)))
        shape = part.canonical_shape
        wanted = box.permuted(axes)
        for piece in split(wanted, _MOST_DRAWN):
            drawn_box = to_draw(shape, piece)
            for share in split(drawn_box, _MOST_DRAWN):
                drawn = self._draw_canonical(tensor, part, share)
                kept = _overlap(piece, share)
                if kept is None:
                    continue
                source = drawn[kept.within(share)].transpose(axes)
                stored = Box(
                    tuple(kept.starts[axis] for axis in axes), tuple(kept.stops[axis] for axis in axes)
                )
                out[stored.within(box)] = source

    def _draw_canonical(self, tensor: TensorPlan, part: Part, box: Box) -> NDArray[np.generic]:
        """A box of the canonical parameter, in a buffer that the next call reuses."""
        dtype = tensor.storage
        nbytes = box.n_elements * dtype.itemsize
        if len(self._drawn) < nbytes:
            self._drawn = np.empty(_MOST_DRAWN * dtype.itemsize, np.uint8)
        flat = self._drawn[:nbytes].view(dtype.numpy())
        runs = runs_of(part.canonical_shape, box)
        key = stream_key(self.seed, part.identity)
        if runs.count == 1:
            fill(flat, part.law, key, runs.base, dtype, self._scratch)
        else:
            starts = np.full((), runs.base, np.int64)
            for count, stride in runs.outer:
                starts = np.add.outer(starts, np.arange(count, dtype=np.int64) * stride)
            fill_runs(
                flat.reshape(runs.count, runs.length), part.law, key, starts.reshape(-1), dtype, self._scratch
            )
        return flat.reshape(box.dims)

    def _fill(self, part: Part, start: int, tensor: TensorPlan, out: NDArray[np.generic]) -> None:
        fill(out, part.law, stream_key(self.seed, part.identity), start, tensor.storage, self._scratch)


def _in_order(part: Part) -> bool:
    return part.axes is None or isinstance(part.law, Constant)


def _overlap(a: Box, b: Box) -> Box | None:
    starts = tuple(map(max, a.starts, b.starts))
    stops = tuple(map(min, a.stops, b.stops))
    return Box(starts, stops) if all(x < y for x, y in zip(starts, stops, strict=True)) else None


def _constant(law: Constant, tensor: TensorPlan) -> NDArray[np.generic]:
    one = np.empty(1, tensor.storage.numpy())
    fill(one, law, (0, 0), 0, tensor.storage, Scratch())
    return one[0]  # type: ignore[no-any-return]


def draw_tensor(tensor: TensorPlan, seed: int, box: Box | None = None) -> NDArray[np.generic]:
    """A tensor, or a box of it, as an array.

    Args:
        tensor: The tensor.
        seed: The seed.
        box: A box in its stored shape; the whole tensor if not given.
    """
    box = whole(tensor.shape) if box is None else box
    out = np.empty(box.dims, tensor.storage.numpy())
    drawer = Drawer(seed)
    if box == whole(tensor.shape):
        drawer.draw_range(tensor, 0, out.reshape(-1))
    else:
        drawer.draw_box(tensor, box, out)
    return out
