"""The frameworks whose names and storage orders are known. A new one is a file and a row here."""

from __future__ import annotations

from lecun_cli.frameworks import flax, keras, torch
from lecun_cli.frameworks.base import FanRule, Framework, Slot, UnsupportedError

FRAMEWORKS: dict[str, Framework] = {
    framework.name: framework for framework in (keras.KERAS, torch.TORCH, flax.FLAX)
}

EXACT = "exact"
RULES: dict[str, FanRule] = {rule.name: rule for module in (keras, torch, flax) for rule in module.RULES}
FAN_RULES: tuple[str, ...] = (EXACT, *RULES)

__all__ = ["EXACT", "FAN_RULES", "FRAMEWORKS", "RULES", "FanRule", "Framework", "Slot", "UnsupportedError"]
