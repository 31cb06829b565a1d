"""What is in a weight file: values tallied in one pass, statistics, and a verdict against each tensor's law.

weight_sources -> expected      which files a path means, and what each tensor should hold
chunk_reader -> scan -> tally   one pass over the bytes, in parallel, merged in the order of the file
measured -> tensor_verdict      statistics of a tally, and what they say against the law
inspector                       all of it; tensor_plots draws it
"""
