"""Inspect weight files: tally the values in one pass and compare each tensor with its expected distribution.

weight_sources -> expected           find the files of a path and the expected distribution of each tensor
chunk_reader -> scan -> tally        read the bytes once, in parallel, and merge counts in file order
tensor_statistics -> tensor_verdict  compute the statistics of a tally and judge them
inspector                            combine all of it; tensor_plots draws the result
"""
