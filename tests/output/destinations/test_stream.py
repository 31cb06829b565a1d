"""Tests of streams and of the null destination."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.errors import OutputError, UsageError
from lecun_cli.output.destinations.null import NullDestination
from lecun_cli.output.destinations.stream import Stream, is_stream, standard_output, write_all

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Open a pipe; return its reading and its writing end."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - the test closed it


class TestStream:
    def test_takes_bytes_in_order(self, pipe: tuple[int, int]) -> None:
        reader, writer = pipe
        with Stream(f"/dev/fd/{writer}") as stream:
            assert not stream.random_access
            stream.write(0, memoryview(b"one "))
            stream.write(4, memoryview(b"two"))
            assert stream.commit() == ()
        os.close(writer)
        assert os.read(reader, 100) == b"one two"
        assert os.read(reader, 100) == b""

    def test_is_closed_when_it_is_aborted(self, pipe: tuple[int, int]) -> None:
        reader, writer = pipe
        stream = Stream(f"/dev/fd/{writer}")
        with pytest.raises(KeyError), stream:
            raise KeyError
        os.close(writer)
        assert os.read(reader, 100) == b""

    def test_a_missing_reader_is_a_broken_pipe(self, pipe: tuple[int, int]) -> None:
        os.close(pipe[0])
        with pytest.raises(BrokenPipeError):
            write_all(pipe[1], memoryview(b"x"), "pipe")

    def test_any_other_error_is_an_output_error(self) -> None:
        with (
            Stream("/dev/full") as stream,
            pytest.raises(OutputError, match="/dev/full could not be written: No space left"),
        ):
            stream.write(0, memoryview(b"x"))

    def test_a_path_that_cannot_be_opened_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="could not be written"):
            Stream(str(tmp_path)).open()

    def test_is_neither_a_regular_file_nor_a_folder(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "pipe")
        (tmp_path / "file").write_bytes(b"")
        streams = [n for n in ("pipe", "link", "file", ".", "none") if is_stream(str(tmp_path / n))]
        assert streams == ["pipe", "link"]
        assert is_stream("/dev/null")
        assert not is_stream("nul\0name")

    def test_a_terminal_is_refused(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        with pytest.raises(UsageError, match="weights are bytes, and stdout is a terminal"):
            standard_output()


class TestNullDestination:
    def test_discards_all_bytes(self) -> None:
        NullDestination().write(2**60, memoryview(b"x"))
        assert NullDestination.random_access
