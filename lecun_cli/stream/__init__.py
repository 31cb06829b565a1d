"""Stream 1: the bits of every weight, as a function of seed, identity and index.

The contract is README.md beside this file, complete enough to make a tensor in another language. A change
of any bit is a new stream number.
"""

STREAM = 1
"""The number of this stream, as in manifests and in the key derivation."""
