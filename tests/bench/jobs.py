"""One job in its own process: `python -m tests.bench.jobs NAME [ARGUMENT ...]`.

A job is prepared (imports and warm-up do not count), run once, and reported as one line of JSON: the seconds
of its work and the peak of its memory, or of the process that it started.
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
    """Run one job and print its seconds and memory."""
    name, *arguments = sys.argv[1:]
    job = JOBS[name](*arguments)
    os.sync()  # the bytes of other programs must not delay this job
    began = time.perf_counter()
    of_process = job()
    seconds = time.perf_counter() - began
    print(json.dumps({"seconds": seconds, "peak_mib": of_process or process.peak_mib()}))


if __name__ == "__main__":
    main()
