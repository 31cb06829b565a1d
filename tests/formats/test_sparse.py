"""Compare the sparse file with a real file."""

from __future__ import annotations

import io
import tempfile
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from lecun_cli.formats.sparse import SparseFile

POSITIONS = st.one_of(st.integers(0, 30), st.integers(4080, 4110), st.integers(0, 20_000))


class SparseFileMachine(RuleBasedStateMachine):
    """Whatever is done to both files, they return the same values and contain the same bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.real: Any = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by teardown
        self.sparse = SparseFile()

    def teardown(self) -> None:
        self.real.close()

    @rule(data=st.binary(max_size=40), times=st.sampled_from([1, 1, 1, 300]))
    def write(self, data: bytes, times: int) -> None:
        assert self.sparse.write(data * times) == self.real.write(data * times)

    @rule(offset=POSITIONS)
    def seek(self, offset: int) -> None:
        assert self.sparse.seek(offset) == self.real.seek(offset)

    @rule(by=st.integers(0, 5000), whence=st.sampled_from([io.SEEK_CUR, io.SEEK_END]))
    def seek_from(self, by: int, whence: int) -> None:
        assert self.sparse.seek(by, whence) == self.real.seek(by, whence)

    @rule(size=st.one_of(st.none(), POSITIONS))
    def truncate(self, size: int | None) -> None:
        assert self.sparse.truncate(size) == self.real.truncate(size)

    @rule(nbytes=st.integers(0, 9000))
    def read(self, nbytes: int) -> None:
        assert self.sparse.read(nbytes) == self.real.read(nbytes)

    @invariant()
    def is_the_same(self) -> None:
        at = self.real.tell()
        assert self.sparse.tell() == at
        self.real.seek(0)
        content = self.real.read()
        self.real.seek(at)
        assert self.sparse.nbytes == len(content)
        assert self.sparse.read_at(0, self.sparse.nbytes) == content


TestModel = SparseFileMachine.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)


class TestSparseFile:
    def test_uses_memory_for_written_pages_only(self) -> None:
        file = SparseFile()
        file.truncate(2**50)
        file.seek(2**49)
        file.write(b"here")
        assert file.nbytes == 2**50
        assert file.read_at(2**49 - 2, 8) == b"\0\0here\0\0"
        assert len(file._pages) == 1

    def test_is_readable_writable_and_seekable(self) -> None:
        file = SparseFile()
        assert (file.readable(), file.writable(), file.seekable()) == (True, True, True)

    @pytest.mark.parametrize("length", [0, 1, 4095, 4096, 4097, 9000])
    def test_truncated_bytes_are_zero_when_the_file_grows_again(self, length: int) -> None:
        file = SparseFile()
        file.write(b"x" * 10_000)
        file.truncate(length)
        file.truncate(10_000)
        assert file.read_at(0, 10_000) == b"x" * length + bytes(10_000 - length)

    @given(st.integers(0, 100), st.integers(0, 100))
    def test_read_at_past_the_end_gives_zeros(self, length: int, past: int) -> None:
        file = SparseFile()
        file.write(b"x" * length)
        assert file.read_at(0, length + past) == b"x" * length + bytes(past)

    def test_a_position_before_the_start_is_refused(self) -> None:
        with pytest.raises(OSError, match="Invalid argument"):
            SparseFile().seek(-1)
