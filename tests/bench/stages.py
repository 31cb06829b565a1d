"""Profile of our time: one run in which the functions of every stage are measured from outside.

The elapsed and the busy seconds of a stage are summed over its threads. `WATCHED` names the functions; if one
does not exist any more, the table says so, and its stage has fewer calls.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.comparisons import Scale
from tests.bench.ours import OUT, SMALL_TENSORS, one_tensor
from tests.bench.process import peak_mib
from tests.bench.results import Results
from tests.bench.table import described

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- written by `python -m tests.bench --profile` -->", "<!-- end of the profile -->"

CASES: dict[str, Callable[[Scale], str]] = {
    "large": lambda scale: one_tensor(scale.large_mib),
    "bfloat16": lambda scale: one_tensor(scale.large_mib, "bfloat16"),
    "transposed": lambda scale: one_tensor(scale.large_mib, "float32", "keras"),
    "small": lambda scale: SMALL_TENSORS.format(count=scale.small_tensors),
}

# Stages in the order of the table; those with a dot run in threads, inside the stage above them.
STAGES = (
    "imports", "load", "plan", "layout", "reserve", "engine", "· draw", "· digest", "· write",
    "· early flush", "manifest", "fsync", "whole",
)  # fmt: skip

WATCHED = (
    ("reserve", "os:posix_fallocate"),
    ("reserve", "os:ftruncate"),
    ("engine", "lecun_cli.output.engine:run"),
    ("· draw", "lecun_cli.tensors.generator:TensorGenerator.draw_range"),
    ("· draw", "lecun_cli.tensors.generator:TensorGenerator.draw_box"),
    ("· draw", "lecun_cli.stream._kernel._native:draw"),
    ("· draw", "lecun_cli.stream._kernel._native:draw_runs"),
    ("· digest", "lecun_cli.stream._kernel._native:digest"),
    ("· write", "os:pwrite"),
    ("· write", "os:pwritev"),
    ("manifest", "lecun_cli.generation:make_manifest"),
    ("manifest", "lecun_cli.manifest.model:Manifest.to_bytes"),
    ("fsync", "os:fsync"),
)


@dataclasses.dataclass
class Spent:
    """Calls and seconds of a stage."""

    calls: int = 0
    passed: float = 0.0
    busy: float = 0.0


class Watch:
    """Counter of the calls of functions and of their seconds."""

    def __init__(self) -> None:
        self.spent = {stage: Spent() for stage in STAGES}
        self.missing: list[str] = []
        self._lock = threading.Lock()
        self._inside = threading.local()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time in this context, except for a stage inside itself."""
        inside: set[str] = self._inside.__dict__.setdefault("stages", set())
        if name in inside:
            yield
            return
        inside.add(name)
        passed, busy = time.perf_counter(), time.thread_time()
        try:
            yield
        finally:
            busy = time.thread_time() - busy
            passed = time.perf_counter() - passed
            inside.remove(name)
            with self._lock:
                spent = self.spent[name]
                spent.calls += 1
                spent.passed += passed
                spent.busy += busy

    def watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a function so that its calls are counted."""

        def call(*arguments: Any, **keywords: Any) -> Any:
            with self.stage(name):
                return function(*arguments, **keywords)

        return call

    def replace(self, name: str, target: str) -> None:
        """Count the calls of `module:name` or `module:class.name`, if it exists."""
        try:
            holder, attribute, function = self.find(target)
        except (ImportError, AttributeError):
            self.missing.append(target)
        else:
            setattr(holder, attribute, self.watched(name, function))

    @staticmethod
    def find(target: str) -> tuple[Any, str, Any]:
        """Return the owner of `module:name` or `module:class.name`, the last name, and the function.

        Raises:
            ImportError: The module does not exist.
            AttributeError: The function does not exist.
        """
        module, _, path = target.partition(":")
        *outer, attribute = path.split(".")
        holder: Any = import_module(module)
        for name in outer:
            holder = getattr(holder, name)
        return holder, attribute, getattr(holder, attribute)


class _Sha256:
    """SHA-256 of hashlib that counts `update`; the type itself cannot be changed from outside."""

    def __init__(self, watch: Watch, digest: Any) -> None:
        self._digest = digest
        self.update = watch.watched("· digest", digest.update)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._digest, name)


def watch_everything() -> Watch:
    """Count every stage in this process from now on."""
    watch = Watch()
    module: Any = hashlib
    plain = module.sha256
    module.sha256 = lambda *a, **k: _Sha256(watch, plain(*a, **k))
    for stage, target in WATCHED:
        watch.replace(stage, target)
    from lecun_cli.formats import FORMATS

    for name, file_format in FORMATS.items():
        FORMATS[name] = dataclasses.replace(file_format, layout=watch.watched("layout", file_format.layout))
    try:
        local_file: Any = import_module("lecun_cli.output.destinations.local_file")
        plain_flush = local_file._early_flush
    except (ImportError, AttributeError):
        watch.missing.append("lecun_cli.output.destinations.local_file:_early_flush")
    else:
        local_file._early_flush = lambda: (flush := plain_flush()) and watch.watched("· early flush", flush)
    return watch


def main() -> None:
    """Run one spec and print the time of its stages as JSON."""
    began = time.perf_counter(), time.thread_time()
    from lecun_cli import generate, make_plan, parse_spec
    from lecun_cli.stream._kernel import loader

    loader.load()  # draws a sample to test the kernel
    imports = Spent(1, time.perf_counter() - began[0], time.thread_time() - began[1])
    watch = watch_everything()
    watch.spent["imports"] = imports
    text = Path(sys.argv[1]).read_text(encoding="utf-8")
    os.sync()
    before = resource.getrusage(resource.RUSAGE_SELF)
    began_whole = time.perf_counter()
    with watch.stage("load"):
        spec = parse_spec(text)
    with watch.stage("plan"):
        plan = make_plan(spec)
    generate(plan, OUT)
    passed = time.perf_counter() - began_whole
    after = resource.getrusage(resource.RUSAGE_SELF)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    watch.spent["whole"] = Spent(1, passed, busy)
    stages = {name: dataclasses.astuple(spent) for name, spent in watch.spent.items()}
    print(json.dumps({"stages": stages, "missing": watch.missing, "peak_mib": peak_mib()}))


def profile(only: str | None, scale: Scale, folder: Path) -> str:
    """Run the cases, each in its own process, and return their tables.

    Args:
        only: A key of `CASES`, or None for all.
        scale: Sizes of the cases.
        folder: Folder for the files.
    """
    parts = [f"{described(Results.here(1))}."]
    for case in CASES if only is None else (only,):
        spec = CASES[case](scale)
        command = [sys.executable, "-m", "tests.bench.stages", "profile.yaml"]
        env = {**os.environ, "PYTHONPATH": str(ROOT)}
        with tempfile.TemporaryDirectory(dir=folder) as work:
            Path(work, "profile.yaml").write_text(spec, encoding="utf-8")
            ran = subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"the profile of {case} failed:\n{ran.stderr}")
        parts.append(_table(case, json.loads(ran.stdout.splitlines()[-1])))
    return "\n\n".join(parts)


def _table(case: str, profile: dict[str, Any]) -> str:
    lines = [
        f"| {case}, peak {profile['peak_mib']:.0f} MiB | calls | s passed | s busy |",
        "|---|---|---|---|",
    ]
    for name, (calls, passed, busy) in profile["stages"].items():
        lines.append(f"| {name} | {calls} | {passed:.3f} | {busy:.3f} |")
    if profile["missing"]:
        lines += [
            "",
            f"These functions do not exist: {', '.join(f'`{name}`' for name in profile['missing'])}.",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
