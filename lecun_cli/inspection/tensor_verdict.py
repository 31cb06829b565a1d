"""Judge a tensor: compare its statistics with the expected distribution and give verdicts with reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lecun_cli.initializers.distributions import Distribution
from lecun_cli.initializers.fans import Shape
from lecun_cli.inspection.candidates import identify
from lecun_cli.inspection.expected import Expected, as_stored
from lecun_cli.inspection.probabilities import normal_tail
from lecun_cli.inspection.tensor_statistics import Sample, Statistics, shown_distinct

# Worst first. The verdict of a tensor is that of its first finding.
BAD = (
    "not finite",
    "not random",
    "not constant",
    "wrong value",
    "few values",
    "wrong scale",
    "off center",
    "wrong distribution",
    "past the bound",
    "repeated",
)
GOOD = ("ok", "constant")
SILENT = ("too small", "not checked", "empty", "not read")
VERDICTS = (*BAD, *SILENT, *GOOD)
"""All verdicts, worst first; `SILENT` ones are neither good nor bad."""

LEVEL = 1e-3
"""Probability that a test gives a bad verdict for a whole file of correct tensors."""
_MIN_ELEMENTS = 32
"""Minimum number of elements for statistical tests."""
_SCALE_TOLERANCE = 0.01
"""Relative difference of the std that is always accepted."""
_OFFSET_TOLERANCE = 0.002
"""Difference of the mean, in stds, that is always accepted."""


@dataclass(frozen=True)
class Finding:
    """A verdict on a tensor and its reason.

    Attributes:
        verdict: One of `VERDICTS`.
        reason: Explanation in one line.
    """

    verdict: str
    reason: str

    @property
    def is_bad(self) -> bool:
        """If true, the verdict is bad."""
        return self.verdict in BAD


@dataclass(frozen=True)
class Judgment:
    """All findings on a tensor.

    Attributes:
        findings: Findings, worst first; at least one.
        p_value: P-value of the chi-square test against the expected distribution; None if not tested.
        distribution: Name of the distribution that the tensor follows instead, or None.
    """

    findings: tuple[Finding, ...]
    p_value: float | None = None
    distribution: str | None = None


def judge(
    statistics: Statistics, sample: Sample, expected: Expected | None, shape: Shape, level: float
) -> Judgment:
    """Compare a tensor with its expected distribution.

    Args:
        statistics: Statistics of the tensor.
        sample: Values of the tensor by cell of the dtype.
        expected: The expected distribution, or None if it is unknown.
        shape: Shape of the tensor.
        level: Significance level: `LEVEL` divided by the number of tests.
    """
    if statistics.n_elements == 0:
        return Judgment((Finding("empty", "it has no elements"),))
    if statistics.n_nan or statistics.n_infinite:
        reason = (
            f"{statistics.n_nan:,} NaN and {statistics.n_infinite:,} infinities among "
            f"{statistics.n_elements:,} values"
        )
        return Judgment((Finding("not finite", reason),))
    if expected is None or not (expected.is_random or expected.is_constant):
        return Judgment((_without_distribution(statistics, expected),))
    if expected.is_constant:
        return Judgment((_constant(statistics, expected, sample.grid.dtype),))
    if statistics.minimum == statistics.maximum and statistics.n_elements > 1:
        reason = f"all values are {statistics.minimum:g}, expected {expected.initializer}"
        return Judgment((Finding("not random", reason),))
    return _random(statistics, sample, expected, shape, level)


def _without_distribution(statistics: Statistics, expected: Expected | None) -> Finding:
    if statistics.minimum == statistics.maximum:
        return Finding("constant", f"all values are {statistics.minimum:g}")
    why = "its distribution is unknown" if expected is None else "it packs weights and constants"
    return Finding("not checked", f"{why}, so its values were not checked")


def _constant(statistics: Statistics, expected: Expected, dtype: str) -> Finding:
    means = {component.mean for component in expected.distribution.components}
    values = sorted({as_stored(mean, dtype) for mean in means})
    stated = " or ".join(f"{value:g}" for value in values)
    n_distinct = statistics.n_distinct
    if statistics.minimum == statistics.maximum and (len(values) == 1 or not expected.is_stated):
        if expected.is_stated and statistics.minimum != values[0]:
            return Finding(
                "wrong value", f"all values are {statistics.minimum:g}, but the manifest states {stated}"
            )
        return Finding("constant", f"all values are {statistics.minimum:g}")
    if n_distinct is not None and n_distinct <= len(values) and expected.is_stated:
        if (statistics.minimum, statistics.maximum) == (values[0], values[-1]):
            return Finding("constant", f"its values are {stated}, as expected")
        return Finding("wrong value", f"its values differ from {stated}")
    return Finding(
        "not constant",
        f"its values vary with a std of {statistics.std:.4g}, expected {stated}",
    )


def _random(
    statistics: Statistics, sample: Sample, expected: Expected, shape: Shape, level: float
) -> Judgment:
    n = statistics.n_elements
    past = _past(statistics, expected)
    if n < _MIN_ELEMENTS:
        few = Finding("too small", f"{n} values are too few for a test")
        return Judgment((past,) if past else (few,))
    p = sample.p_value(expected.distribution)
    is_contradicted = p is not None and p < level
    scale = _scale(statistics, sample, expected, level)
    identified = None
    if scale or is_contradicted:
        identified = identify(sample, statistics, expected, shape, level)
    follows = f"; it follows {identified[0]} (p = {identified[2]:.2g})" if identified else ""
    few_values = _few_values(statistics, sample, expected.distribution)
    findings = [
        few_values,
        Finding("wrong scale", scale + follows) if scale else None,
        _wrong_distribution(p, expected, follows)
        if is_contradicted and not scale and not few_values
        else None,
        None if scale and identified else past,
        _center(statistics, expected, level),
    ]
    bad = sorted((f for f in findings if f is not None), key=lambda finding: BAD.index(finding.verdict))
    if not bad:
        how = "too few values for a chi-square test" if p is None else f"p = {p:.2g}"
        bad = [Finding("ok", f"{how} against {_named(expected)}")]
    return Judgment(tuple(bad), p, identified[0] if identified else None)


def _wrong_distribution(p: float | None, expected: Expected, follows: str) -> Finding:
    shown = "< 1e-99" if p is None or p < 1e-99 else f"= {p:.1g}"
    return Finding(
        "wrong distribution",
        f"p {shown} against {_named(expected)}{follows or '; no known distribution fits'}",
    )


def _named(expected: Expected) -> str:
    if expected.fan_in is None:
        return expected.initializer
    guessed = " (guessed from the shape)" if expected.is_guessed else ""
    return f"{expected.initializer} with fan-in {expected.fan_in:,.10g}{guessed}"


def _few_values(statistics: Statistics, sample: Sample, distribution: Distribution) -> Finding | None:
    if statistics.n_distinct is None:
        return None
    expected_count = sample.expected_distinct(distribution)
    if statistics.n_distinct >= 0.5 * expected_count:
        return None
    reason = (
        f"{shown_distinct(statistics.n_distinct)} distinct values among {statistics.n_elements:,}, "
        f"expected about {expected_count:,.0f} in this dtype"
    )
    return Finding("few values", reason)


def _scale(statistics: Statistics, sample: Sample, expected: Expected, level: float) -> str | None:
    """Return the reason why the scale is wrong, or None if it is correct."""
    expected_std = sample.rounded_std(expected.distribution)
    ratio = statistics.std / expected_std
    error = math.sqrt((expected.distribution.kurtosis - 1.0) / (4.0 * statistics.n_elements))
    if abs(ratio - 1.0) <= _SCALE_TOLERANCE or normal_tail((ratio - 1.0) / error) >= level:
        return None
    return f"std {statistics.std:.4g} is {ratio:.3g} times the {expected_std:.4g} of {_named(expected)}"


def _center(statistics: Statistics, expected: Expected, level: float) -> Finding | None:
    offset = (statistics.mean - expected.distribution.mean) / statistics.std
    if abs(offset) < _OFFSET_TOLERANCE:
        return None
    if normal_tail(offset * math.sqrt(statistics.n_elements)) >= level:
        return None
    return Finding("off center", f"mean {statistics.mean:.3g} is {offset:+.3g} std from the expected mean")


def _past(statistics: Statistics, expected: Expected) -> Finding | None:
    if not statistics.n_past:
        return None
    bound = expected.distribution.bound
    farthest = max(abs(statistics.minimum), abs(statistics.maximum)) / bound
    reason = (
        f"{statistics.n_past:,} of {statistics.n_elements:,} values past the bound {bound:.4g} of "
        f"{_named(expected)}, up to {farthest:.3g} times the bound"
    )
    return Finding("past the bound", reason)


def with_repeated(judged: Judgment, expected: Expected | None, other: Expected | None, name: str) -> Judgment:
    """Add the finding that an earlier tensor has the same values, unless both share a stream on purpose.

    Args:
        judged: Judgment of the tensor.
        expected: Expected distribution of the tensor.
        other: Expected distribution of the earlier tensor.
        name: Name of the earlier tensor.
    """
    if expected and other and expected.identities and expected.identities == other.identities:
        return judged
    findings = [finding for finding in judged.findings if finding.is_bad]
    findings.append(Finding("repeated", f'same values as "{name}"'))
    findings.sort(key=lambda finding: BAD.index(finding.verdict))
    return Judgment(tuple(findings), judged.p_value, judged.distribution)
