"""Tests of local files, which appear when they are complete and may bypass the page cache."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lecun_cli.errors import OutputError, UsageError
from lecun_cli.output.destinations.base import PAGE_NBYTES
from lecun_cli.output.destinations.local_file import LocalFile, free_nbytes, write_whole
from lecun_cli.output.destinations.stream import is_stream
from lecun_cli.output.engine import _aligned

if TYPE_CHECKING:
    pass


def write(path: Path, data: bytes, *, force: bool = False) -> None:
    with LocalFile(path, len(data), force=force) as file:
        file.write(0, memoryview(data))
        file.commit()


def fail_inside(path: Path, error: BaseException, *, commit: bool = False, force: bool = False) -> None:
    with LocalFile(path, 2, force=force) as file:
        file.write(0, memoryview(b"ok"))
        if commit:
            file.commit()
        raise error


def write_while_another_does(path: Path) -> None:
    with LocalFile(path, 3) as file:
        path.write_bytes(b"theirs")
        file.commit()


def write_while_it_is_removed(path: Path) -> None:
    with LocalFile(path, 3):
        for partial in path.parent.iterdir():
            partial.unlink()
        raise ValueError("first")


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class TestAtomic:
    def test_the_name_does_not_exist_before_commit(self, tmp_path: Path) -> None:
        path = tmp_path / "w.bin"
        with LocalFile(path, 4) as file:
            file.write(0, memoryview(b"data"))
            assert not path.exists()
            (partial,) = names(tmp_path)
            assert partial.startswith(".w.bin.")
            assert partial.endswith(".partial")
            file.commit()
            assert path.read_bytes() == b"data"
        assert names(tmp_path) == ["w.bin"]

    @pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
    def test_an_exception_leaves_no_trace(self, tmp_path: Path, error: type[BaseException]) -> None:
        with pytest.raises(error):
            fail_inside(tmp_path / "w.bin", error())
        assert names(tmp_path) == []

    def test_leaving_without_commit_leaves_no_trace(self, tmp_path: Path) -> None:
        with LocalFile(tmp_path / "w.bin", 4):
            pass
        assert names(tmp_path) == []

    def test_an_exception_after_commit_leaves_the_file(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="later"):
            fail_inside(tmp_path / "w.bin", ValueError("later"), commit=True)
        assert names(tmp_path) == ["w.bin"]

    def test_a_failure_to_remove_the_file_does_not_hide_the_error(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="first"):
            write_while_it_is_removed(tmp_path / "w.bin")

    def test_space_is_reserved_at_once(self, tmp_path: Path) -> None:
        with LocalFile(tmp_path / "w.bin", 100_000):
            (partial,) = tmp_path.iterdir()
            assert partial.stat().st_size == 100_000
            assert partial.stat().st_blocks * 512 >= 100_000

    def test_an_empty_file_is_published(self, tmp_path: Path) -> None:
        write(tmp_path / "w.bin", b"")
        assert (tmp_path / "w.bin").read_bytes() == b""

    def test_writes_may_come_in_any_order_and_from_several_threads(self, tmp_path: Path) -> None:
        data = os.urandom(40_000)
        with LocalFile(tmp_path / "w.bin", len(data)) as file:

            def work(first: int) -> None:
                for at in range(first, len(data), 400):
                    file.write(at, memoryview(data)[at : at + 100])

            threads = [threading.Thread(target=work, args=(first,)) for first in (300, 100, 0, 200)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            file.commit()
        assert (tmp_path / "w.bin").read_bytes() == data

    def test_commit_of_a_file_that_is_not_open_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(AssertionError, match="not open"):
            LocalFile(tmp_path / "w.bin", 0).commit()


class TestDirectAccess:
    """Pages of a large file bypass the page cache if the file system supports O_DIRECT."""

    CHUNKS = ((0, 5000), (5000, 3_000_000), (3_005_000, 4096), (3_009_096, 14_000_000), (17_009_096, 1))

    def data(self) -> memoryview:
        """Return memory as the engine allocates it: aligned to pages as in the file."""
        nbytes = self.CHUNKS[-1][0] + self.CHUNKS[-1][1]
        memory = _aligned(nbytes)
        memory[:] = np.random.default_rng(1).integers(0, 256, nbytes, np.uint8)
        return memory.data

    def written(self, path: Path) -> bytes:
        data = self.data()
        with LocalFile(path, len(data)) as file:
            for offset, nbytes in sorted(self.CHUNKS, key=lambda chunk: chunk[1]):
                file.write(offset, data[offset : offset + nbytes])
            file.commit()
        return path.read_bytes()

    def test_the_bytes_are_the_same(self, tmp_path: Path) -> None:
        assert self.written(tmp_path / "w") == self.data()

    @pytest.mark.parametrize("refused", ["open", "write"])
    def test_are_the_same_if_direct_access_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
    ) -> None:
        real_open, real_write = os.open, os.pwrite
        direct = set()

        def open_(path: str, flags: int, mode: int = 0o777) -> int:
            if refused == "open" and flags & os.O_DIRECT:
                raise OSError(errno.EINVAL, "no direct I/O")
            fd = real_open(path, flags & ~os.O_DIRECT, mode)
            if flags & os.O_DIRECT:
                direct.add(fd)
            return fd

        def write(fd: int, data: memoryview, offset: int) -> int:
            if fd in direct:
                raise OSError(errno.EINVAL, "not aligned")
            return real_write(fd, data, offset)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "pwrite", write)
        assert self.written(tmp_path / "w") == self.data()

    def test_only_whole_pages_bypass_the_page_cache(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real_open, real_write = os.open, os.pwrite
        direct = set()
        seen: list[tuple[int, int]] = []

        def open_(path: str, flags: int, mode: int = 0o777) -> int:
            fd = real_open(path, flags & ~os.O_DIRECT, mode)
            if flags & os.O_DIRECT:
                direct.add(fd)
            return fd

        def write(fd: int, data: memoryview, offset: int) -> int:
            if fd in direct:
                seen.append((offset, len(data)))
            return real_write(fd, data, offset)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "pwrite", write)
        self.written(tmp_path / "w")
        assert sum(nbytes for _, nbytes in seen) > 16_000_000
        assert all(offset % PAGE_NBYTES == 0 == nbytes % PAGE_NBYTES for offset, nbytes in seen)


class TestNames:
    def test_an_existing_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "w.bin").write_bytes(b"precious")
        with pytest.raises(UsageError, match=r"w\.bin exists already") as caught:
            write(tmp_path / "w.bin", b"new")
        assert caught.value.help == "give another name, or --force to replace it"
        assert (tmp_path / "w.bin").read_bytes() == b"precious"
        assert names(tmp_path) == ["w.bin"]

    def test_force_replaces_the_file_when_the_new_one_is_complete(self, tmp_path: Path) -> None:
        path = tmp_path / "w.bin"
        path.write_bytes(b"old")
        with LocalFile(path, 3, force=True) as file:
            file.write(0, memoryview(b"new"))
            assert path.read_bytes() == b"old"
            file.commit()
        assert path.read_bytes() == b"new"

    def test_force_keeps_the_old_file_on_an_exception(self, tmp_path: Path) -> None:
        path = tmp_path / "w.bin"
        path.write_bytes(b"old")
        with pytest.raises(ValueError, match="no"):
            fail_inside(path, ValueError("no"), force=True)
        assert path.read_bytes() == b"old"

    def test_a_file_that_appears_in_the_meantime_is_not_overwritten(self, tmp_path: Path) -> None:
        path = tmp_path / "w.bin"
        with pytest.raises(UsageError, match="exists already"):
            write_while_another_does(path)
        assert path.read_bytes() == b"theirs"
        assert names(tmp_path) == ["w.bin"]

    def test_a_file_that_appears_in_the_meantime_is_not_overwritten_without_hard_links(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(errno.EPERM, "no links")

        monkeypatch.setattr(os, "link", refuse)
        write(tmp_path / "a", b"mine")
        assert (tmp_path / "a").read_bytes() == b"mine"
        with pytest.raises(UsageError, match="exists already"):
            write_while_another_does(tmp_path / "b")
        assert (tmp_path / "b").read_bytes() == b"theirs"
        assert names(tmp_path) == ["a", "b"]

    def test_a_missing_folder_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"the folder .*/none does not exist") as caught:
            write(tmp_path / "none" / "w.bin", b"")
        assert caught.value.help == f"mkdir -p {tmp_path / 'none'}"

    def test_a_folder_without_write_permission_is_an_error(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(os, "access", lambda *_: False)  # root may write to any folder
        with pytest.raises(OutputError, match=r"the folder .* may not be written to"):
            write(tmp_path / "w.bin", b"")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("force", [True, False])
    def test_a_directory_is_refused(self, tmp_path: Path, force: bool) -> None:
        (tmp_path / "dir").mkdir()
        with pytest.raises(UsageError, match="dir is a directory"):
            write(tmp_path / "dir", b"", force=force)

    @pytest.mark.parametrize("force", [True, False])
    def test_a_pipe_is_never_replaced(self, tmp_path: Path, force: bool) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageError, match="pipe is a pipe or a device"):
            write(tmp_path / "pipe", b"", force=force)
        assert is_stream(str(tmp_path / "pipe"))

    def test_a_file_is_not_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_bytes(b"")
        with pytest.raises(UsageError, match=r"the folder .* does not exist"):
            write(tmp_path / "file" / "w.bin", b"")

    def test_a_link_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "link").symlink_to(tmp_path / "real" / "w.bin")
        write(tmp_path / "link", b"one")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "w.bin").read_bytes() == b"one"
        write(tmp_path / "link", b"two", force=True)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "w.bin").read_bytes() == b"two"

    @pytest.mark.parametrize("name", ["w" * 255, "字" * 85], ids=["ascii", "utf-8"])
    def test_may_be_as_long_as_the_file_system_allows(self, tmp_path: Path, name: str) -> None:
        write(tmp_path / name, b"x")
        assert names(tmp_path) == [name]

    def test_that_are_too_long_are_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(OutputError, match="could not be written: File name too long"):
            write(tmp_path / ("w" * 256), b"x")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
    def test_the_mode_follows_the_umask(self, tmp_path: Path, umask: int) -> None:
        before = os.umask(umask)
        try:
            write(tmp_path / "w.bin", b"x")
        finally:
            os.umask(before)
        assert (tmp_path / "w.bin").stat().st_mode & 0o777 == 0o666 & ~umask


IN_A_SMALL_WORLD = """
import resource, signal, sys
from lecun_cli.output.destinations.local_file import LocalFile
from lecun_cli.errors import OutputError
path, when = sys.argv[1:]
def limit():
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, resource.RLIM_INFINITY))
try:
    if when == "before":
        limit()
    with LocalFile(path, 20_000) as file:
        file.write(0, memoryview(bytes(4000)))
        limit()
        file.write(4000, memoryview(bytes(4000)))
        file.commit()
