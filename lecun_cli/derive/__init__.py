"""Specs from models and checkpoints. A new kind of source is a file here and a row in `source.py`."""

from __future__ import annotations

from lecun_cli.derive.derivation import Derivation
from lecun_cli.derive.source import derive_spec

__all__ = ["Derivation", "derive_spec"]
