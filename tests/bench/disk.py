"""The disk alone: the cost of a file if its bytes cost nothing."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench import process


def dd(mib: str) -> Callable[[], float]:
    """Return a job that copies zeros with `dd` and flushes them to the disk."""
    block = min(4, int(mib))
    command = [
        "dd",
        "if=/dev/zero",
        "of=bench.dd",
        f"bs={block}M",
        f"count={int(mib) // block}",
        "conv=fsync",
    ]
    return lambda: process.run(command)


JOBS = (dd,)
