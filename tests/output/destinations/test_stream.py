"""Streams, and what takes everything."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.errors import OutputError, UsageError
from lecun_cli.output.destinations.null import NullDestination
from lecun_cli.output.destinations.stream import Stream, is_stream, open_stream, standard_output

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """The two ends of a pipe."""
    ends = os.pipe()
    yield ends
    for fd in ends:
        try:
            os.close(fd)
        except OSError as error:
            assert error.errno == errno.EBADF  # noqa: PT017 - closed by the test


class TestStream:
    def test_takes_bytes_in_order(self, pipe: tuple[int, int]) -> None:
        reader, writer = pipe
        with Stream(writer, "pipe", close=True) as stream:
            stream.write(0, memoryview(b"one "))
            stream.write(4, memoryview(b"two"))
        assert os.read(reader, 100) == b"one two"
        assert os.read(reader, 100) == b""

    def test_stays_open_unless_it_is_asked_to_close(self, pipe: tuple[int, int]) -> None:
        with Stream(pipe[1], "pipe") as stream:
            assert not stream.random_access
        assert os.write(pipe[1], b"still") == 5

    def test_a_reader_that_is_gone_is_a_broken_pipe(self, pipe: tuple[int, int]) -> None:
        os.close(pipe[0])
        with pytest.raises(BrokenPipeError):
            Stream(pipe[1], "pipe").write(0, memoryview(b"x"))

    def test_any_other_error_is_told(self) -> None:
        with pytest.raises(OutputError, match="/dev/full could not be written: No space left"):
            open_stream("/dev/full").write(0, memoryview(b"x"))

    def test_what_cannot_be_opened_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="could not be written"):
            open_stream(str(tmp_path))

    def test_is_what_is_neither_file_nor_folder(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        (tmp_path / "link").symlink_to(tmp_path / "pipe")
        (tmp_path / "file").write_bytes(b"")
        streams = [n for n in ("pipe", "link", "file", ".", "none") if is_stream(str(tmp_path / n))]
        assert streams == ["pipe", "link"]
        assert is_stream("/dev/null")
        assert not is_stream("nul\0name")

    def test_a_terminal_takes_no_weights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        with pytest.raises(UsageError, match="weights are bytes, and stdout is a terminal"):
            standard_output()


class TestNullDestination:
    def test_takes_everything(self) -> None:
        NullDestination().write(2**60, memoryview(b"x"))
        assert NullDestination.random_access
