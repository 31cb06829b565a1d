"""Tests of layouts and of the chunks into which they are cut."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.dtypes import DTYPES
from lecun_cli.formats import FORMATS
from lecun_cli.formats.segments import (
    BLOCK_ELEMENTS,
    Chunk,
    Extent,
    FileLayout,
    Literal,
    Segment,
    check_gapless,
    chunks,
    cut_nbytes,
)
from lecun_cli.initializers.family import make
from tests.conftest import PLAIN, mixed_plan, tensor

ZEROS = make("zeros")


@st.composite
def layouts(draw: st.DrawFn) -> FileLayout:
    """Return a layout of a few literals and tensors."""
    segments: list[Segment] = []
    at = 0
    for i in range(draw(st.integers(1, 8))):
        segment: Segment
        if draw(st.booleans()):
            dtype = draw(st.sampled_from(sorted(DTYPES)))
            shape = tuple(draw(st.lists(st.integers(1, 30), max_size=3)))
            axes = tuple(draw(st.permutations(range(len(shape))))) if draw(st.booleans()) else None
            segment = Extent(at, tensor(shape, axes or None, dtype, ZEROS, f"t{i}"))
        else:
            segment = Literal(at, b"x" * draw(st.integers(1, 200)))
        segments.append(segment)
        at += segment.nbytes
    return FileLayout("test", at, tuple(segments))


def step_of(segment: Segment, chunk_nbytes: int) -> int:
    return cut_nbytes(segment.tensor, chunk_nbytes) if isinstance(segment, Extent) else 1


def largest(chunk: Chunk) -> int:
    return max(
        BLOCK_ELEMENTS * segment.tensor.storage.itemsize if isinstance(segment, Extent) else 1
        for segment, _, _ in chunk.parts
    )


class TestChunks:
    @given(layouts(), st.integers(1, 3000))
    def test_cover_the_file_without_gap_or_overlap(self, layout: FileLayout, chunk_nbytes: int) -> None:
        at = 0
        for index, chunk in enumerate(chunks(layout, chunk_nbytes)):
            assert (chunk.index, chunk.offset) == (index, at)
            for segment, start, stop in chunk.parts:
                assert segment.offset + start == at
                assert start < stop <= segment.nbytes
                at += stop - start
            assert chunk.nbytes == at - chunk.offset
        assert at == layout.nbytes

    @given(layouts(), st.integers(1, 3000))
    def test_are_at_most_a_chunk_or_one_block(self, layout: FileLayout, chunk_nbytes: int) -> None:
        for chunk in chunks(layout, chunk_nbytes):
            assert chunk.nbytes <= chunk_nbytes or (len(chunk.parts) == 1 and chunk.nbytes <= largest(chunk))

    @given(layouts(), st.integers(1, 3000))
    def test_cut_tensors_between_blocks_of_the_stream(self, layout: FileLayout, chunk_nbytes: int) -> None:
        for chunk in chunks(layout, chunk_nbytes):
            for segment, start, stop in chunk.parts:
                block = step_of(segment, chunk_nbytes)
                assert start % block == 0
                assert stop % block == 0 or stop == segment.nbytes

    @given(layouts(), st.integers(64, 3000))
    def test_are_as_few_as_possible(self, layout: FileLayout, chunk_nbytes: int) -> None:
        chunk_list = list(chunks(layout, chunk_nbytes))
        for chunk, after in itertools.pairwise(chunk_list):
            assert chunk.nbytes + step_of(after.parts[0][0], chunk_nbytes) > chunk_nbytes

    @pytest.mark.parametrize(
        ("shape", "axes", "chunk_nbytes", "nbytes"),
        [
            ((100, 50), None, 4096, 32),  # in order: between blocks
            ((100, 50), (1, 0), 4096, 8 * 200),  # eight rows contain whole blocks
            ((100, 50), (1, 0), 1599, 4 * 200),  # as many as fit into a chunk
            ((100, 50), (1, 0), 399, 200),
            ((100, 50), (1, 0), 199, 32),  # not even one row fits
            ((3, 100, 50), (0, 2, 1), 4096, 8 * 200),  # experts
            ((3, 3, 10, 20), (2, 3, 1, 0), 2**20, 8 * 800),  # a convolution
        ],
    )
    def test_cut_transposed_tensors_so_that_a_block_is_drawn_once(
        self, shape: tuple[int, ...], axes: tuple[int, ...] | None, chunk_nbytes: int, nbytes: int
    ) -> None:
        assert cut_nbytes(tensor(shape, axes), chunk_nbytes) == nbytes

    def test_combine_many_small_tensors(self) -> None:
        tensors = [tensor((3,), name=str(i)) for i in range(1000)]
        layout = FileLayout("test", 12_000, tuple(Extent(12 * i, t) for i, t in enumerate(tensors)))
        (chunk,) = chunks(layout, 2**20)
        assert len(chunk.parts) == 1000

    def test_do_not_cut_a_segment_that_fits(self) -> None:
        small, other = tensor((1,), name="a"), tensor((15,), name="b")  # blocks have 32 bytes
        layout = FileLayout("test", 64, (Extent(0, small), Extent(4, other)))
        (chunk,) = chunks(layout, 64)
        assert [(start, stop) for _, start, stop in chunk.parts] == [(0, 4), (0, 60)]

    def test_an_empty_layout_has_no_chunks(self) -> None:
        assert list(chunks(FileLayout("test", 0, ()), 64)) == []

    def test_of_a_tensor_larger_than_any_disk_are_yielded_one_by_one(self) -> None:
        huge = tensor((2**30, 2**25))
        first = next(chunks(FileLayout("test", huge.nbytes, (Extent(0, huge),)), 2**22))
        assert (first.offset, first.nbytes) == (0, 2**22)


class TestGapless:
    @pytest.mark.parametrize("format_name", PLAIN)
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    def test_holds_for_every_format(self, format_name: str, framework: str) -> None:
        plan = mixed_plan(framework)
        layout = FORMATS[format_name].layout(plan)
        check_gapless(layout.segments, layout.nbytes)
        assert layout.format == format_name
        assert sorted(e.tensor.name for e in layout.extents) == sorted(t.name for t in plan.tensors)

    @pytest.mark.parametrize("second", [5, 3])
    def test_refuses_a_gap_and_an_overlap(self, second: int) -> None:
        segments = (Literal(0, b"1234"), Literal(second, b"x"))
        message = f"start of a segment: expected 4, got {second}"
        with pytest.raises(AssertionError, match=re.escape(message)):
            check_gapless(segments, second + 1)

    def test_refuses_another_length(self) -> None:
        with pytest.raises(AssertionError, match="end of the segments: expected 5, got 4"):
            check_gapless((Literal(0, b"1234"),), 5)
