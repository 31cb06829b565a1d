"""Stream 1: the bits of every weight, as a function of seed, identity and index.

The contract is README.md beside this file, complete enough to make a tensor in another language. A change
of any bit is a new stream number.
"""

from __future__ import annotations

from lecun_cli.stream.fill import fill, fill_runs
from lecun_cli.stream.philox import Key, stream_key
from lecun_cli.stream.scratch import Scratch

__all__ = ["STREAM", "Key", "Scratch", "fill", "fill_runs", "stream_key"]

STREAM = 1
"""The number of this stream, as in manifests and in the key derivation."""
