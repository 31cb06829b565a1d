"""Tensor names and shapes -> layers, checked against the layer types."""
