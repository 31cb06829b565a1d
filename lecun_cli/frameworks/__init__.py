"""The registry of frameworks. A new framework is a file here and a name in the tuple below.

Frameworks import the layers only for type checking and inside functions, since `--help` reads this registry.
"""

from __future__ import annotations

from lecun_cli.frameworks.base import FanRule, Framework, Slot, UnsupportedError
from lecun_cli.frameworks.flax import FLAX
from lecun_cli.frameworks.keras import KERAS
from lecun_cli.frameworks.torch import TORCH

FRAMEWORKS: dict[str, Framework] = {framework.name: framework for framework in (KERAS, TORCH, FLAX)}

EXACT = "exact"
RULES: dict[str, tuple[Framework, FanRule]] = {
    rule.name: (framework, rule) for framework in FRAMEWORKS.values() for rule in framework.fan_rules
}
"""By name, each fan rule with the framework whose stored shapes it applies to."""
FAN_RULES: tuple[str, ...] = (EXACT, *RULES)

__all__ = ["EXACT", "FAN_RULES", "FRAMEWORKS", "RULES", "FanRule", "Framework", "Slot", "UnsupportedError"]
