"""Run the comparisons in pairs, keep every run, and make tables and a chart from them."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import comparisons, stages, table
from tests.bench.comparisons import ALONE, SIZES, Job
from tests.bench.results import Alone, Compared, Results, Run, Runs, Sized, peak_mib, seconds

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
NOTES = HERE / "NOTES.md"


class Runner:
    """Runner of jobs, each in its own process."""

    def __init__(self, folder: str, runs: int) -> None:
        self.folder = folder
        self.runs = runs
        self._warm: set[str] = set()

    def run(self, job: Job) -> Run:
        """Run a job once."""
        command = [sys.executable, "-m", "tests.bench.jobs", job.name, *job.arguments]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        if not job.kernel:
            env["LECUN_INIT_KERNEL"] = "0"
        # A new folder, because an old file would keep its part of the page cache and of the disk.
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"{job} failed:\n{ran.stderr}")
        document: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
        return Run(round(document["seconds"], 4), round(document["peak_mib"], 1))

    def alternately(self, *jobs: Job) -> list[Runs]:
        """Run jobs alternately, after a first run of each kind that does not count."""
        for job in jobs:
            kind = job.arguments[0] if job.name.startswith("peer_") else job.name
            if kind not in self._warm:  # afterwards, the libraries are in the page cache
                self._warm.add(kind)
                self.run(job)
        iterations = [[self.run(job) for job in jobs] for _ in range(self.runs)]
        return [list(runs) for runs in zip(*iterations, strict=True)]


def measure(runner: Runner, scale: comparisons.Scale, only: str) -> Results:
    """Run the comparisons that `only` selects, and print each result."""
    results = Results.here(runner.runs)
    for pair in comparisons.pairs(scale):
        if only in f"{pair.group}: {pair.what}":
            ours, reference = runner.alternately(pair.ours, pair.reference)
            row = Compared(pair.group, pair.what, ours, reference, pair.limit, pair.memory_limit)
            results.compared.append(row)
            _print(f"{pair.group}: {pair.what}", ours, reference)
    for mib, job, other in comparisons.sized(scale):
        if only in f"{SIZES}: {table.size(mib)}":
            ours, reference = runner.alternately(job, other)
            results.sized.append(Sized(mib, ours, reference))
            _print(f"{SIZES}: {table.size(mib)}", ours, reference)
    for what, job, limit in comparisons.alone():
        if only in f"{ALONE}: {what}":
            (runs,) = runner.alternately(job)
            results.alone.append(Alone(what, runs, limit))
            _print(f"{ALONE}: {what}", runs)
    return results


def _print(what: str, *sides: Runs) -> None:
    measured = "  |  ".join(f"{seconds(runs):.3f} s, {peak_mib(runs):.0f} MiB" for runs in sides)
    print(f"{what}\n    {measured}", flush=True)


def main() -> None:
    """Measure, profile, or make the tables and the chart from kept results."""
    options = _options()
    scale = comparisons.QUICK if options.quick else comparisons.FULL
    if options.profile:
        with _folder(options.folder) as folder:
            profile = stages.profile(options.spec, scale, Path(folder))
        print(profile)
        if options.spec is None and not options.quick:
            table.put(NOTES, profile, stages.BEGIN, stages.END)
        return
    kept: Path | None = options.results
    if options.redraw:
        kept = kept or HERE / "results.json"
        results = Results.read(kept)
    else:
        with _folder(options.folder) as folder:
            results = measure(Runner(folder, 1 if options.quick else options.runs), scale, options.only)
        if kept is None and not options.quick and not options.only:
            kept = HERE / "results.json"
        if kept is not None:
            results.write(kept)
    section = table.section(results)
    if options.quick:
        print("\n--quick: the sizes differ from those in the tables, so the figures mean nothing")
    print(f"\n{section}")
    if kept is not None and results.sized:
        from tests.bench import chart

        chart.write(results, kept.parent)
    if options.readme is not None:
        table.put(options.readme, section)


def _folder(folder: str | None) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="bench-", dir=folder or ROOT.parent)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side")
    parser.add_argument("--only", default="", help="only the rows whose table and name contain this text")
    parser.add_argument("--quick", action="store_true", help="one run with small sizes, to see that it works")
    parser.add_argument(
        "--folder", help="folder for the files; by default a temporary folder next to the clone"
    )
    parser.add_argument(
        "--results",
        type=Path,
        help="file for the results, with the chart next to it; by default tests/bench/results.json "
        "for a complete run, and no file for a part of one",
    )
    parser.add_argument(
        "--redraw", action="store_true", help="make tables and chart from kept results, without measuring"
    )
    parser.add_argument(
        "--readme", type=Path, nargs="?", const=ROOT / "README.md", help="write the tables into README.md"
    )
    parser.add_argument(
        "--profile", action="store_true", help="measure where our time goes, and write it to NOTES.md"
    )
    parser.add_argument("--spec", choices=stages.CASES, help="profile only this case, and print it")
    options = parser.parse_args()
    if options.readme is not None and (options.only or options.quick):
        parser.error("--readme needs a complete run: remove --only and --quick")
    return options


if __name__ == "__main__":
    main()
