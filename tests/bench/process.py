"""Processes and their peak memory, with the standard library only."""

from __future__ import annotations

import resource
import subprocess
import sys
import threading
from pathlib import Path

_POLL_SECONDS = 0.01


def peak_mib(pid: int | str = "self") -> float:
    """Return the peak of the resident memory of a process in MiB, or 0 if it is unknown.

    On Linux, a process inherits `ru_maxrss` from its parent; VmHWM is the same figure without that.
    """
    try:
        rows = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        rows = []
    for row in rows:
        if row.startswith("VmHWM:"):
            return int(row.split()[1]) / 2**10
    if pid != "self" or Path("/proc/self/status").exists():
        return 0.0
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def run(command: list[str]) -> float:
    """Run a command to its end and return the peak of its memory, in MiB.

    A thread samples the peak, which never decreases. So the last sample is the peak, except for growth in the
    last hundredth of a second.
    """
    peak = 0.0
    ended = threading.Event()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:

        def watch() -> None:
            nonlocal peak
            while True:
                peak = max(peak, peak_mib(process.pid))
                if ended.wait(_POLL_SECONDS):
                    return

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            _, errors = process.communicate()
        finally:
            ended.set()
            watcher.join()
    if process.returncode:
        raise SystemExit(f"{command} failed:\n{errors}")
    return peak
