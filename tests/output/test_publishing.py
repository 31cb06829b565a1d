"""Tests that a weight file and its manifest are published together: the old pair, the new pair, or none."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli.cli.main import run
from lecun_cli.errors import OutputError, UsageError
from lecun_cli.output.destinations.local_file import LocalFile
from lecun_cli.output.publishing import publish
from tests.faults.cases import RENAMES, Fault, Outcome, run_faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SPEC = "layers: [{type: dense, name: hidden, in_features: 8, out_features: 4}]\n"
NEW = ("spec.yaml", "-o", "w.safetensors", "--seed", "2")
FORCED = (*NEW, "--force")
PAIR = ("w.safetensors", "w.safetensors.manifest.json")


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Create the folders: `empty` contains a spec, `old` also a pair of seed 1, `new` a pair of seed 2."""
    top = tmp_path_factory.mktemp("publishing")
    for name, seed in (("empty", None), ("old", "1"), ("new", "2")):
        (top / name).mkdir()
        (top / name / "spec.yaml").write_text(SPEC, encoding="utf-8")
        if seed is not None:
            out = str(top / name / "w.safetensors")
            assert run([str(top / name / "spec.yaml"), "-o", out, "--seed", seed, "-q"]) == 0
    return {path.name: path for path in top.iterdir()}


def calls_of(diagnostic: Fault, template: Path) -> int:
    (outcome,) = run_faults([diagnostic], template)
    assert outcome.code == 0, outcome.stderr
    assert outcome.n_calls > 0
    return outcome.n_calls


def check(outcome: Outcome, folders: dict[str, Path], before: str) -> str:
    """Return which pair exists, after checking that nothing else does and that the message is true."""
    states = {name: files_in(folder) for name, folder in folders.items()}
    assert "Traceback" not in outcome.stderr
    assert "internal error" not in outcome.stderr
    names = [name for name in (before, "new") if states[name] == outcome.files]
    assert names, (outcome.code, outcome.stderr, sorted(outcome.files))
    if outcome.code == 0:
        assert names == ["new"]
    else:
        complete = "w.safetensors and w.safetensors.manifest.json are complete" in outcome.stderr
        assert complete == (names == ["new"]), outcome.stderr
    return names[0]


def each_call(diagnostic: Fault, template: Path, afters: Sequence[bool] = (False,)) -> list[Outcome]:
    n_calls = calls_of(replace(diagnostic, action=""), template)
    diagnostics = [replace(diagnostic, call=k + 1, after=after) for k in range(n_calls) for after in afters]
    return run_faults(diagnostics, template)


class TestPair:
    @pytest.mark.parametrize(("args", "before"), [(FORCED, "old"), (NEW, "empty")])
    def test_a_signal_at_each_call_from_the_first_rename_on_leaves_a_complete_pair(
        self, folders: dict[str, Path], args: tuple[str, ...], before: str
    ) -> None:
        diagnostic = Fault(args, "SIGINT", since=RENAMES)
        outcomes = each_call(diagnostic, folders[before], (False, True))
        assert len(outcomes) >= 16
        for outcome in outcomes:
            assert check(outcome, folders, before) == "new"
            assert outcome.code == 130

    @pytest.mark.parametrize(("args", "before"), [(FORCED, "old"), (NEW, "empty")])
    def test_a_signal_at_any_call_of_the_run_leaves_a_complete_pair(
        self, folders: dict[str, Path], args: tuple[str, ...], before: str
    ) -> None:
        diagnostic = Fault(args, "SIGTERM", functions=("open", "fsync", "unlink", "pwrite", *RENAMES))
        for outcome in each_call(diagnostic, folders[before]):
            check(outcome, folders, before)
            assert outcome.code == 130
            assert outcome.stderr.startswith(("terminated: ", "warning: "))

    @pytest.mark.parametrize(("args", "before"), [(FORCED, "old"), (NEW, "empty")])
    @pytest.mark.parametrize("error", ["EIO", "ENOSPC", "EPERM"])
    def test_an_error_of_each_fsync_or_rename_leaves_the_old_state(
        self, folders: dict[str, Path], args: tuple[str, ...], before: str, error: str
    ) -> None:
        diagnostic = Fault(args, error, functions=("fsync", "rename", "replace"))
        outcomes = each_call(diagnostic, folders[before])
        counts = Counter((outcome.code, check(outcome, folders, before)) for outcome in outcomes)
        assert set(counts) == {(1, before)}
        assert all(" could not be written: " in outcome.stderr for outcome in outcomes)

    @pytest.mark.parametrize(("args", "before"), [(FORCED, "old"), (NEW, "empty")])
    def test_without_hard_links_the_files_are_renamed(
        self, folders: dict[str, Path], args: tuple[str, ...], before: str
    ) -> None:
        for outcome in each_call(Fault(args, "EPERM", functions=("link",)), folders[before]):
            assert (outcome.code, check(outcome, folders, before)) == (0, "new")

    @pytest.mark.parametrize(("args", "before"), [(FORCED, "old"), (NEW, "empty")])
    def test_a_second_name_that_cannot_be_removed_is_a_warning(
        self, folders: dict[str, Path], args: tuple[str, ...], before: str
    ) -> None:
        new = files_in(folders["new"])
        for outcome in each_call(Fault(args, "EIO", functions=("unlink",)), folders[before]):
            assert {name: outcome.files[name] for name in new} == new
            assert outcome.code == 0
            left = [name for name in outcome.files if name not in new]
            for name in left:
                assert name.endswith(".previous")
                assert f"{name} could not be removed: Input/output error" in outcome.stderr
            assert outcome.stderr.count("warning: ") >= len(left)