except OutputError as error:
    print(error.message)
"""


class TestFullDisk:
    def test_more_than_is_free_is_refused_before_anything_is_created(self, tmp_path: Path) -> None:
        with pytest.raises(
            OutputError, match=r"the disk is too small for .*: it needs .* are free"
        ) as caught:
            write_too_much(tmp_path / "w.bin")
        assert caught.value.help == "free some space, or write elsewhere"
        assert names(tmp_path) == []

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
    def test_more_than_the_file_system_will_reserve_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        """Another process may take the space after the check. (The test does not fill a real disk.)"""

        def refuse(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, "posix_fallocate", refuse)
        with pytest.raises(OutputError, match="the disk is too small"):
            write(tmp_path / "w.bin", b"x")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("when", ["before", "midway"])
    def test_a_limit_of_the_system_is_an_error_and_leaves_no_trace(self, tmp_path: Path, when: str) -> None:
        path = tmp_path / "w.bin"
        ran = subprocess.run(
            [sys.executable, "-c", IN_A_SMALL_WORLD, str(path), when],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert ran.stdout == f"{path} could not be written: File too large\n"
        assert names(tmp_path) == []

    @pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.EINVAL])
    def test_a_file_system_that_cannot_reserve_space_is_supported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(code, "no reservation here")

        monkeypatch.setattr(os, "posix_fallocate", refuse)
        with LocalFile(tmp_path / "w.bin", 100) as file:
            file.write(99, memoryview(b"x"))
            file.commit()
        assert (tmp_path / "w.bin").read_bytes() == bytes(99) + b"x"

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    @pytest.mark.parametrize("call", ["pwrite", "fsync"])
    def test_a_late_error_is_reported_and_leaves_no_trace(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError(code, os.strerror(code))

        monkeypatch.setattr(os, call, refuse)
        with pytest.raises(OutputError, match=os.strerror(code)) as caught:
            write(tmp_path / "w.bin", b"x")
        assert (caught.value.help is not None) == (code != errno.EIO)
        assert names(tmp_path) == []

    def test_a_partial_write_is_continued(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pwrite = os.pwrite
        monkeypatch.setattr(os, "pwrite", lambda fd, data, at: pwrite(fd, data[:3], at))
        write(tmp_path / "w.bin", b"ten bytes.")
        assert (tmp_path / "w.bin").read_bytes() == b"ten bytes."

    def test_a_folder_without_read_permission_is_supported(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.open

        def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
            if Path(path) == tmp_path:
                raise PermissionError(errno.EACCES, "Permission denied")
            return real(path, flags, mode)

        monkeypatch.setattr(os, "open", refuse)
        write(tmp_path / "w.bin", b"x")
        assert names(tmp_path) == ["w.bin"]


def write_too_much(path: Path) -> None:
    with LocalFile(path, free_nbytes(path.parent) + 2**40):
        raise AssertionError("the space was reserved")


class TestWriteWhole:
    def test_writes_and_refuses_as_large_files_do(self, tmp_path: Path) -> None:
        write_whole(tmp_path / "m.json", b"{}", force=False)
        with pytest.raises(UsageError, match="exists already"):
            write_whole(tmp_path / "m.json", b"[]", force=False)
        assert (tmp_path / "m.json").read_bytes() == b"{}"
        write_whole(str(tmp_path / "m.json"), b"[]", force=True)
        assert (tmp_path / "m.json").read_bytes() == b"[]"
