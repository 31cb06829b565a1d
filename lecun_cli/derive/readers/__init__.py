"""Readers of models and checkpoints: one file per kind of source."""
