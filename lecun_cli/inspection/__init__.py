"""What is in a weight file: values tallied in one pass, statistics, and a verdict against each tensor's law.

sources -> expected      which files a path means, and what each tensor should hold
reading -> scan -> tally one pass over the bytes, in parallel, merged in the order of the file
measured -> verdict      statistics of a tally, and what they say against the law
inspect                  all of it; plot draws it
"""
