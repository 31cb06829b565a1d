"""What the tests of the stream have in common."""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.dtypes import DTYPES
from lecun_cli.initializers.distributions import Law
from lecun_cli.stream.fill import fill, fill_runs
from lecun_cli.stream.philox import stream_key
from lecun_cli.stream.scratch import Scratch

SCRATCH = Scratch()


def made(seed: int, identity: str, start: int, count: int, law: Law, dtype: str) -> Any:
    """Elements of a stream, by `fill`."""
    out = np.empty(count, dtype=DTYPES[dtype].numpy())
    fill(out, law, stream_key(seed, identity), start, DTYPES[dtype], SCRATCH)
    return out


def made_in_runs(out: Any, seed: int, identity: str, starts: list[int], law: Law, dtype: str) -> None:
    """Elements of a stream into `out`, by `fill_runs`."""
    key = stream_key(seed, identity)
    fill_runs(out, law, key, np.array(starts, dtype=np.int64), DTYPES[dtype], SCRATCH)
