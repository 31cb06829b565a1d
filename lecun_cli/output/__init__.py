"""From a plan to bytes: the engine, the digests and the destinations."""
