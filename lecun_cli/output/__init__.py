"""Turn a layout into bytes: the engine, the digests, the destinations, and publishing."""
