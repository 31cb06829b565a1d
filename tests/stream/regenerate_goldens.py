"""Write goldens.json: `python tests/stream/regenerate_goldens.py`, from the top of the repository.

The digests of an existing stream must never change. A change of any bit needs a new stream number.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.initializers.distributions import Distribution, TruncatedNormal, Uniform
from lecun_cli.stream.fill import fill
from lecun_cli.stream.philox import stream_key
from lecun_cli.stream.scratch import Scratch

TABLE = Path(__file__).with_name("goldens.json")

SEED, IDENTITY, COUNT = 42, "hidden/kernel", 200_003
DISTRIBUTIONS: dict[str, Distribution] = {
    "truncated_normal": TruncatedNormal(0.125),
    "uniform": Uniform(-0.25, 0.25),
    "uniform_off_centre": Uniform(-0.1, 0.7),
}
STARTS = (0, 5, 2**33 + 5, 2**50 + 1)


def compute() -> dict[str, dict[str, dict[str, str]]]:
    """Return the SHA-256 of the stored bytes of `COUNT` elements, by dtype, distribution and start."""
    scratch, key = Scratch(), stream_key(SEED, IDENTITY)
    table: dict[str, dict[str, dict[str, str]]] = {}
    for dtype in FLOAT_DTYPES:
        out = np.empty(COUNT, dtype=DTYPES[dtype].numpy())
        for name, distribution in DISTRIBUTIONS.items():
            for start in STARTS:
                fill(out, distribution, key, start, DTYPES[dtype], scratch)
                digest = hashlib.sha256(out.tobytes()).hexdigest()
                table.setdefault(dtype, {}).setdefault(name, {})[str(start)] = digest
    return table


if __name__ == "__main__":
    TABLE.write_text(json.dumps(compute(), indent=2) + "\n", encoding="utf-8")
