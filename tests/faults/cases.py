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
        args: The arguments.
        action: The name of a signal or of an error number; "" for none.
        call: Which call is hit, counted from 1.
        functions: The functions whose calls count.
        since: Counting begins with the first call of one of these; at once if empty.
        after: Whether a signal comes after the call and not before.
        owner: `os`, or `skeleton` for the methods of the file object that h5py writes to.
        delay: Seconds after which the action comes, in place of a call; 0 for none.
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
        seconds: How long it took.
        n_calls: Calls counted; -1 if it was killed.
        stderr: What it printed there.
        files: The bytes of every file, by name.
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
