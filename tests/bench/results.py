"""Results of the benchmark: every run, kept in `results.json`, from which tables and charts are made."""

from __future__ import annotations

import json
import os
import platform
import statistics
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from lecun_cli.stream._kernel.loader import load

PACKAGES = ("lecun-init", "numpy", "safetensors", "jax", "keras", "torch")


class Run(NamedTuple):
    """Seconds and peak memory of one run of a job."""

    seconds: float
    peak_mib: float


Runs = list[Run]


def seconds(runs: Runs) -> float:
    """Return the median of the seconds."""
    return statistics.median(run.seconds for run in runs)


def peak_mib(runs: Runs) -> float:
    """Return the highest peak of memory in MiB."""
    return max(run.peak_mib for run in runs)


@dataclass(frozen=True)
class Compared:
    """A pair of `comparisons.py` with its runs in order."""

    group: str
    what: str
    ours: Runs
    reference: Runs
    limit: float | None = None
    memory_limit: float | None = None

    @property
    def ratio(self) -> float:
        """Median of the ratios of seconds of each pair."""
        return statistics.median(
            a.seconds / b.seconds for a, b in zip(self.ours, self.reference, strict=True)
        )

    @property
    def memory_ratio(self) -> float:
        """Ratio of the peaks of memory."""
        return peak_mib(self.ours) / peak_mib(self.reference)


@dataclass(frozen=True)
class Sized:
    """Our command and `dd` for a file of one size."""

    mib: int
    ours: Runs
    dd: Runs


@dataclass(frozen=True)
class Alone:
    """A job without a comparison."""

    what: str
    runs: Runs
    limit: float | None = None


@dataclass
class Results:
    """Results of one invocation."""

    machine: str
    date: str
    runs: int
    versions: dict[str, str]
    compared: list[Compared] = field(default_factory=list)
    sized: list[Sized] = field(default_factory=list)
    alone: list[Alone] = field(default_factory=list)

    @classmethod
    def here(cls, runs: int) -> Results:
        """Return empty results for this machine and day."""
        return cls(_machine(), str(datetime.now(tz=UTC).date()), runs, _versions())

    @classmethod
    def read(cls, path: Path) -> Results:
        """Read results from a file."""
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        rows: dict[str, Any] = {
            key: [kind(**{k: _runs(v) for k, v in row.items()}) for row in document.pop(key)]
            for key, kind in (("compared", Compared), ("sized", Sized), ("alone", Alone))
        }
        return cls(**document, **rows)

    def write(self, path: Path) -> None:
        """Write the results as JSON, one comparison per line."""
        entries = []
        for key, value in asdict(self).items():
            if isinstance(value, list):
                rows = ",\n".join(f"  {json.dumps(row)}" for row in value)
                entries.append(f'"{key}": [\n{rows}\n]')
            else:
                entries.append(f'"{key}": {json.dumps(value)}')
        path.write_text("{\n" + ",\n".join(entries) + "\n}\n", encoding="utf-8")


def _runs(value: Any) -> Any:
    return [Run(*run) for run in value] if isinstance(value, list) else value


def _machine() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = ""
    if "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return f"{_processor()}, {cores} cores{memory}, {platform.system()}"


def _processor() -> str:
    """Return the name of the processor if the system provides it, else the architecture."""
    try:
        rows = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        rows = []
    names = (row.partition(":")[2].strip() for row in rows if row.startswith("model name"))
    return next(names, platform.machine())


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version(), "kernel": load().state}
    for package in PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
