"""The peers: one square matrix of LeCun normals, in memory only, or as a file flushed to the disk.

Every peer draws with its own initializer and saves with the safetensors writer for its arrays. (Keras's
`save_weights` to `.weights.h5` was slower on both backends.) Peers do not compute digests or write manifests.
Compilation and the first call of each library are not measured.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUT = Path("bench.peer.safetensors")

CUT_STDDEV = 0.87962566103423978
"""Std of a standard normal truncated at two; all frameworks except PyTorch divide by it."""

Draw = Callable[[], Any]
Save = Callable[[Any], None]
Peer = Callable[[int, str], tuple[Draw, Save]]


def numpy(side: int, dtype: str) -> tuple[Draw, Save]:
    """Return a peer that draws NumPy's float32 normals in blocks and redraws those past two sigma."""
    import numpy as np
    from safetensors.numpy import save_file

    if dtype != "float32":
        raise SystemExit(f"NumPy does not draw {dtype}")
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
    """Return a peer that calls `jax.nn.initializers.lecun_normal`, already compiled."""
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
    """Return a peer that calls `keras.initializers.LecunNormal` on JAX."""
    return _keras("jax", side, dtype)


def keras_torch(side: int, dtype: str) -> tuple[Draw, Save]:
    """Return a peer that calls `keras.initializers.LecunNormal` on PyTorch."""
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
    """Return a peer that calls `torch.nn.init.trunc_normal_` with the std and bounds of LeCun normal."""
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
    """Return a job of a peer that only generates into new memory."""
    draw, _ = PEERS[name](int(side), dtype)

    def job() -> None:
        draw()

    return job


def peer_whole(name: str, side: str, dtype: str) -> Callable[[], None]:
    """Return the whole job of a peer: into memory, then to a file, flushed to the disk."""
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
