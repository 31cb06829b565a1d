"""Run the command line once for each fault, in real processes: a script, started by `run_faults`.

It loads the command line once and forks a child process for every fault, so that hundreds of faults take
seconds. In the child process, one system call fails, or a real signal arrives before or after it. Faults
come as JSON on stdin; their outcomes go to stdout.
"""

from __future__ import annotations

import errno
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


# Hundreds of jobs flush their files, which costs nothing in memory.
SCRATCH = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


class Shim:
    """Counts the calls of some functions, and performs an action at one of them."""

    def __init__(self, job: dict[str, Any]) -> None:
        self.job = job
        self.n_calls = 0
        self.started = not job["since"]

    def wrap(self, owner: Any, name: str) -> None:
        real = getattr(owner, name)

        @functools.wraps(real)
        def call(*args: Any, **kwargs: Any) -> Any:
            self.started = self.started or name in self.job["since"]
            if not self.started:
                return real(*args, **kwargs)
            self.n_calls += 1
            if self.n_calls != self.job["call"]:
                return real(*args, **kwargs)
            return self.act(lambda: real(*args, **kwargs))

        setattr(owner, name, call)

    def act(self, real: Callable[[], Any]) -> Any:
        action = self.job["action"]
        if not action.startswith("SIG"):
            raise OSError(getattr(errno, action), os.strerror(getattr(errno, action)))
        if not self.job["after"]:
            os.kill(os.getpid(), getattr(signal, action))
        try:
            return real()
        finally:
            if self.job["after"]:
                os.kill(os.getpid(), getattr(signal, action))


def child(job: dict[str, Any], report: int) -> None:
    """Run one job in the current folder; report the number of calls, and exit with the code of the run."""
    from lecun_cli.cli.main import run

    os.write(report, b"+")  # the caller counts its delay from here
    shim = Shim(job)
    owner: Any = os
    if job["owner"] == "skeleton":
        from lecun_cli.formats.sparse import SparseFile

        owner = SparseFile
    for name in job["functions"]:
        shim.wrap(owner, name)
    code = run(job["args"])
    os.write(report, str(shim.n_calls).encode())
    os._exit(code)


def run_job(job: dict[str, Any], template: str) -> dict[str, Any]:
    """Run one job in a copy of the template folder."""
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        here = os.path.join(folder, "here")
        shutil.copytree(template, here)
        errors = os.path.join(folder, "stderr")
        reading, writing = os.pipe()
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os.chdir(here)
            fd = os.open(errors, os.O_WRONLY | os.O_CREAT)
            os.dup2(fd, 2)
            try:
                child(job, writing)
            finally:
                os._exit(70)
        os.close(writing)
        os.read(reading, 1)
        if job["delay"]:
            time.sleep(job["delay"])
            os.kill(pid, getattr(signal, job["action"]))
        with os.fdopen(reading) as pipe:
            n_calls = pipe.read()
        _, status = os.waitpid(pid, 0)
        seconds = time.monotonic() - began
        files = {}
        for name in sorted(os.listdir(here)):
            with open(os.path.join(here, name), "rb") as file:
                files[name] = file.read().hex()
        with open(errors, encoding="utf-8") as file:
            text = file.read()
        return {
            "code": os.waitstatus_to_exitcode(status),
            "seconds": seconds,
            "n_calls": int(n_calls or -1),
            "stderr": text,
            "files": files,
        }


def warm_up() -> None:
    """Load the modules and build the pydantic models that every child process needs."""
    import lecun_cli.cli.app
    import lecun_cli.cli.completion  # noqa: F401
    from lecun_cli import GenerateOptions, generate, make_plan, parse_spec

    plan = make_plan(parse_spec("layers: [{type: dense, name: a, in_features: 1, out_features: 1}]"))
    with tempfile.TemporaryDirectory() as folder:
        for name in ("w.safetensors", "w.h5", "w.weights.h5"):
            generate(plan, os.path.join(folder, name), GenerateOptions(workers=1))


def main() -> None:
    """Read the jobs, run them, print the results."""
    # Shells start background jobs with SIGINT ignored, and ignored signals stay ignored in child processes.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    request = json.load(sys.stdin)
    warm_up()
    json.dump([run_job(job, request["template"]) for job in request["jobs"]], sys.stdout)


if __name__ == "__main__":
    main()
