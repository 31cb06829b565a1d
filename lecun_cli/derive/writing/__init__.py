"""Layers -> the text of a spec: repeats, parameters and dtypes."""
