"""Helpers of the tests of the stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.dtypes import DTYPES
from lecun_cli.initializers.distributions import Distribution
from lecun_cli.stream.fill import fill, fill_runs
from lecun_cli.stream.philox import stream_key
from lecun_cli.stream.scratch import Scratch

SCRATCH = Scratch()


def drawn(seed: int, identity: str, start: int, count: int, distribution: Distribution, dtype: str) -> Any:
    """Return elements of a stream, drawn by `fill`."""
    out = np.empty(count, dtype=DTYPES[dtype].numpy())
    fill(out, distribution, stream_key(seed, identity), start, DTYPES[dtype], SCRATCH)
    return out


def drawn_in_runs(
    out: Any, seed: int, identity: str, starts: list[int], distribution: Distribution, dtype: str
) -> None:
    """Write elements of a stream to `out` with `fill_runs`."""
    key = stream_key(seed, identity)
    fill_runs(out, distribution, key, np.array(starts, dtype=np.int64), DTYPES[dtype], SCRATCH)
