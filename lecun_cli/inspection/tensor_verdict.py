"""What is wrong with a tensor, if anything: a short fixed set of words, each with one line of reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lecun_cli.initializers.distributions import Distribution
from lecun_cli.initializers.fans import Shape
from lecun_cli.inspection.candidates import identify
from lecun_cli.inspection.expected import Expected, as_stored
from lecun_cli.inspection.measured import Sample, Statistics, shown_distinct
from lecun_cli.inspection.probabilities import normal_tail

# Worst first. The headline of a tensor is the first of its findings.
BAD = (
    "not finite",
    "not random",
    "not constant",
    "wrong value",
    "few values",
    "wrong scale",
    "off centre",
    "other law",
    "past the bound",
    "repeated",
)
GOOD = ("ok", "constant")
SILENT = ("too small", "no law", "empty", "not read")
VERDICTS = (*BAD, *SILENT, *GOOD)
"""Every verdict, worst first; `SILENT` ones say nothing for or against a tensor."""

LEVEL = 1e-3
"""The chance that a whole file of sound tensors gets a bad verdict from one of its tests."""
_LEAST_ELEMENTS = 32
_LEAST_SCALE = 0.01
_LEAST_OFFSET = 0.002


@dataclass(frozen=True)
class Finding:
    """A verdict on a tensor and the reason.

    Attributes:
        verdict: One of `VERDICTS`.
        reason: One line.
    """

    verdict: str
    reason: str

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong."""
        return self.verdict in BAD


@dataclass(frozen=True)
class Judgment:
    """All that is to say of a tensor.

    Attributes:
        findings: Worst first, at least one.
        p_value: Of the chi-square test against the expected law; None where there was none.
        distribution: What was recognised in place of the expected law, or None.
    """

    findings: tuple[Finding, ...]
    p_value: float | None = None
    distribution: str | None = None


