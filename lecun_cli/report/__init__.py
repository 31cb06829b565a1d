"""What is in a file, and what a network does with it: statistics, propagation, and their pictures."""
