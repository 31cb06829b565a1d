"""The elements of tensors: boxes of them, generated from the stream."""