def judge(
    statistics: Statistics, sample: Sample, expected: Expected | None, shape: Shape, level: float
) -> Judgment:
    """Hold a tensor against its law.

    Args:
        statistics: Its statistics.
        sample: Its values on the cells of the dtype.
        expected: What it should hold, or None where that is not known.
        shape: Its shape.
        level: A p-value below is a contradiction: `LEVEL` divided by the number of tests.
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
        reason = f"all its values are {statistics.minimum:g}, where {expected.initializer} is asked for"
        return Judgment((Finding("not random", reason),))
    return _random(statistics, sample, expected, shape, level)


def _without_distribution(statistics: Statistics, expected: Expected | None) -> Finding:
    if statistics.minimum == statistics.maximum:
        return Finding("constant", f"all its values are {statistics.minimum:g}")
    why = "what it should hold is not known" if expected is None else "it packs weights and constants"
    return Finding("no law", f"{why}, so its values are held against nothing")


def _constant(statistics: Statistics, expected: Expected, dtype: str) -> Finding:
    means = {component.mean for component in expected.distribution.components}
    values = sorted({as_stored(mean, dtype) for mean in means})
    stated = " or ".join(f"{value:g}" for value in values)
    n_distinct = statistics.n_distinct
    if statistics.minimum == statistics.maximum and (len(values) == 1 or not expected.is_stated):
        if expected.is_stated and statistics.minimum != values[0]:
            return Finding(
                "wrong value", f"all its values are {statistics.minimum:g}, and {stated} is stated"
            )
        return Finding("constant", f"all its values are {statistics.minimum:g}")
    if n_distinct is not None and n_distinct <= len(values) and expected.is_stated:
        if (statistics.minimum, statistics.maximum) == (values[0], values[-1]):
            return Finding("constant", f"its values are {stated}, as its parts ask for")
        return Finding("wrong value", f"its values are others than {stated}")
    return Finding(
        "not constant",
        f"its values vary with a std of {statistics.std:.4g}, and a tensor of its kind starts from {stated}",
    )


def _random(
    statistics: Statistics, sample: Sample, expected: Expected, shape: Shape, level: float
) -> Judgment:
    n = statistics.n_elements
    past = _past(statistics, expected)
    if n < _LEAST_ELEMENTS:
        few = Finding("too small", f"{n} values say little about a law")
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
        _other(p, expected, follows) if is_contradicted and not scale and not few_values else None,
        None if scale and identified else past,
        _center(statistics, expected, level),
    ]
    bad = sorted((f for f in findings if f is not None), key=lambda finding: BAD.index(finding.verdict))
    if not bad:
        how = "too few values for a test of the law" if p is None else f"p = {p:.2g}"
        bad = [Finding("ok", f"{how} against {_named(expected)}")]
    return Judgment(tuple(bad), p, identified[0] if identified else None)


def _other(p: float | None, expected: Expected, follows: str) -> Finding:
    shown = "< 1e-99" if p is None or p < 1e-99 else f"= {p:.1g}"
    return Finding(
        "other law", f"p {shown} against {_named(expected)}{follows or '; no known law fits either'}"
    )


def _named(expected: Expected) -> str:
    if expected.fan_in is None:
        return expected.initializer
    guessed = " (guessed from the shape)" if expected.is_guessed else ""
    return f"{expected.initializer} of fan-in {expected.fan_in:,.10g}{guessed}"


def _few_values(statistics: Statistics, sample: Sample, distribution: Distribution) -> Finding | None:
    if statistics.n_distinct is None:
        return None
    asked = sample.expected_distinct(distribution)
    if statistics.n_distinct >= 0.5 * asked:
        return None
    reason = (
        f"{shown_distinct(statistics.n_distinct)} distinct values among {statistics.n_elements:,}, "
        f"where the law in this dtype gives about {asked:,.0f}"
    )
    return Finding("few values", reason)


def _scale(statistics: Statistics, sample: Sample, expected: Expected, level: float) -> str | None:
    """Why the scale is wrong, or None."""
    asked = sample.rounded_std(expected.distribution)
    ratio = statistics.std / asked
    error = math.sqrt((expected.distribution.kurtosis - 1.0) / (4.0 * statistics.n_elements))
    if abs(ratio - 1.0) <= _LEAST_SCALE or normal_tail((ratio - 1.0) / error) >= level:
        return None
    return f"std {statistics.std:.4g} is {ratio:.3g} times the {asked:.4g} of {_named(expected)}"


def _center(statistics: Statistics, expected: Expected, level: float) -> Finding | None:
    away = (statistics.mean - expected.distribution.mean) / statistics.std
    if abs(away) < _LEAST_OFFSET:
        return None
    if normal_tail(away * math.sqrt(statistics.n_elements)) >= level:
        return None
    return Finding("off centre", f"mean {statistics.mean:.3g} is {away:+.3g} std from the law's")


def _past(statistics: Statistics, expected: Expected) -> Finding | None:
    if not statistics.n_past:
        return None
    bound = expected.distribution.bound
    farthest = max(abs(statistics.minimum), abs(statistics.maximum)) / bound
    reason = (
        f"{statistics.n_past:,} of {statistics.n_elements:,} values past the bound {bound:.4g} of "
        f"{_named(expected)}, "
        f"up to {farthest:.3g} times it"
    )
    return Finding("past the bound", reason)


def with_repeated(judged: Judgment, expected: Expected | None, other: Expected | None, name: str) -> Judgment:
    """A judgement, and that an earlier tensor has the same values, unless they share a stream on purpose."""
    if expected and other and expected.identities and expected.identities == other.identities:
        return judged
    findings = [finding for finding in judged.findings if finding.is_bad]
    findings.append(Finding("repeated", f'it has the same values as "{name}"'))
    findings.sort(key=lambda finding: BAD.index(finding.verdict))
    return Judgment(tuple(findings), judged.p_value, judged.distribution)
