"""Stream 1: the bits of every weight, as a function of seed, identity and index.

The contract is README.md in this folder. It is complete enough to reproduce a tensor in another language. A
change of any bit would be a new stream number.
"""

STREAM = 1
"""Number of this stream, in manifests and in the derivation of keys."""
