"""What a network does with its weights: unit-variance inputs through its layers, depth by depth.

network_source -> chain  layers of a spec or a file, and what feeds what; no arrays
layer_weights -> walk    kernels drawn or read in blocks, and the forward pass layer by layer
forward                  one row a layer kind: its operation in convolution, normalization, sequence
result -> signal_verdict moments by depth, and whether they stay
propagator               all of it; signal_plot draws it
"""
