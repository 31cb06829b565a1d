"""Code of the benchmark: results, tables, charts and jobs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lecun_cli.stream._kernel import loader
from tests.bench import chart, comparisons, jobs, stages, table
from tests.bench.comparisons import ALONE, OURSELVES, WHOLE
from tests.bench.results import Alone, Compared, Results, Run, Sized

ROOT = Path(__file__).parents[2]

RESULTS = Results(
    machine="A processor, 2 cores",
    date="2026-01-02",
    runs=3,
    versions={"Python": "3.11.0", "kernel": "C kernel", "numpy": "2.0"},
    compared=[
        Compared(
            WHOLE,
            "float32, a peer",
            [Run(1.0, 50.0), Run(2.0, 60.0), Run(1.5, 55.0)],
            [Run(4.0, 1000.0), Run(10.0, 1000.0), Run(5.0, 900.0)],
            limit=0.25,
            memory_limit=0.05,
        ),
        Compared(OURSELVES, "a, b", [Run(1.0, 50.0)], [Run(0.5, 50.0)]),
    ],
    sized=[
        Sized(1, [Run(0.3, 50.0)], [Run(0.004, 3.0)]),
        Sized(1024, [Run(1.0, 70.0)], [Run(0.5, 6.0)]),
    ],
    alone=[Alone("`--help`", [Run(0.08, 17.0)], 0.25)],
)


class TestResults:
    def test_are_read_as_written(self, tmp_path: Path) -> None:
        RESULTS.write(tmp_path / "results.json")
        assert Results.read(tmp_path / "results.json") == RESULTS

    def test_ratio_is_the_median_of_the_pairs(self) -> None:
        assert RESULTS.compared[0].ratio == 0.25  # of 0.25, 0.2 and 0.3; the ratio of the medians is 0.3


class TestTable:
    def test_shows_measurements_and_limits(self) -> None:
        section = table.section(RESULTS)
        assert "A processor, 2 cores, 2026-01-02" in section
        limit = "≤ 0.25; memory ≤ 0.05 **missed**"
        assert f"| float32, a peer | 1.50 | 5.00 | 0.250 | {limit} | 60 | 1000 |" in section
        assert "| a, b | 1.00 | 0.50 | 2.000 | 50 | 50 |" in section
        assert "| 1 GiB | 1.00 | 0.50 | 70 | 6 |" in section
        assert "| `--help` | 0.080 | ≤ 0.25 | 17 |" in section

    def test_of_a_part_shows_no_chart(self) -> None:
        assert "speed.svg" in table.section(RESULTS)
        assert "speed.svg" not in table.section(replace(RESULTS, sized=[]))

    def test_goes_between_the_markers(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
        table.put(page, "new")
        assert page.read_text() == f"before\n{table.BEGIN}\n\nnew\n\n{table.END}\nafter\n"

    def test_needs_the_markers(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text("no markers\n")
        with pytest.raises(SystemExit):
            table.put(page, "new")
        assert page.read_text() == "no markers\n"

    @pytest.mark.parametrize(
        ("page", "begin", "end"),
        [
            (ROOT / "README.md", table.BEGIN, table.END),
            (ROOT / "tests/bench/NOTES.md", stages.BEGIN, stages.END),
        ],
    )
    def test_the_markers_occur_once(self, page: Path, begin: str, end: str) -> None:
        text = page.read_text()
        assert text.count(begin) == text.count(end) == 1
        assert text.index(begin) < text.index(end)


class TestChart:
    def test_equal_results_give_equal_bytes(self, tmp_path: Path) -> None:
        charts = []
        for name in ("first", "second"):
            (tmp_path / name).mkdir()
            charts.append([path.read_bytes() for path in chart.write(RESULTS, tmp_path / name)])
        assert charts[0] == charts[1]
        assert b"A processor, 2 cores" in charts[0][0]


class TestJobs:
    @pytest.mark.parametrize("scale", [comparisons.FULL, comparisons.QUICK])
    def test_every_comparison_names_a_job(self, scale: comparisons.Scale) -> None:
        named = [job for pair in comparisons.pairs(scale) for job in (pair.ours, pair.reference)]
        named += [job for _, *both in comparisons.sized(scale) for job in both]
        named += [job for _, job, _ in comparisons.alone()]
        assert {job.name for job in named} == set(jobs.JOBS)

    def test_a_job_runs(self, tmp_path: Path) -> None:
        command = [sys.executable, "-m", "tests.bench", "--quick", "--only", f"{ALONE}: `--help`"]
        ran = subprocess.run(
            [*command, "--folder", tmp_path],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        assert "| `--help`, whole process |" in ran.stdout


class TestStages:
    def test_every_measured_stage_has_a_row(self) -> None:
        assert {stage for stage, _ in stages.WATCHED} <= set(stages.STAGES)

    def test_a_stage_inside_itself_counts_once(self) -> None:
        watch = stages.Watch()
        with watch.stage("load"), watch.stage("load"):
            pass
        assert watch.spent["load"].calls == 1

    def test_every_measured_function_exists(self) -> None:
        watch = stages.Watch()
        for _, target in stages.WATCHED:
            if "_native" not in target or loader.load().module is not None:
                assert callable(watch.find(target)[2]), target

    def test_a_missing_function_is_reported(self) -> None:
        watch = stages.Watch()
        watch.replace("load", "lecun_cli.output.engine:no_such_name")
        assert watch.missing == ["lecun_cli.output.engine:no_such_name"]
