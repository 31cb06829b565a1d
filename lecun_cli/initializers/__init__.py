"""The initializers: their family, the distributions they draw from, and fans."""
