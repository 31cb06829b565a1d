"""The peers: one square matrix of LeCun normals, in memory alone or whole, to a file flushed to the disk.

Every peer draws by its own initializer and saves by the safetensors library's writer for its arrays. (Keras's
own `save_weights` to `.weights.h5` was slower on both backends.) None makes a digest or a manifest.
Compilation and the first call of each library are outside the clock.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUT = Path("bench.peer.safetensors")

CUT_STDDEV = 0.87962566103423978
"""The standard deviation of a standard normal cut at two; the frameworks divide by it, all but PyTorch."""

Draw = Callable[[], Any]
Save = Callable[[Any], None]
Peer = Callable[[int, str], tuple[Draw, Save]]


def numpy(side: int, dtype: str) -> tuple[Draw, Save]:
    """NumPy's float32 normals, those past two sigma drawn again, a piece at a time that fits the cache."""
    import numpy as np
    from safetensors.numpy import save_file

    if dtype != "float32":
        raise SystemExit(f"NumPy has no {dtype}")
    chunk = 2**18
    rng = np.random.default_rng(1)
    std = np.float32(math.sqrt(1 / side) / CUT_STDDEV)

    def draw() -> Any:
        out = np.empty(side * side, np.float32)
        for start in range(0, len(out), chunk):
            part = out[start : start + chunk]
            rng.standard_normal(out=part, dtype=np.float32)
            past = np.flatnonzero(np.abs(part) > 2)
            while len(past):
                part[past] = rng.standard_normal(len(past), np.float32)
                past = past[np.abs(part[past]) > 2]
            part *= std
        return out.reshape(side, side)

    return draw, lambda weights: save_file({"layer.weight": weights}, OUT)


def jax(side: int, dtype: str) -> tuple[Draw, Save]:
    """`jax.nn.initializers.lecun_normal`, compiled beforehand."""
    import jax
    from safetensors.flax import save_file

    initializer = jax.nn.initializers.lecun_normal()
    compiled = jax.jit(lambda key: initializer(key, (side, side), dtype))
    compiled(jax.random.key(0)).block_until_ready()
    return (
        lambda: compiled(jax.random.key(1)).block_until_ready(),
        lambda weights: save_file({"layer.weight": weights}, OUT),
    )


def keras_jax(side: int, dtype: str) -> tuple[Draw, Save]:
    """`keras.initializers.LecunNormal` on JAX."""
    return _keras("jax", side, dtype)


def keras_torch(side: int, dtype: str) -> tuple[Draw, Save]:
    """`keras.initializers.LecunNormal` on PyTorch."""
    return _keras("torch", side, dtype)


def _keras(backend: str, side: int, dtype: str) -> tuple[Draw, Save]:
    os.environ["KERAS_BACKEND"] = backend
    import keras

    initializer = keras.initializers.LecunNormal(seed=1)
    if backend == "jax":
        from safetensors.flax import save_file

        initializer((side, side), dtype).block_until_ready()  # compiles for this shape
        return (
            lambda: initializer((side, side), dtype).block_until_ready(),
            lambda weights: save_file({"layer/kernel": weights}, OUT),
        )
    from safetensors.torch import save_file

    initializer((64, 64), dtype)
    return lambda: initializer((side, side), dtype), lambda weights: save_file({"layer/kernel": weights}, OUT)


def torch(side: int, dtype: str) -> tuple[Draw, Save]:
    """`torch.nn.init.trunc_normal_`, given the deviation and the bounds that make it LeCun normal."""
    import torch
    from safetensors.torch import save_file

    std = math.sqrt(1 / side) / CUT_STDDEV
    torch.nn.init.trunc_normal_(torch.empty(64, 64), std=std, a=-2 * std, b=2 * std)

    def draw() -> Any:
        out = torch.empty(side, side, dtype=getattr(torch, dtype))
        return torch.nn.init.trunc_normal_(out, std=std, a=-2 * std, b=2 * std)

    return draw, lambda weights: save_file({"layer.weight": weights}, OUT)


PEERS: dict[str, Peer] = {peer.__name__: peer for peer in (numpy, jax, keras_jax, keras_torch, torch)}


def peer_draw(name: str, side: str, dtype: str) -> Callable[[], None]:
    """A peer, generation only: into memory of its own."""
    draw, _ = PEERS[name](int(side), dtype)

    def job() -> None:
        draw()

    return job


def peer_whole(name: str, side: str, dtype: str) -> Callable[[], None]:
    """A peer, the whole job: into memory, from there into a file, flushed to the disk."""
    draw, save = PEERS[name](int(side), dtype)

    def job() -> None:
        save(draw())
        fd = os.open(OUT, os.O_RDWR)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    return job


JOBS = (peer_draw, peer_whole)
