"""Write layers as the text of a spec, with repeats, params and dtype rules."""
