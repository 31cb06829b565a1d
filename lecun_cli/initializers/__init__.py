"""Initializers, the distributions that they draw from, and fans."""
