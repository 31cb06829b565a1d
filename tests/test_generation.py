"""Tests of generate: a weight file and its manifest appear together, or neither does."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lecun_cli import generation
from lecun_cli.errors import OutputError, PlanError, UsageError
from lecun_cli.formats import FORMATS
from lecun_cli.generation import GenerateOptions, OutputFile, choose_seed, generate, make_manifest
from lecun_cli.manifest.model import SUFFIX
from lecun_cli.manifest.reader import parse_manifest
from lecun_cli.output import engine
from lecun_cli.output.destinations import local_file, null
from lecun_cli.verification import verify
from tests.conftest import SEED, plan_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lecun_cli.plan.types import Plan

SPEC = "seed: 42\nlayers: [{type: dense, name: hidden, in_features: 37, out_features: 29}]\n"


@pytest.fixture(autouse=True)
def _no_file_is_left_half_made(tmp_path: Path) -> Iterator[None]:
    yield
    assert not list(tmp_path.rglob("*.partial"))


def plan() -> Plan:
    return plan_of(SPEC)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


class TestFiles:
    @pytest.mark.parametrize("name", ["w.safetensors", "w.h5"])
    def test_are_the_weights_and_their_manifest(self, tmp_path: Path, name: str) -> None:
        written = generate(plan(), tmp_path / name)
        assert names(tmp_path) == [name, name + SUFFIX]
        assert (written.path, written.manifest_path) == (str(tmp_path / name), str(tmp_path / name) + SUFFIX)
        data = (tmp_path / name).read_bytes()
        (file,) = written.manifest.files
        assert (file.name, file.nbytes) == (name, len(data))
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        for entry in written.manifest.tensors:
            stored = data[entry.offset : entry.offset + entry.tensor.nbytes]
            assert entry.sha256 == hashlib.sha256(stored).hexdigest()
        assert (tmp_path / (name + SUFFIX)).read_bytes() == written.manifest.to_bytes()
        (report,) = verify(tmp_path, regenerate=True)
        assert report.ok

    @pytest.mark.parametrize("name", ["w.safetensors", "w.h5"])
    def test_are_equal_byte_for_byte_when_repeated(self, tmp_path: Path, name: str) -> None:
        for folder, options in (
            ("a", GenerateOptions()),
            ("b", GenerateOptions(chunk_nbytes=100, workers=3)),
        ):
            (tmp_path / folder).mkdir()
            generate(plan(), tmp_path / folder / name, options)
        for file in (name, name + SUFFIX):
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()

    def test_contain_no_path(self, tmp_path: Path) -> None:
        generate(plan(), tmp_path / "w.h5")
        for file in tmp_path.iterdir():
            assert os.fsencode(tmp_path) not in file.read_bytes()

    def test_a_drawn_seed_is_recorded_and_reproduces_them(self, tmp_path: Path) -> None:
        unseeded = plan_of(SPEC.replace("seed: 42\n", ""))
        seed = generate(unseeded, tmp_path / "a.h5").manifest.seed
        assert 0 <= seed < 2**53
        assert json.loads((tmp_path / ("a.h5" + SUFFIX)).read_bytes())["seed"] == seed
        generate(unseeded.with_seed(seed), tmp_path / "b.h5")
        assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()
        (a, _) = verify(tmp_path, regenerate=True)
        assert a.ok

    def test_drawn_seeds_differ(self) -> None:
        assert len({choose_seed() for _ in range(20)}) == 20

    def test_seed_zero_is_a_seed(self, tmp_path: Path) -> None:
        assert generate(plan().with_seed(0), tmp_path / "w.h5").manifest.seed == 0

    def test_progress_rises_to_the_length_of_the_file(self, tmp_path: Path) -> None:
        reported: list[int] = []
        generate(plan(), tmp_path / "w.h5", progress=lambda nbytes, _: reported.append(nbytes))
        assert reported[-1] == (tmp_path / "w.h5").stat().st_size

    def test_through_a_link_have_their_manifest_next_to_the_link(self, tmp_path: Path) -> None:
        (tmp_path / "disk").mkdir()
        (tmp_path / "w.h5").symlink_to(tmp_path / "disk" / "weights")
        generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path / "disk") == ["weights"]
        assert names(tmp_path) == ["disk", "w.h5", "w.h5" + SUFFIX]
        (report,) = verify(tmp_path / "w.h5")
        assert report.ok

    def test_may_have_the_longest_name_that_leaves_room_for_the_manifest(self, tmp_path: Path) -> None:
        stem = 255 - len(".h5" + SUFFIX)
        generate(plan(), tmp_path / ("w" * stem + ".h5"))
        with pytest.raises(OutputError, match="File name too long"):
            generate(plan(), tmp_path / ("w" * (stem + 1) + ".h5"))
        assert len(names(tmp_path)) == 2


class TestOptions:
    def test_the_suffix_chooses_the_format(self, tmp_path: Path) -> None:
        assert generate(plan(), tmp_path / "w.hdf5").manifest.files[0].format == "hdf5"

    def test_format_overrides_the_suffix(self, tmp_path: Path) -> None:
        written = generate(plan(), tmp_path / "w.h5", GenerateOptions(format="safetensors"))
        assert written.manifest.files[0].format == "safetensors"
        (report,) = verify(tmp_path)
        assert report.ok

    def test_an_unknown_suffix_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="names no format"):
            generate(plan(), tmp_path / "w.bin")
        assert names(tmp_path) == []

    def test_an_unknown_format_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match='unknown format "zarr"') as caught:
            generate(plan(), tmp_path / "w.h5", GenerateOptions(format="zarr"))
        assert caught.value.help == f"formats: {', '.join(FORMATS)}"

    def test_a_plan_that_the_format_cannot_store_is_refused(self, tmp_path: Path) -> None:
        one = "{name: NAME, shape: [2], initializer: zeros}"
        clash = plan_of(f"tensors: [{one.replace('NAME', 'a')}, {one.replace('NAME', 'a/b')}]\n")
        with pytest.raises(PlanError):
            generate(clash, tmp_path / "w.h5")
        assert names(tmp_path) == []

    def test_the_manifest_may_go_elsewhere(self, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        elsewhere = tmp_path / "other" / "m.json"
        written = generate(plan(), tmp_path / "w.h5", GenerateOptions(manifest=str(elsewhere)))
        assert written.manifest_path == str(elsewhere)
        assert elsewhere.read_bytes() == written.manifest.to_bytes()
        assert names(tmp_path) == ["other", "w.h5"]

    def test_the_manifest_may_be_omitted(self, tmp_path: Path) -> None:
        written = generate(plan(), tmp_path / "w.h5", GenerateOptions(no_manifest=True))
        assert written.manifest_path is None
        assert written.manifest.files[0].nbytes == (tmp_path / "w.h5").stat().st_size
        assert names(tmp_path) == ["w.h5"]

    def test_a_manifest_and_no_manifest_contradict_each_other(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="--manifest and --no-manifest contradict each other"):
            generate(plan(), tmp_path / "w.h5", GenerateOptions(manifest="m.json", no_manifest=True))
        assert names(tmp_path) == []

    @pytest.mark.parametrize("force", [False, True])
    @pytest.mark.parametrize("spelling", ["w.h5", "./w.h5", "sub/../w.h5", "link.h5"])
    def test_weights_and_manifest_cannot_be_one_file(
        self, tmp_path: Path, spelling: str, force: bool
    ) -> None:
        (tmp_path / "sub").mkdir()
        (tmp_path / "link.h5").symlink_to("w.h5")
        before = names(tmp_path)
        options = GenerateOptions(manifest=f"{tmp_path}/{spelling}", force=force)
        with pytest.raises(UsageError, match="the weights and their manifest cannot both be"):
            generate(plan(), tmp_path / "w.h5", options)
        assert names(tmp_path) == before

    @pytest.mark.parametrize("existing", ["w.h5", "w.h5" + SUFFIX])
    def test_existing_files_are_kept_without_force(self, tmp_path: Path, existing: str) -> None:
        (tmp_path / existing).write_text("precious")
        with pytest.raises(UsageError, match=f"{existing} exists already"):
            generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path) == [existing]
        assert (tmp_path / existing).read_text() == "precious"

    def test_force_replaces_both(self, tmp_path: Path) -> None:
        generate(plan().with_seed(1), tmp_path / "w.h5")
        generate(plan().with_seed(2), tmp_path / "w.h5", GenerateOptions(force=True))
        (report,) = verify(tmp_path, regenerate=True)
        assert report.ok
        assert json.loads((tmp_path / ("w.h5" + SUFFIX)).read_bytes())["seed"] == 2

    @pytest.mark.parametrize("workers", [0, -1, 10_000])
    def test_workers_are_bounded(self, tmp_path: Path, workers: int) -> None:
        with pytest.raises(UsageError, match="workers: expected 1 to 256"):
            generate(plan(), tmp_path / "w.h5", GenerateOptions(workers=workers))
        assert names(tmp_path) == []


class Reader(threading.Thread):
    """Reads a named pipe to its end."""

    def __init__(self, path: Path, most: int = -1) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.most = most
        self.data = b""

    def run(self) -> None:
        with self.path.open("rb", buffering=0) as file:
            self.data = file.read(self.most) if self.most >= 0 else file.readall()


class TestPipe:
    @pytest.mark.parametrize("name", ["safetensors", "hdf5"])
    def test_receives_the_bytes_of_the_file_and_is_closed(self, tmp_path: Path, name: str) -> None:
        generate(plan(), tmp_path / "file", GenerateOptions(format=name, no_manifest=True))
        os.mkfifo(tmp_path / "pipe")
        reader = Reader(tmp_path / "pipe")
        reader.start()
        written = generate(plan(), tmp_path / "pipe", GenerateOptions(format=name, chunk_nbytes=200))
        reader.join(10)
        assert not reader.is_alive()
        assert reader.data == (tmp_path / "file").read_bytes()
        assert written.manifest_path is None
        assert names(tmp_path) == ["file", "pipe"]

    def test_has_the_default_format_regardless_of_its_name(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "w.h5")
        reader = Reader(tmp_path / "w.h5")
        reader.start()
        written = generate(plan(), tmp_path / "w.h5")
        reader.join(10)
        assert written.manifest.files[0].format == "safetensors"

    def test_has_a_manifest_on_request(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        reader = Reader(tmp_path / "pipe")
        reader.start()
        written = generate(plan(), tmp_path / "pipe", GenerateOptions(manifest=str(tmp_path / "m.json")))
        reader.join(10)
        data = (tmp_path / "m.json").read_bytes()
        assert parse_manifest(data, "m.json") == written.manifest
        (file,) = written.manifest.files
        assert (file.name, file.sha256) == ("pipe", hashlib.sha256(reader.data).hexdigest())

    def test_whose_reader_closes_it_is_broken(self, tmp_path: Path) -> None:
        large = plan_of("seed: 1\ntensors: [{name: t, shape: [1000, 1000], in_axes: [1]}]\n")
        os.mkfifo(tmp_path / "pipe")
        Reader(tmp_path / "pipe", most=10).start()
        with pytest.raises(BrokenPipeError):
            generate(large, tmp_path / "pipe", GenerateOptions(manifest=str(tmp_path / "m.json")))
        assert names(tmp_path) == ["pipe"]


def fail(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, "Input/output error")


class TestFailures:
    """A failure in any step leaves neither the weights nor the manifest."""

    @pytest.mark.parametrize("call", ["posix_fallocate", "pwrite", "fsync", "link"])
    def test_when_the_system_refuses(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        monkeypatch.setattr(os, call, fail)
        if call == "link":  # without hard links, files are renamed
            monkeypatch.setattr(os, "rename", fail)
        with pytest.raises(OutputError, match="Input/output error"):
            generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("nth", [1, 2, 3])
    @pytest.mark.parametrize("error", [OSError(errno.EIO, "bad"), KeyboardInterrupt()])
    def test_when_the_nth_flush_fails(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException
    ) -> None:
        """Fail the flush of the weights, of the manifest, or of their folder."""
        calls = []

        def fsync(_: int) -> None:
            calls.append(1)
            if len(calls) == nth:
                raise error

        monkeypatch.setattr(os, "fsync", fsync)
        with pytest.raises(OutputError if isinstance(error, OSError) else KeyboardInterrupt):
            generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path) == []

    def test_when_drawing_fails(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lecun_cli.tensors.generator.TensorGenerator.draw_range", fail)
        with pytest.raises(OSError, match="Input/output error"):
            generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path) == []

    def test_when_the_manifest_cannot_be_created(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(generation, "make_manifest", fail)
        with pytest.raises(OSError, match="Input/output error"):
            generate(plan(), tmp_path / "w.h5")
        assert names(tmp_path) == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_when_it_is_interrupted(self, tmp_path: Path, error: type[BaseException]) -> None:
        def interrupt(*_: object) -> None:
            raise error

        with pytest.raises(error):
            generate(plan(), tmp_path / "w.h5", progress=interrupt)
        assert names(tmp_path) == []

    @pytest.mark.parametrize("late", ["w.h5", "w.h5" + SUFFIX])
    def test_when_a_file_appears_in_the_meantime(self, tmp_path: Path, late: str) -> None:
        with pytest.raises(UsageError, match=f"{late} exists already"):
            generate(plan(), tmp_path / "w.h5", progress=lambda *_: (tmp_path / late).touch())
        assert names(tmp_path) == [late]
        assert (tmp_path / late).read_bytes() == b""

    @pytest.mark.parametrize(
        ("manifest", "message"),
        [("none/m.json", "does not exist"), ("dir", "is a directory"), ("pipe", "is a pipe or a device")],
    )
    def test_when_the_manifest_cannot_be_written_before_anything_is_drawn(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, manifest: str, message: str
    ) -> None:
        (tmp_path / "dir").mkdir()
        os.mkfifo(tmp_path / "pipe")
        monkeypatch.setattr(engine, "run", fail)
        for force in (False, True):
            with pytest.raises(UsageError, match=message):
                generate(
                    plan(), tmp_path / "w.h5", GenerateOptions(manifest=f"{tmp_path}/{manifest}", force=force)
                )
        assert names(tmp_path) == ["dir", "pipe"]

    def test_when_the_disk_is_too_small(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "run", fail)
        huge = plan_of("seed: 1\ntensors: [{name: t, shape: [2 ** 30, 2 ** 24], in_axes: [1]}]\n")
        assert huge.nbytes > local_file.free_nbytes(tmp_path)
        with pytest.raises(OutputError, match=r"the disk is too small for .*: it needs 65,536 TiB"):
            generate(huge, tmp_path / "w.h5")
        assert names(tmp_path) == []


class TestMakeManifest:
    def test_needs_the_seed(self) -> None:
        layout = FORMATS["hdf5"].layout(plan())
        digests = engine.run(layout, SEED, null.NullDestination())
        unseeded = plan_of(SPEC.replace("seed: 42\n", ""))
        with pytest.raises(AssertionError, match="without a seed"):
            make_manifest(unseeded, [OutputFile("w.h5", layout)], [digests])
