"""Specs: parse text with source spans, validate it, and expand groups and repeats into layers."""
