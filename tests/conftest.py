"""Plans for tests: from the text of a spec, or built from tensors."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import settings

from lecun_cli.initializers.family import Initializer, make
from lecun_cli.initializers.fans import Fans
from lecun_cli.plan.planner import make_plan
from lecun_cli.plan.types import PackedParameter, Plan, TensorPlan
from lecun_cli.spec.load import parse_spec
from lecun_cli.stream.fill import fill
from lecun_cli.stream.philox import stream_key
from lecun_cli.stream.scratch import Scratch

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Keras chooses its backend when it is imported; the NumPy backend needs JAX but not TensorFlow.
os.environ.setdefault("KERAS_BACKEND", "numpy")

# Shells start background jobs with SIGINT ignored, which every process that a test starts would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests must not fail because the machine is busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

SEED = 42

PLAIN = ("safetensors", "hdf5")
"""The formats that can store any plan, each tensor under its own name."""

LAYERS = (
    "{type: conv2d, name: conv, in_channels: 6, out_channels: 10, kernel_size: [3, 2], groups: 2}",
    "{type: dense, name: hidden, in_features: 37, out_features: 29}",
    "{type: batch_normalization, name: norm, features: 5}",
    "{type: embedding, name: words, num_embeddings: 13, embedding_dim: 7, dtype: bfloat16}",
    "{type: experts, name: experts, num_experts: 3, in_features: 9, out_features: 11, dtype: float16}",
    "{type: tensor, name: wide, shape: [4, 3, 5], in_axes: [1], dtype: float64}",
    "{type: tensor, name: e4, shape: [41], fan_in: 41, dtype: float8_e4m3fn}",
    "{type: tensor, name: e5, shape: [7, 6], in_axes: [1], initializer: lecun_uniform, dtype: float8_e5m2}",
    "{type: tensor, name: count, shape: [], initializer: {name: constant, value: -7}, dtype: int64}",
    "{type: tensor, name: mask, shape: [3, 3], initializer: ones, dtype: bool}",
)
"""Layers with every family of dtypes, transposed kernels, scalars and tensors shorter than a block."""


def plan_of(text: str, framework: str = "keras", fan_rule: str = "exact") -> Plan:
    """Return the plan of a spec."""
    return make_plan(parse_spec(text, framework=framework, fan_rule=fan_rule))


def mixed_plan(framework: str = "keras", layers: tuple[str, ...] = LAYERS) -> Plan:
    """Return a small plan with many kinds of tensors."""
    return plan_of(f"seed: {SEED}\nlayers: [{', '.join(layers)}]\n", framework)


def part(
    shape: tuple[int, ...],
    axes: tuple[int, ...] | None = None,
    initializer: Initializer | None = None,
    identity: str = "t",
    flip: tuple[int, ...] = (),
) -> PackedParameter:
    """Return a parameter of a stored shape; the default initializer is lecun_normal with fan-in 50."""
    initializer = initializer or make("lecun_normal")
    fans = Fans(50, 60) if initializer.needs_fans else None
    return PackedParameter(
        identity, shape, axes, initializer, fans, fans, initializer.distribution(fans), flip
    )


def tensor(
    shape: tuple[int, ...],
    axes: tuple[int, ...] | None = None,
    dtype: str = "float32",
    initializer: Initializer | None = None,
    name: str = "t",
) -> TensorPlan:
    """Return a tensor that consists of one parameter with its name."""
    return TensorPlan.of(name, dtype, shape, (part(shape, axes, initializer, name),))


def plan_with(*tensors: TensorPlan, seed: int = SEED) -> Plan:
    """Return a plan that consists of the given tensors."""
    return Plan(tensors, seed, "torch", "exact", "0" * 64)


def drawn(planned: TensorPlan, seed: int = SEED) -> NDArray[np.generic]:
    """Return a tensor as defined: drawn canonically in C order from the stream, transposed, packed."""
    arrays = []
    for one in planned.parts:
        flat = np.empty(int(np.prod(one.shape, dtype=np.int64)), planned.storage.numpy())
        fill(flat, one.distribution, stream_key(seed, one.identity), 0, planned.storage, Scratch())
        canonical = flat.reshape(one.canonical_shape)
        stored = canonical if one.axes is None else canonical.transpose(one.axes)
        arrays.append(np.flip(stored, one.flip))
    if planned.concat_axis == 0:
        arrays = [array.reshape(-1) for array in arrays]
    return np.ascontiguousarray(np.concatenate(arrays, planned.concat_axis)).reshape(planned.shape)


@pytest.fixture
def mixed() -> Plan:
    """Return a small plan with many kinds of tensors, in the names and storage orders of Keras."""
    return mixed_plan()
