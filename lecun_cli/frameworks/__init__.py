"""The frameworks whose names and storage orders are known. A new one is a file and a row here."""

from __future__ import annotations

from lecun_cli.frameworks.base import Framework, Slot
from lecun_cli.frameworks.keras import KERAS
from lecun_cli.frameworks.torch import TORCH

FRAMEWORKS: dict[str, Framework] = {framework.name: framework for framework in (KERAS, TORCH)}

EXACT = "exact"
FAN_RULES: tuple[str, ...] = (EXACT, *FRAMEWORKS)

__all__ = ["EXACT", "FAN_RULES", "FRAMEWORKS", "Framework", "Slot"]
