"""Weight files as other tools write them, with errors that other frameworks really make."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors.numpy import save_file

from lecun_cli.initializers.distributions import TRUNCATED_STD

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray


def truncated(shape: tuple[int, ...], std: float, seed: int = 0) -> NDArray[np.float32]:
    """Return a normal that is truncated at two sigma by rejection; `std` is the std after truncation."""
    rng = np.random.default_rng(seed)
    n = math.prod(shape)
    z = rng.standard_normal(2 * n)
    z = z[np.abs(z) <= 2][:n]
    return (z * (std / TRUNCATED_STD)).astype(np.float32).reshape(shape)


def normal(shape: tuple[int, ...], std: float, seed: int = 0) -> NDArray[np.float32]:
    """Return a normal without truncation."""
    return (np.random.default_rng(seed).standard_normal(shape) * std).astype(np.float32)


def uniform(shape: tuple[int, ...], bound: float, seed: int = 0) -> NDArray[np.float32]:
    """Return uniform values between -bound and bound."""
    return np.random.default_rng(seed).uniform(-bound, bound, shape).astype(np.float32)


def leaky(shape: tuple[int, ...], std: float) -> NDArray[np.float32]:
    """Return a truncated normal with three weights past the bound, as Keras leaks them on PyTorch."""
    weights = truncated(shape, std)
    bound = 2 * std / TRUNCATED_STD
    weights.reshape(-1)[[3, 500, 7000]] = [1.2 * bound, -1.68 * bound, 1.01 * bound]
    return weights


def of_few_levels(shape: tuple[int, ...], std: float) -> NDArray[np.float32]:
    """Return only 128 distinct values, as JAX draws bfloat16: the inverse CDF on a coarse grid."""
    from scipy.special import ndtri

    low = 0.02275013194817921
    level = np.random.default_rng(0).integers(0, 128, shape)
    z = ndtri(low + (1 - 2 * low) * level / 128)
    weights: NDArray[np.float32] = (z * (std / TRUNCATED_STD)).astype(np.float32)
    return weights


def write(path: Path, tensors: Mapping[str, NDArray[Any]], *, form: str = "pt") -> Path:
    """Write a safetensors file with the safetensors library."""
    save_file({name: np.ascontiguousarray(a) for name, a in tensors.items()}, path, metadata={"format": form})
    return path
