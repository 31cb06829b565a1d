"""The C kernel: its source, its bindings, and the loader that tests it before use."""
