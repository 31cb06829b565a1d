"""The C kernel: its source, the loader that verifies it, and its bindings."""
