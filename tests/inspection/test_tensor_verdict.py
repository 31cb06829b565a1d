"""Verdicts: correct tensors are ok, and real errors of other frameworks are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import pytest

from lecun_cli.initializers.distributions import TRUNCATED_STD
from lecun_cli.inspection.inspector import inspect
from lecun_cli.inspection.tensor_verdict import BAD, GOOD, SILENT, VERDICTS
from tests.inspection import weights

if TYPE_CHECKING:
    from numpy.typing import NDArray


def bfloat16(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(ml_dtypes.bfloat16)


S = 1 / 16  # the std for fan-in 256
KERNEL = (128, 256)
# (tensor, verdict, pattern of the reason)
PROBLEMS: dict[str, tuple[NDArray[Any], str, str]] = {
    "correct": (weights.truncated(KERNEL, S), "ok", "p = "),
    "correct in bfloat16": (bfloat16(weights.truncated(KERNEL, S)), "ok", "p = "),
    "a leak past the bound": (weights.leaky(KERNEL, S), "past the bound", "3 of 32,768 .* up to 1.68 times"),
    "128 levels": (weights.of_few_levels(KERNEL, S), "few values", "128 distinct values among 32,768"),
    "128 levels in bfloat16": (bfloat16(weights.of_few_levels(KERNEL, S)), "few values", "128 distinct"),
    "the other fan": (weights.truncated(KERNEL, 2**-7.5), "wrong scale", r"fan-in 32,768 \(128 x 256\)"),
    "he_normal": (weights.truncated(KERNEL, (2 / 256) ** 0.5), "wrong scale", "follows he_normal"),
    "PyTorch's default": (weights.uniform(KERNEL, S), "wrong scale", "PyTorch's default"),
    "lecun_uniform": (weights.uniform(KERNEL, 3**0.5 * S), "wrong distribution", "follows lecun_uniform"),
    "no truncation": (weights.normal(KERNEL, S), "wrong distribution", "normal without truncation"),
    "GPT-2's": (weights.normal(KERNEL, 0.02), "wrong scale", r"follows normal\(0.02\) without truncation"),
    "truncated before it is scaled": (
        weights.truncated(KERNEL, S * TRUNCATED_STD), "wrong scale", "truncated at two sigma",
    ),
    "a shift": (weights.truncated(KERNEL, S) + np.float32(0.1 * S), "off center", r"\+0.1\d* std"),
    "zeros": (np.zeros(KERNEL, np.float32), "not random", "all values are 0"),
    "NaN": (np.where(weights.truncated(KERNEL, S) > 0.1, np.nan, 0.1), "not finite", "NaN and 0 infinities"),
    "an infinity": (np.where(np.eye(128, 256) > 0, np.inf, 0.1), "not finite", "128 infinities"),
    "too small": (weights.truncated((3, 4), 0.5), "too small", "12 values"),
}  # fmt: skip


class TestVerdict:
    @pytest.mark.parametrize("problem", PROBLEMS)
    def test_names_the_problem_and_the_reason(self, tmp_path: Path, problem: str) -> None:
        values, verdict, reason = PROBLEMS[problem]
        (tensor,) = inspect(weights.write(tmp_path / "x.safetensors", {"fc.weight": values})).tensors
        assert tensor.verdict == verdict, tensor.judgment
        assert any(re.search(reason, f.reason) for f in tensor.judgment.findings), tensor.judgment
        assert tensor.is_bad == (verdict in BAD)


def test_every_verdict_is_good_bad_or_silent() -> None:
    assert sorted(VERDICTS) == sorted({*BAD, *GOOD, *SILENT})
