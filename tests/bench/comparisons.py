"""The comparisons and their limits. A new comparison is a row here."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Job:
    """A job of `jobs.py`.

    Attributes:
        name: Name of the job in `JOBS`.
        arguments: Arguments of the job.
        kernel: If true, our C kernel may be used.
    """

    name: str
    arguments: tuple[str, ...] = ()
    kernel: bool = True


@dataclass(frozen=True)
class Pair:
    """Comparison of our job with a reference.

    Attributes:
        group: Name of the table.
        what: Name of the row.
        ours: Our job.
        reference: The other job.
        limit: Limit of the ratio of seconds, ours / reference, or None.
        memory_limit: Limit of the ratio of the peaks of memory, or None.
    """

    group: str
    what: str
    ours: Job
    reference: Job
    limit: float | None = None
    memory_limit: float | None = None


GENERATION = "generation only, 2^28 weights"
WHOLE = "whole job, 2^28 weights: spec to flushed file"
DD = "whole job, a file of 4 GiB, against dd of zeros with fsync"
OURSELVES = "ours against ours"
SIZES = "cost against size"
ALONE = "alone"

PEERS = {
    "numpy": "NumPy normals cut at two sigma",
    "jax": "JAX lecun_normal",
    "keras_jax": "Keras LecunNormal on JAX",
    "keras_torch": "Keras LecunNormal on PyTorch",
    "torch": "PyTorch trunc_normal_",
}
WITHOUT_BFLOAT16 = {"numpy"}

LIMIT_GENERATION = {"jax": 1 / 12, "torch": 1 / 40}
LIMIT_WHOLE = 1 / 4  # of the fastest peer, and so of all peers
LIMIT_WHOLE_MEMORY = 1 / 10
LIMIT_DD = {True: 1.15, False: 1.8}  # with and without the C kernel
LIMIT_SMALL = 3.0
LIMIT_TRANSPOSED = 1.3


@dataclass(frozen=True)
class Scale:
    """Sizes of the jobs.

    Attributes:
        side: Side of the square matrix for the comparison with peers.
        large_mib: Size of the file for the comparison with `dd`, in MiB.
        small_tensors: Number of tensors of 1,000 weights.
        sizes_mib: Sizes of the files of the sweep, in MiB.
    """

    side: int = 16384
    large_mib: int = 4096
    small_tensors: int = 100_000
    sizes_mib: tuple[int, ...] = (1, 4, 16, 64, 256, 1024, 4096, 8192)


FULL = Scale()
QUICK = Scale(side=1024, large_mib=64, small_tensors=1000, sizes_mib=(1, 4, 16))


def pairs(scale: Scale) -> list[Pair]:
    """Return all pairs, in the order of the tables."""
    return [*_generation(scale), *_whole(scale), *_dd(scale), *_ourselves(scale)]


def _peers() -> list[tuple[str, str]]:
    return [
        (peer, dtype)
        for dtype in ("float32", "bfloat16")
        for peer in PEERS
        if dtype == "float32" or peer not in WITHOUT_BFLOAT16
    ]


def _generation(scale: Scale) -> list[Pair]:
    side = str(scale.side)
    return [
        Pair(
            GENERATION,
            f"{dtype}, {PEERS[peer]}",
            Job("draw", (side, dtype)),
            Job("peer_draw", (peer, side, dtype)),
            limit=LIMIT_GENERATION.get(peer) if dtype == "float32" else None,
        )
        for peer, dtype in _peers()
    ]


def _whole(scale: Scale) -> list[Pair]:
    return [
        Pair(
            WHOLE,
            f"{dtype}, {PEERS[peer]}",
            Job("whole", (str(scale.side**2 * (4 if dtype == "float32" else 2) // 2**20), dtype)),
            Job("peer_whole", (peer, str(scale.side), dtype)),
            limit=LIMIT_WHOLE if dtype == "float32" else None,
            memory_limit=LIMIT_WHOLE_MEMORY if dtype == "float32" else None,
        )
        for peer, dtype in _peers()
    ]


def _dd(scale: Scale) -> list[Pair]:
    mib = str(scale.large_mib)
    pairs = [
        Pair(DD, dtype, Job("whole", (mib, dtype)), Job("dd", (mib,)), limit=LIMIT_DD[True])
        for dtype in ("float32", "bfloat16")
    ]
    without = [
        replace(
            pair,
            what=f"{pair.what}, without the C kernel",
            limit=LIMIT_DD[False],
            ours=replace(pair.ours, kernel=False),
        )
        for pair in pairs
    ]
    return pairs + without


def _ourselves(scale: Scale) -> list[Pair]:
    mib, count = str(scale.side**2 * 4 // 2**20), str(scale.small_tensors)
    transposed = [
        Pair(
            OURSELVES,
            f"stored transposed (keras), as drawn (torch), {mib} MiB of {dtype}",
            Job("whole", (mib, dtype, "keras")),
            Job("whole", (mib, dtype, "torch")),
            limit=LIMIT_TRANSPOSED,
        )
        for dtype in ("float32", "bfloat16")
    ]
    small = Pair(
        OURSELVES,
        f"{scale.small_tensors:,} tensors of 1,000 weights, one tensor of as many bytes; whole process",
        Job("small_tensors", (count,)),
        Job("same_bytes", (count,)),
        limit=LIMIT_SMALL,
    )
    return [*transposed, small]


def sized(scale: Scale) -> list[tuple[int, Job, Job]]:
    """Return the sweep over sizes: MiB, our command as a whole process, and `dd`."""
    return [(mib, Job("command", (str(mib),)), Job("dd", (str(mib),))) for mib in scale.sizes_mib]


def alone() -> list[tuple[str, Job, float | None]]:
    """Return the jobs without a comparison, each with its limit of seconds."""
    return [
        ("`--help`, whole process", Job("help_"), 0.25),
        ("first sample, whole process", Job("sample"), 0.5),
        ("file of 1 MiB, whole process", Job("command", ("1",)), 0.5),
        ("plan of 405B", Job("plan_405b"), None),
    ]
