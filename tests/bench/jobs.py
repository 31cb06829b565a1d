"""One job in a process of its own: `python -m tests.bench.jobs NAME [ARGUMENT ...]`.

A job is made (its imports and warm-up are outside the clock), run once, and printed as one line of JSON: the
seconds of its work and the peak of its memory, or of the process that it started.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

from tests.bench import disk, ours, peers, process

JOBS: dict[str, Callable[..., Callable[[], float | None]]] = {
    job.__name__: job for job in (*ours.JOBS, *peers.JOBS, *disk.JOBS)
}


def main() -> None:
    """Run one job and print what it took."""
    name, *arguments = sys.argv[1:]
    job = JOBS[name](*arguments)
    os.sync()  # nobody else's bytes are on their way to the disk
    began = time.perf_counter()
    of_process = job()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mib": of_process or process.peak_mib()}))


if __name__ == "__main__":
    main()
