"""Readers of models and checkpoints: one file for each kind of source."""
