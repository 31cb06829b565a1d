"""Tests of the registry of destinations, and of a made-up destination."""

from __future__ import annotations

import inspect
import os
from pathlib import Path

import pytest

from lecun_cli.errors import OutputError
from lecun_cli.formats import DEFAULT_FORMAT
from lecun_cli.generation import GenerateOptions, generate
from lecun_cli.output import destinations
from lecun_cli.output.destinations import DESTINATIONS, DestinationType, destination_for
from lecun_cli.output.destinations.base import Destination
from lecun_cli.output.destinations.local_file import LocalFile
from lecun_cli.output.destinations.stream import StandardOutput, Stream
from tests.conftest import plan_of

SPEC = "seed: 7\nlayers: [{type: dense, name: a, in_features: 30, out_features: 20}]\n"


@pytest.mark.parametrize("row", DESTINATIONS, ids=lambda row: row.name)
class TestRows:
    def test_are_complete(self, row: DestinationType) -> None:
        assert issubclass(row.create, Destination)
        assert not inspect.isabstract(row.create), "lecun_cli/output/destinations: a method is missing"
        assert isinstance(row.create.random_access, bool)
        assert isinstance(row.create.is_file, bool)

    def test_create_a_destination_from_a_path(self, row: DestinationType, tmp_path: Path) -> None:
        destination = row.create(tmp_path / "w", 10, force=True)
        assert (destination.nbytes, destination.force) == (10, True)
        assert os.listdir(tmp_path) == []


class TestDestinationFor:
    def test_is_chosen_by_the_path(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        for path, expected in (
            (tmp_path / "w", LocalFile),
            (tmp_path / "pipe", Stream),
            ("-", StandardOutput),
        ):
            assert type(destination_for(path)) is expected


STORE: dict[str, bytes] = {}


class MemoryObject(Destination):
    """An object in memory, which appears when it is complete."""

    random_access = True
    is_file = True

    def check(self) -> None:
        """Do nothing."""

    def open(self) -> None:
        """Reserve the object's memory."""
        self.data = bytearray(self.nbytes)

    def write(self, offset: int, data: memoryview) -> None:
        """Copy the bytes."""
        self.data[offset : offset + len(data)] = data

    def finish(self) -> None:
        """Show the object."""
        STORE[str(self.path)] = bytes(self.data)

    def commit(self) -> tuple[str, ...]:
        """Show the object."""
        self.finish()
        return ()

    def abort(self, error: BaseException | None = None) -> None:
        """Remove the object if the run failed."""
        if error is not None:
            STORE.pop(str(self.path), None)


class TestNewDestination:
    @pytest.fixture(autouse=True)
    def _is_registered(self, monkeypatch: pytest.MonkeyPatch) -> None:
        STORE.clear()
        row = DestinationType("memory", lambda path: path.startswith("memory:"), MemoryObject)
        monkeypatch.setattr(destinations, "DESTINATIONS", (row, *DESTINATIONS))

    def test_takes_the_weights_and_their_manifest(self, tmp_path: Path) -> None:
        generate(plan_of(SPEC), tmp_path / "w.safetensors")
        generate(
            plan_of(SPEC), "memory:w.safetensors", GenerateOptions(manifest="memory:m.json", chunk_nbytes=100)
        )
        assert STORE["memory:w.safetensors"] == (tmp_path / "w.safetensors").read_bytes()
        assert b"memory:w.safetensors" in STORE["memory:m.json"]

    def test_is_aborted_when_the_run_fails(self, tmp_path: Path) -> None:
        options = GenerateOptions(manifest=str(tmp_path / "m.json"), format=DEFAULT_FORMAT)

        def fail(*_: object) -> None:
            raise OutputError("the disk is broken")

        with pytest.raises(OutputError):
            generate(plan_of(SPEC), "memory:w", options, progress=fail)
        assert STORE == {}
