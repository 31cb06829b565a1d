"""Run every comparison and print a table: medians, and the median of the ratios pair by pair."""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from lecun_cli.kernel import load

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- written by `python -m tests.bench --readme` -->", "<!-- end of the benchmark -->"


@dataclass(frozen=True)
class Pair:
    """Ours against a reference, `what / argument` each."""

    what: str
    ours: tuple[str, str]
    reference: tuple[str, str]


PAIRS = (
    Pair("generation only, 2^28 float32, JAX lecun_normal", ("draw", ""), ("jax_lecun", "")),
    Pair("generation only, torch trunc_normal_", ("draw", ""), ("torch_trunc_normal", "")),
    Pair("1 GiB file with digests, numpy normals float64", ("whole", "1024"), ("numpy_normal", "")),
    Pair("1 GiB file with digests, numpy normals float32", ("whole", "1024"), ("numpy_normal32", "")),
    Pair("1 GiB file with digests, dd with fsync", ("whole", "1024"), ("dd", "1024")),
    Pair("1 GiB bfloat16 file, dd with fsync", ("whole", "1024,bfloat16"), ("dd", "1024")),
    Pair("transposed storage (Keras), plain (torch)", ("whole", "512,float32,keras"), ("whole", "512")),
    Pair("4 GiB file with digests, dd with fsync", ("whole", "4096"), ("dd", "4096")),
    Pair("memory: a 4 GiB file, a 400 MiB file", ("whole", "4096"), ("whole", "400")),
)
ALONE = (
    ("--help", "help_", ""),
    ("first sample, start to finish", "small", ""),
    ("plan of 405B", "plan_405b", ""),
)


def run(job: tuple[str, str], folder: str) -> dict[str, float]:
    """One job in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.jobs", *job]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{job} failed:\n{ran.stderr}")
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run all, or the pairs whose name holds the given text."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each side")
    parser.add_argument("--only", default="", help="pairs whose name holds this text")
    parser.add_argument(
        "--folder", help="where files are written; a temporary folder beside the clone if not given"
    )
    parser.add_argument("--readme", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        print(line, flush=True)

    say(
        f"{_processor()}, {len(os.sched_getaffinity(0))} cores, Python {platform.python_version()}, "
        f"{load().state}, {datetime.now(tz=UTC).date()}; medians of {options.runs} pairs.\n"
    )
    say("| ours, reference | ours s | reference s | ours / reference | ours MiB | reference MiB |")
    say("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=options.folder or ROOT.parent) as folder:
        for pair in PAIRS:
            if options.only in pair.what:
                say(compare(pair, options.runs, folder))
        say("\n| alone | s | MiB |\n|---|---|---|")
        for what, job, argument in ALONE:
            if options.only in what:
                found = [run((job, argument), folder) for _ in range(options.runs)]
                seconds = statistics.median(f["seconds"] for f in found)
                say(f"| {what} | {seconds:.3f} | {max(f['peak_mib'] for f in found):.0f} |")
    if options.readme:
        readme = ROOT / "README.md"
        head, _, rest = readme.read_text(encoding="utf-8").partition(BEGIN)
        _, _, tail = rest.partition(END)
        readme.write_text(f"{head}{BEGIN}\n\n" + "\n".join(lines) + f"\n\n{END}{tail}", encoding="utf-8")


def _processor() -> str:
    """The processor's name, where the system tells it."""
    try:
        rows = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next(
        (row.partition(":")[2].strip() for row in rows if row.startswith("model name")), platform.machine()
    )


def compare(pair: Pair, runs: int, folder: str) -> str:
    """A row of the table: the two in turn, after one of each that does not count."""
    run(pair.ours, folder)
    run(pair.reference, folder)
    found = [(run(pair.ours, folder), run(pair.reference, folder)) for _ in range(runs)]
    ours = statistics.median(a["seconds"] for a, _ in found)
    reference = statistics.median(b["seconds"] for _, b in found)
    ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in found)
    memory = [max(side["peak_mib"] for side in sides) for sides in zip(*found, strict=True)]
    return f"| {pair.what} | {ours:.2f} | {reference:.2f} | {ratio:.2f} | {memory[0]:.0f} | {memory[1]:.0f} |"


if __name__ == "__main__":
    main()
