"""Tests of digests: they equal those of hashlib, however the bytes are cut, with and without the kernel."""

from __future__ import annotations

import hashlib
from array import array
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lecun_cli.formats.segments import Extent, Literal, Segment
from lecun_cli.output.digests import Digests, DigestTaker
from lecun_cli.stream._kernel import loader
from tests.conftest import tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

NATIVE = loader.load().module is not None and loader.load().module.digest_begin() is not None  # type: ignore[union-attr]
needs_instructions = pytest.mark.skipif(
    not NATIVE, reason="the kernel is off, or the processor has no SHA-256 instructions"
)


def segments_of(lengths: Sequence[tuple[bool, int]]) -> tuple[Segment, ...]:
    """Return a layout of literals and of tensors of these lengths."""
    segments: list[Segment] = []
    at = 0
    for i, (is_tensor, length) in enumerate(lengths):
        if is_tensor:
            segments.append(Extent(at, tensor((length,), dtype="float8_e5m2", name=str(i))))
        else:
            segments.append(Literal(at, bytes(length)))
        at += length
    return tuple(segments)


def digests_of(segments: tuple[Segment, ...], data: bytes, cuts: set[int]) -> Digests:
    """Return the digests of a file that is cut at these offsets."""
    taker = DigestTaker()
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for first, last in pairwise(edges):
        parts = [
            (s, max(first - s.offset, 0), min(last - s.offset, s.nbytes))
            for s in segments
            if s.offset < last and s.offset + s.nbytes > first
        ]
        for digester in taker.digesters:
            digester.take(parts, memoryview(data)[first:last])
    return taker.end()


def expected(segments: tuple[Segment, ...], data: bytes) -> Digests:
    return Digests(
        hashlib.sha256(data).hexdigest(),
        {
            s.tensor.name: hashlib.sha256(data[s.offset : s.offset + s.nbytes]).hexdigest()
            for s in segments
            if isinstance(s, Extent)
        },
    )


lengths = st.lists(
    st.tuples(st.booleans(), st.one_of(st.integers(1, 200), st.sampled_from([64, 4096, 1000]))), max_size=8
)


class TestDigests:
    @given(lengths=lengths, cuts=st.sets(st.integers(1, 6000), max_size=6), salt=st.integers(1, 250))
    def test_are_those_of_hashlib_however_the_file_is_cut(
        self, lengths: list[tuple[bool, int]], cuts: set[int], salt: int
    ) -> None:
        segments = segments_of(lengths)
        nbytes = sum(s.nbytes for s in segments)
        data = bytes(i * salt % 256 for i in range(nbytes))
        assert digests_of(segments, data, cuts) == expected(segments, data)

    @given(lengths=lengths, cuts=st.sets(st.integers(1, 6000), max_size=6))
    def test_are_the_same_without_the_kernel(self, lengths: list[tuple[bool, int]], cuts: set[int]) -> None:
        segments = segments_of(lengths)
        data = bytes(sum(s.nbytes for s in segments))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lecun_cli.output.digests.load", lambda: loader.Kernel(None, "NumPy"))
            assert len(DigestTaker().digesters) == 2
            digests = digests_of(segments, data, cuts)
        assert digests == expected(segments, data)

    def test_an_empty_file_has_the_digest_of_no_bytes(self) -> None:
        assert DigestTaker().end() == Digests(hashlib.sha256().hexdigest(), {})


@needs_instructions
class TestKernel:
    def test_takes_both_in_one_pass(self) -> None:
        assert len(DigestTaker().digesters) == 1

    @pytest.mark.parametrize(
        ("state", "data", "ranges", "message"),
        [
            (None, b"abc", (2, 0), "expected the length of the data"),
            (None, b"abc", (4, 0), "expected the length of the data"),
            (None, b"abc", (2**63, 0, 2**63, 0, 3, 0), "expected the length of the data"),
            (None, b"abc", (3,), "invalid state or stretches"),
            (bytearray(7), b"abc", (3, 0), "invalid state or stretches"),
        ],
    )
    def test_invalid_arguments_are_errors(
        self, state: bytearray | None, data: bytes, ranges: tuple[int, ...], message: str
    ) -> None:
        module = loader.load().module
        assert module is not None
        with pytest.raises(ValueError, match=message):
            module.digest(module.digest_begin() if state is None else state, data, array("Q", ranges))

    def test_ending_an_invalid_state_is_an_error(self) -> None:
        module = loader.load().module
        assert module is not None
        with pytest.raises(ValueError, match="invalid state"):
            module.digest_end(bytearray(3))