@pytest.fixture
def root(tmp_path: Path) -> None:
    """Skip if this user cannot make a file immutable; CI runs as root on a file system that can."""
    (tmp_path / "probe").touch()
    for flag in ("+i", "-i"):
        ran = subprocess.run(["chattr", flag, tmp_path / "probe"], capture_output=True, check=False)
        if ran.returncode != 0:
            pytest.skip("chattr is not possible here")


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """Return a folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@pytest.mark.usefixtures("root")
class TestPermissions:
    """Restrictions that no permission bit shows are detected before any work; the old pair is kept."""

    def refused(self, folder: Path) -> str:
        before = files_in(folder)
        outcome = subprocess.run(
            [sys.executable, "-m", "lecun_cli", *FORCED],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert files_in(folder) == before
        assert outcome.returncode == 1
        return outcome.stderr

    @pytest.mark.parametrize("name", PAIR)
    @pytest.mark.parametrize("flag", ["i", "a"])
    def test_an_immutable_or_append_only_file_is_kept(
        self, folders: dict[str, Path], tmp_path: Path, name: str, flag: str
    ) -> None:
        folder = shutil.copytree(folders["old"], tmp_path / "here")
        subprocess.run(["chattr", f"+{flag}", folder / name], check=True)
        try:
            message = self.refused(folder)
        finally:
            subprocess.run(["chattr", f"-{flag}", folder / name], check=True)
        assert f"{name} cannot be replaced: it is immutable or append-only" in message

    def test_an_append_only_folder_is_refused_before_anything_is_created(
        self, folders: dict[str, Path], tmp_path: Path
    ) -> None:
        folder = shutil.copytree(folders["empty"], tmp_path / "here")
        subprocess.run(["chattr", "+a", folder], check=True)
        try:
            message = self.refused(folder)
        finally:
            subprocess.run(["chattr", "-a", folder], check=True)
        assert "cannot be renamed: it is append-only" in message

    @pytest.mark.parametrize("name", PAIR)
    def test_a_mount_point_is_kept(self, folders: dict[str, Path], tmp_path: Path, name: str) -> None:
        folder = shutil.copytree(folders["old"], tmp_path / "here")
        other = tmp_path / "other"
        shutil.copy(folder / name, other)
        subprocess.run(["mount", "--bind", other, folder / name], check=True)
        try:
            message = self.refused(folder)
        finally:
            subprocess.run(["umount", folder / name], check=True)
        assert f"{name} cannot be replaced: it is a mount point" in message

    def test_a_file_of_another_user_in_a_sticky_folder_is_kept(
        self, folders: dict[str, Path], public_folder: Path
    ) -> None:
        folder = shutil.copytree(folders["old"], public_folder / "here")
        folder.chmod(0o1777)
        before = files_in(folder)
        code = (
            "import os, sys; from lecun_cli.output.destinations.local_file import LocalFile;"
            "file = LocalFile(sys.argv[1], 0, force=True); os.setgid(65534); os.setuid(65534); file.check()"
        )
        outcome = subprocess.run(
            [sys.executable, "-c", code, str(folder / PAIR[0])],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "w.safetensors cannot be replaced: it belongs to another user" in outcome.stderr
        assert files_in(folder) == before


class TestPublish:
    def open_files(self, folder: Path, *, force: bool) -> list[LocalFile]:
        return [LocalFile(folder / name, 3, force=force) for name in ("a", "b")]

    def publish_both(self, folder: Path, *, force: bool, between: str | None = None) -> None:
        a, b = self.open_files(folder, force=force)
        with a, b:
            for file in (a, b):
                file.write(0, memoryview(b"new"))
            if between is not None:
                (folder / between).write_bytes(b"theirs")
            assert publish([a.finish(), b.finish()]) == ()

    def test_every_file_gets_its_name(self, tmp_path: Path) -> None:
        self.publish_both(tmp_path, force=False)
        assert files_in(tmp_path) == {"a": b"new", "b": b"new"}

    def test_old_files_are_replaced_and_leave_no_trace(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"old")
        self.publish_both(tmp_path, force=True)
        assert files_in(tmp_path) == {"a": b"new", "b": b"new"}

    @pytest.mark.parametrize("name", ["a", "b"])
    def test_a_file_that_has_appeared_in_the_meantime_is_kept(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UsageError, match=f"{name} exists already"):
            self.publish_both(tmp_path, force=False, between=name)
        assert files_in(tmp_path) == {name: b"theirs"}

    def test_what_cannot_be_restored_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a").write_bytes(b"old")
        real = os.replace

        def fail(source: Path, target: Path) -> None:
            if str(target).endswith("b") or str(source).endswith(".previous"):
                raise OSError(5, "Input/output error")
            real(source, target)

        monkeypatch.setattr(os, "replace", fail)
        with pytest.raises(OutputError, match="b could not be written: Input/output error") as caught:
            self.publish_both(tmp_path, force=True)
        (note,) = caught.value.__notes__
        (previous,) = tmp_path.glob(".a.*.previous")
        assert note == f"the old {tmp_path / 'a'} is kept as {previous}: Input/output error"
        assert previous.read_bytes() == b"old"
