"""Propagate unit-variance inputs through the layers of a network, and measure the signal at each depth.

network_source -> chain  the layers of a spec or a file, and which feeds which; no arrays
layer_weights -> walk    kernels drawn or read in blocks, and the forward pass layer by layer
activations              the activations that a spec may name
signal_verdict -> result moments by depth, and whether they stay
propagator               all of it; signal_plot draws the result

The forward pass of a layer type is part of its record, `layers.LayerType.operation`.
"""
