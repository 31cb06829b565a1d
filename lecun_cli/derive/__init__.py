"""Specs from models and checkpoints. A new source is a file in `readers` and a row in `model_source`."""

from __future__ import annotations

from lecun_cli.derive.model_source import derive_spec
from lecun_cli.derive.writing.derivation import Derivation

__all__ = ["Derivation", "derive_spec"]
