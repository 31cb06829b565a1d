"""Tests that a signal or an error is never swallowed while h5py creates the skeleton of an HDF5 file."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from lecun_cli import make_plan, parse_spec
from lecun_cli.errors import OutputError
from lecun_cli.formats import hdf5
from lecun_cli.formats.sparse import SparseFile, _recorded
from tests.faults.cases import SKELETON_CALLS, Fault, run_faults

if TYPE_CHECKING:
    from pathlib import Path

N_SIGNALS = int(os.environ.get("LECUN_INIT_SIGNALS", "20"))
"""Number of signals of each test: enough for every day. Set 200 before a release."""

N_RANDOM = int(os.environ.get("LECUN_INIT_SIGNALS", "8"))
"""The same for the large job, of which each run takes a second."""

LAYERS = "layers: [{repeat: %d, layers: [{type: dense, name: 'l{i}', in_features: 2, out_features: 2}]}]\n"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    for count in (30, 4000):
        (folder / f"{count}.yaml").write_text(LAYERS % count, encoding="utf-8")
    return folder


class TestSignals:
    @pytest.mark.parametrize("name", ["w.h5", "w.weights.h5"])
    @pytest.mark.parametrize("action", ["SIGINT", "SIGTERM"])
    def test_at_each_call_of_the_file_object_ends_the_run_and_leaves_nothing(
        self, template: Path, name: str, action: str
    ) -> None:
        diagnostic = Fault(("30.yaml", "-o", name, "--seed", "1"), functions=SKELETON_CALLS, owner="skeleton")
        (complete,) = run_faults([diagnostic], template)
        assert complete.code == 0
        n_calls = complete.n_calls
        calls = sorted({1 + n_calls * k // N_SIGNALS for k in range(N_SIGNALS)})
        diagnostics = [
            Fault(diagnostic.args, action, call, SKELETON_CALLS, owner="skeleton", after=bool(call % 2))
            for call in calls
        ]
        for outcome in run_faults(diagnostics, template):
            assert outcome.code == 130, outcome.stderr
            assert outcome.stderr in {
                "interrupted: no partial file is left\n",
                "terminated: no partial file is left\n",
            }
            assert sorted(outcome.files) == ["30.yaml", "4000.yaml"]

    def test_at_random_moments_of_a_job_of_4000_layers_leaves_nothing_or_the_complete_files(
        self, template: Path
    ) -> None:
        args = ("4000.yaml", "-o", "w.h5", "--seed", "1", "-q")
        (complete,) = run_faults([Fault(args)], template)
        assert complete.code == 0
        moments = random.Random(1)
        diagnostics = [
            Fault(
                args,
                moments.choice(["SIGINT", "SIGTERM"]),
                delay=moments.uniform(0.002, 0.8 * complete.seconds),
            )
            for _ in range(N_RANDOM)
        ]
        outcomes = run_faults(diagnostics, template)
        for outcome in outcomes:
            if outcome.files == complete.files:
                assert outcome.code == 0 or "w.h5.manifest.json are complete" in outcome.stderr
            else:
                assert sorted(outcome.files) == ["30.yaml", "4000.yaml"]
                assert outcome.code == 130, outcome.stderr
                assert "no partial file is left" in outcome.stderr
        assert sum(outcome.code == 130 for outcome in outcomes) > len(outcomes) // 4


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # h5py's own
class TestErrors:
    """h5py calls the file object from C, and may continue after an exception."""

    @pytest.mark.parametrize("method", ["write", "truncate", "seek"])
    def test_in_the_file_object_are_never_lost(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        plan = make_plan(parse_spec(LAYERS % 30))
        real = getattr(SparseFile, method).__wrapped__
        n_calls = failing = 0

        def fail(self: SparseFile, *args: object) -> object:
            nonlocal n_calls
            n_calls += 1
            if n_calls == failing:
                raise MemoryError
            return real(self, *args)

        monkeypatch.setattr(SparseFile, method, _recorded(fail))
        hdf5.layout(plan)
        last, n_calls = n_calls, 0
        for call in {1, (last + 1) // 4 + 1, (last + 1) // 2}:
            n_calls, failing = 0, call
            with pytest.raises((OutputError, MemoryError)):
                hdf5.layout(plan)
