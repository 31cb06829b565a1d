"""What is wrong with a tensor, if anything: a short fixed set of words, each with one line of reasons."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lecun_cli.initializers.fans import Shape
from lecun_cli.inspection import probabilities
from lecun_cli.inspection.candidates import identify
from lecun_cli.inspection.expected import Expected, as_stored, constituents
from lecun_cli.inspection.measured import Sample, Statistics, shown_distinct
from lecun_cli.inspection.probabilities import Distribution

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
class Judgement:
    """All that is to say of a tensor.

    Attributes:
        findings: Worst first, at least one.
        p_value: Of the chi-square test against the expected law; None where there was none.
        law: What was recognised in place of the expected law, or None.
    """

    findings: tuple[Finding, ...]
    p_value: float | None = None
    law: str | None = None


def judge(
    found: Statistics, sample: Sample, expected: Expected | None, shape: Shape, level: float
) -> Judgement:
    """Hold a tensor against its law.

    Args:
        found: Its statistics.
        sample: Its values on the cells of the dtype.
        expected: What it should hold, or None where that is not known.
        shape: Its shape.
        level: A p-value below is a contradiction: `LEVEL` divided by the number of tests.
    """
    if found.n_elements == 0:
        return Judgement((Finding("empty", "it has no elements"),))
    if found.n_nan or found.n_infinite:
        said = f"{found.n_nan:,} NaN and {found.n_infinite:,} infinities among {found.n_elements:,} values"
        return Judgement((Finding("not finite", said),))
    if expected is None or not (expected.is_random or expected.is_constant):
        return Judgement((_without_law(found, expected),))
    if expected.is_constant:
        return Judgement((_constant(found, expected, sample.grid.dtype),))
    if found.minimum == found.maximum and found.n_elements > 1:
        said = f"all its values are {found.minimum:g}, where {expected.initializer} is asked for"
        return Judgement((Finding("not random", said),))
    return _random(found, sample, expected, shape, level)


def _without_law(found: Statistics, expected: Expected | None) -> Finding:
    if found.minimum == found.maximum:
        return Finding("constant", f"all its values are {found.minimum:g}")
    why = "what it should hold is not known" if expected is None else "it packs weights and constants"
    return Finding("no law", f"{why}, so its values are held against nothing")


def _constant(found: Statistics, expected: Expected, dtype: str) -> Finding:
    means = {probabilities.mean_of(law) for law in constituents(expected.law)}
    values = sorted({as_stored(mean, dtype) for mean in means})
    said = " or ".join(f"{value:g}" for value in values)
    n_distinct = found.n_distinct
    if found.minimum == found.maximum and (len(values) == 1 or not expected.is_stated):
        if expected.is_stated and found.minimum != values[0]:
            return Finding("wrong value", f"all its values are {found.minimum:g}, and {said} is stated")
        return Finding("constant", f"all its values are {found.minimum:g}")
    if n_distinct is not None and n_distinct <= len(values) and expected.is_stated:
        if (found.minimum, found.maximum) == (values[0], values[-1]):
            return Finding("constant", f"its values are {said}, as its parts ask for")
        return Finding("wrong value", f"its values are others than {said}")
    return Finding(
        "not constant",
        f"its values vary with a std of {found.std:.4g}, and a tensor of its kind starts from {said}",
    )


def _random(found: Statistics, sample: Sample, expected: Expected, shape: Shape, level: float) -> Judgement:
    law, n = expected.law, found.n_elements
    findings: list[Finding] = []
    past = _past(found, expected)
    if n < _LEAST_ELEMENTS:
        few = Finding("too small", f"{n} values say little about a law")
        return Judgement((past,) if past else (few,))
    few_values = _few_values(found, sample, law)
    p = sample.p_value(law)
    scale = _scale(found, sample, expected, level)
    centre = _centre(found, expected, level)
    known = None
    if scale or (p is not None and p < level):
        known = identify(sample, found, expected, shape, level)
    looks = f"; it follows {known[0]} (p = {known[2]:.2g})" if known else ""
    if few_values:
        findings.append(few_values)
    if scale:
        findings.append(Finding("wrong scale", scale + looks))
    elif p is not None and p < level and not few_values:
        said = f"p {'< 1e-99' if p < 1e-99 else f'= {p:.1g}'} against {_named(expected)}"
        findings.append(Finding("other law", said + (looks or "; no known law fits either")))
    if past and not (scale and known):
        findings.append(past)
    if centre:
        findings.append(centre)
    findings.sort(key=lambda finding: BAD.index(finding.verdict))
    if not findings:
        how = "too few values for a test of the law" if p is None else f"p = {p:.2g}"
        findings.append(Finding("ok", f"{how} against {_named(expected)}"))
    return Judgement(tuple(findings), p, known[0] if known else None)


def _named(expected: Expected) -> str:
    if expected.fan_in is None:
        return expected.initializer
    guessed = " (guessed from the shape)" if expected.is_guessed else ""
    return f"{expected.initializer} of fan-in {expected.fan_in:,.10g}{guessed}"


def _few_values(found: Statistics, sample: Sample, law: Distribution) -> Finding | None:
    if found.n_distinct is None:
        return None
    asked = sample.expected_distinct(law)
    if found.n_distinct >= 0.5 * asked:
        return None
    said = (
        f"{shown_distinct(found.n_distinct)} distinct values among {found.n_elements:,}, "
        f"where the law in this dtype gives about {asked:,.0f}"
    )
    return Finding("few values", said)


def _scale(found: Statistics, sample: Sample, expected: Expected, level: float) -> str | None:
    """Why the scale is wrong, or None."""
    asked = sample.rounded_std(expected.law)
    ratio = found.std / asked
    error = math.sqrt((probabilities.kurtosis_of(expected.law) - 1.0) / (4.0 * found.n_elements))
    if abs(ratio - 1.0) <= _LEAST_SCALE or probabilities.normal_tail((ratio - 1.0) / error) >= level:
        return None
    return f"std {found.std:.4g} is {ratio:.3g} times the {asked:.4g} of {_named(expected)}"


def _centre(found: Statistics, expected: Expected, level: float) -> Finding | None:
    away = (found.mean - probabilities.mean_of(expected.law)) / found.std
    if abs(away) < _LEAST_OFFSET:
        return None
    if probabilities.normal_tail(away * math.sqrt(found.n_elements)) >= level:
        return None
    return Finding("off centre", f"mean {found.mean:.3g} is {away:+.3g} std from the law's")


def _past(found: Statistics, expected: Expected) -> Finding | None:
    if not found.n_past:
        return None
    bound = expected.law.bound
    farthest = max(abs(found.minimum), abs(found.maximum)) / bound
    said = (
        f"{found.n_past:,} of {found.n_elements:,} values past the bound {bound:.4g} of {_named(expected)}, "
        f"up to {farthest:.3g} times it"
    )
    return Finding("past the bound", said)


def with_repeated(
    judged: Judgement, expected: Expected | None, other: Expected | None, name: str
) -> Judgement:
    """A judgement, and that an earlier tensor has the same values, unless they share a stream on purpose."""
    if expected and other and expected.identities and expected.identities == other.identities:
        return judged
    findings = [finding for finding in judged.findings if finding.is_bad]
    findings.append(Finding("repeated", f'it has the same values as "{name}"'))
    findings.sort(key=lambda finding: BAD.index(finding.verdict))
    return Judgement(tuple(findings), judged.p_value, judged.law)
