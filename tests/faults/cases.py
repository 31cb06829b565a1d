"""Faults as a table: the action, the call at which it happens, and the outcome of the run."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

DRIVER = Path(__file__).with_name("driver.py")

SYSTEM_CALLS = (
    "open", "close", "posix_fallocate", "pwrite", "fsync", "stat", "link", "rename", "replace", "unlink",
)  # fmt: skip
RENAMES = ("link", "rename", "replace")
SKELETON_CALLS = ("write", "seek", "truncate", "tell", "readinto")


@dataclass(frozen=True)
class Fault:
    """One run of the command line with one fault.

    Attributes:
        args: The arguments of the command line.
        action: Name of a signal or of an errno; empty for no action.
        call: Number of the call at which the action happens, counted from 1.
        functions: The functions whose calls are counted.
        since: Counting starts with the first call of one of these functions; at once if empty.
        after: If true, a signal arrives after the call, otherwise before it.
        owner: `os`, or `skeleton` for the methods of the file object that h5py writes to.
        delay: Seconds after which the action happens, instead of a call; 0 for no delay.
    """

    args: tuple[str, ...]
    action: str = ""
    call: int = 0
    functions: tuple[str, ...] = SYSTEM_CALLS
    since: tuple[str, ...] = ()
    after: bool = False
    owner: str = "os"
    delay: float = 0.0


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        code: The exit code, negative for a signal.
        seconds: Duration of the run.
        n_calls: Number of counted calls; -1 if the run was killed.
        stderr: Text on standard error.
        files: Content of every file, by name.
    """

    code: int
    seconds: float
    n_calls: int
    stderr: str
    files: dict[str, bytes]


def run_faults(diagnostics: Sequence[Fault], template: Path) -> list[Outcome]:
    """Run the command line once for each fault, each in a copy of a folder."""
    request = {"template": str(template), "jobs": [asdict(diagnostic) for diagnostic in diagnostics]}
    result = subprocess.run(
        [sys.executable, str(DRIVER)], input=json.dumps(request), capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return [
        Outcome(
            row["code"],
            row["seconds"],
            row["n_calls"],
            row["stderr"],
            {name: bytes.fromhex(data) for name, data in row["files"].items()},
        )
        for row in json.loads(result.stdout)
    ]
