"""The jobs that are compared, each run as a process of its own: `python -m tests.bench.jobs NAME [ARG]`.

A job prints one line of JSON: the seconds of its work, without imports and warm-up, and the peak of
its memory.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

SIDE = 16384  # a square of 2**28 weights: 1 GiB in float32

SPEC = """\
seed: 1
framework: torch
params: {{rows: {rows}}}
layers: [{{type: dense, name: layer, in_features: 16384, out_features: rows, bias: false}}]
"""


def draw(_: str) -> Callable[[], None]:
    """Ours, generation only: every core draws 4 MiB at a time into a buffer of its own."""
    import numpy as np

    from lecun_cli import make_plan, parse_spec
    from lecun_cli.elements import Drawer
    from lecun_cli.engine import default_workers

    (tensor,) = make_plan(parse_spec(SPEC.format(rows=SIDE))).tensors
    chunk = 2**20
    starts = iter(range(0, tensor.n_elements, chunk))
    lock = threading.Lock()

    def work() -> None:
        drawer = Drawer(1)
        out = np.empty(chunk, np.float32)
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            drawer.draw_range(tensor, start, out)

    def job() -> None:
        threads = [threading.Thread(target=work) for _ in range(default_workers())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return job


def jax_lecun(_: str) -> Callable[[], None]:
    """`jax.nn.initializers.lecun_normal`, compiled beforehand."""
    import jax

    made = jax.jit(lambda key: jax.nn.initializers.lecun_normal()(key, (SIDE, SIDE)))
    made(jax.random.key(0)).block_until_ready()

    def job() -> None:
        made(jax.random.key(1)).block_until_ready()

    return job


def torch_trunc_normal(_: str) -> Callable[[], None]:
    """`torch.nn.init.trunc_normal_` into memory that is there already."""
    import torch

    out = torch.empty(SIDE, SIDE)

    def job() -> None:
        torch.nn.init.trunc_normal_(out, std=1 / 128, a=-2 / 128, b=2 / 128)

    return job


def numpy_normal(_: str) -> Callable[[], None]:
    """NumPy's untruncated normals, float64 as it gives them, 8 MiB at a time into one buffer."""
    import numpy as np

    rng = np.random.default_rng(1)
    out = np.empty(2**20)

    def job() -> None:
        for _ in range(SIDE * SIDE // len(out)):
            rng.standard_normal(out=out)

    return job


def numpy_normal32(_: str) -> Callable[[], None]:
    """NumPy's untruncated normals in float32, its fastest."""
    import numpy as np

    rng = np.random.default_rng(1)
    out = np.empty(2**20, np.float32)

    def job() -> None:
        for _ in range(SIDE * SIDE // len(out)):
            rng.standard_normal(out=out, dtype=np.float32)

    return job


def whole(argument: str) -> Callable[[], None]:
    """Ours, the whole job: spec to file and manifest with every digest, flushed to the disk.

    The argument is `MIB[,DTYPE[,FRAMEWORK]]`.
    """
    given = argument.split(",") if argument else []
    mib, dtype, framework = [*given, *("1024", "float32", "torch")[len(given) :]]
    itemsize = {"float32": 4, "bfloat16": 2}[dtype]
    rows = max(1, int(mib) * 2**20 // itemsize // 16384)
    from lecun_cli import Options, generate, make_plan, parse_spec

    out = Path("bench.safetensors")
    out.unlink(missing_ok=True)  # an old file would hold on to its share of the page cache until the end

    def job() -> None:
        plan = make_plan(parse_spec(SPEC.format(rows=rows), dtype=dtype, framework=framework))
        generate(plan, out, Options(force=True))

    return job


def dd(argument: str) -> Callable[[], None]:
    """`dd` of as many zeros, flushed to the disk."""
    count = int(argument or "1024") // 4
    Path("bench.dd").unlink(missing_ok=True)

    def job() -> None:
        command = ["dd", "if=/dev/zero", "of=bench.dd", "bs=4M", f"count={count}", "conv=fsync"]
        subprocess.run(command, check=True, capture_output=True)

    return job


def help_(_: str) -> Callable[[], None]:
    """`lecun-init --help` as a process."""

    def job() -> None:
        subprocess.run([sys.executable, "-m", "lecun_cli", "--help"], check=True, capture_output=True)

    return job


def small(_: str) -> Callable[[], None]:
    """`lecun-init` on the first sample as a process, start to finish."""
    spec = Path(__file__).parents[2] / "sample_specs" / "selu_mlp.yaml"
    command = [sys.executable, "-m", "lecun_cli", str(spec), "-o", "small.safetensors", "--force", "-q"]

    def job() -> None:
        subprocess.run(command, check=True, capture_output=True)

    return job


def plan_405b(_: str) -> Callable[[], None]:
    """The plan of 405 billion parameters."""
    from lecun_cli import load_spec, make_plan

    spec = Path(__file__).parents[2] / "sample_specs" / "llama3.yaml"
    sizes: dict[str, int | str] = {
        "vocab": 128256,
        "d": 16384,
        "heads": 128,
        "kv_heads": 8,
        "blocks": 126,
        "ffn": 53248,
    }

    def job() -> None:
        make_plan(load_spec(str(spec), params=sizes))

    return job


JOBS: dict[str, Callable[[str], Callable[[], None]]] = {
    job.__name__: job
    for job in (
        draw, jax_lecun, torch_trunc_normal, numpy_normal, numpy_normal32, whole, dd, help_, small, plan_405b,
    )
}  # fmt: skip


def main() -> None:
    """Run one job and print what it took."""
    job = JOBS[sys.argv[1]](sys.argv[2] if len(sys.argv) > 2 else "")
    os.sync()
    began = time.perf_counter()
    job()
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({"seconds": seconds, "peak_mib": peak / 1024}))


if __name__ == "__main__":
    main()
