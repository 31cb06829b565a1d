"""Derive specs from models and checkpoints.

model_source             choose the reader for a source
readers -> recognition   read names, shapes and dtypes; turn them into layers
writing -> yaml_writer   fold repeats, name parameters, write the spec

To add a source, add a file to `readers` and a row to `model_source`.
"""

from __future__ import annotations

from lecun_cli.derive.model_source import derive_spec
from lecun_cli.derive.writing.derivation import Derivation

__all__ = ["Derivation", "derive_spec"]
