"""Our jobs: generation only, the whole job without imports, and the command."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from pathlib import Path

from tests.bench import process

SAMPLES = Path(__file__).parents[2] / "sample_specs"
OUT = Path("bench.safetensors")

COLUMNS = 16384
ONE_TENSOR = """\
seed: 1
framework: {framework}
dtype: {dtype}
params: {{rows: {rows}, columns: {columns}}}
layers: [{{type: dense, name: layer, in_features: columns, out_features: rows, bias: false}}]
"""
SMALL_WEIGHTS = 1000
SMALL_TENSORS = """\
seed: 1
framework: torch
layers:
  - repeat: {count}
    name: t{{i}}
    layers: [{{type: dense, name: layer, in_features: 10, out_features: 100, bias: false}}]
"""


def one_tensor(mib: int, dtype: str = "float32", framework: str = "torch") -> str:
    """Return a spec with one tensor of a size in MiB."""
    itemsize = {"float32": 4, "bfloat16": 2}[dtype]
    rows = mib * 2**20 // itemsize // COLUMNS
    return ONE_TENSOR.format(framework=framework, dtype=dtype, rows=rows, columns=COLUMNS)


def draw(side: str, dtype: str = "float32") -> Callable[[], None]:
    """Return a job that only generates: every core draws 4 MiB at a time into its own buffer."""
    import numpy as np

    from lecun_cli import make_plan, parse_spec
    from lecun_cli.output.engine import default_workers
    from lecun_cli.tensors.generator import TensorGenerator

    spec = ONE_TENSOR.format(framework="torch", dtype=dtype, rows=side, columns=side)
    (tensor,) = make_plan(parse_spec(spec)).tensors
    chunk = 2**22 // tensor.storage.itemsize
    starts = iter(range(0, tensor.n_elements, chunk))
    lock = threading.Lock()

    def work() -> None:
        generator = TensorGenerator(1)
        out = np.empty(chunk, tensor.storage.numpy())
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                return
            generator.draw_range(tensor, start, out[: tensor.n_elements - start])

    def job() -> None:
        threads = [threading.Thread(target=work) for _ in range(default_workers())]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return job


def whole(mib: str, dtype: str = "float32", framework: str = "torch") -> Callable[[], None]:
    """Return the whole job: spec to file and manifest with all digests, flushed to the disk."""
    from lecun_cli import generate, make_plan, parse_spec

    spec = one_tensor(int(mib), dtype, framework)

    def job() -> None:
        generate(make_plan(parse_spec(spec)), OUT)

    return job


def _command(spec: str | Path) -> Callable[[], float]:
    """Return a job that runs `lecun-init SPEC` as a whole process."""
    command = [sys.executable, "-m", "lecun_cli", str(spec), "-o", str(OUT), "--quiet"]
    return lambda: process.run(command)


def command(mib: str) -> Callable[[], float]:
    """Return a job that runs the command on one float32 tensor."""
    spec = Path("one.yaml")
    spec.write_text(one_tensor(int(mib)), encoding="utf-8")
    return _command(spec)


def small_tensors(count: str) -> Callable[[], float]:
    """Return a job that runs the command on many tensors of 1,000 weights."""
    spec = Path("small.yaml")
    spec.write_text(SMALL_TENSORS.format(count=count), encoding="utf-8")
    return _command(spec)


def same_bytes(count: str) -> Callable[[], float]:
    """Return a job that runs the command on one tensor with all weights of `small_tensors`."""
    spec = Path("large.yaml")
    text = ONE_TENSOR.format(framework="torch", dtype="float32", rows=count, columns=SMALL_WEIGHTS)
    spec.write_text(text, encoding="utf-8")
    return _command(spec)


def sample() -> Callable[[], float]:
    """Return a job that runs the command on the first sample."""
    return _command(SAMPLES / "selu_mlp.yaml")


def help_() -> Callable[[], float]:
    """Return a job that runs `lecun-init --help`."""
    return lambda: process.run([sys.executable, "-m", "lecun_cli", "--help"])


def plan_405b() -> Callable[[], None]:
    """Return a job that plans 405 billion parameters."""
    from lecun_cli import load_spec, make_plan

    sizes: dict[str, int | str] = {
        "vocab": 128256,
        "d": 16384,
        "heads": 128,
        "kv_heads": 8,
        "blocks": 126,
        "ffn": 53248,
    }

    def job() -> None:
        make_plan(load_spec(str(SAMPLES / "llama3.yaml"), params=sizes))

    return job


JOBS = (draw, whole, command, small_tensors, same_bytes, sample, help_, plan_405b)
