"""`make bench`: speed and memory against named references, in pairs, in one run. Nothing is asserted."""
