"""Derive `coefficients.py`: `python -m lecun_cli.stream.derive_coefficients` (needs mpmath).

The inverse CDF of N(0, 1) cut at [-2, 2] is `z = u * G(1 - u*u)` with u uniform on [-1, 1] and

    G(t) = sqrt(2) * erfinv(u * erf(sqrt(2))) / u,    u = sqrt(1 - t),    0 <= t <= 1.

`P(t) / Q(t)` is the rational function of least relative error against G that is exact at `t = 0`: Q is
monic and `p0 = 2 * q0`, so `u = +-1` gives exactly +-2 in any binary arithmetic. The variable is
`t = 1 - u*u` because every coefficient is then positive and Horner's rule loses nothing; in powers of
`u*u` the terms cancel and the last bits are noise.

Steps: Remez's exchange at 50 digits, rounding to the working type, then a descent by single units in the last
place, because rounding each coefficient separately is not the best rounding of all of them together.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

from lecun_cli.stream import coefficients

Real = Any  # an mpf; mpmath is untyped

mp = mpmath.mp.clone()  # a separate context: other code may change the precision of the global one
mp.dps = 50
GRID = 1500
TARGET = Path(__file__).with_name("coefficients.py")
HEADER = Path(__file__).parent / "_kernel" / "coefficients.h"


@dataclass(frozen=True)
class Variant:
    """An approximant: `P` and `Q`, both of `degree`, with coefficients of the float type `scalar`."""

    name: str
    degree: int
    scalar: type[np.float32 | np.float64]


VARIANTS = (Variant("FLOAT32", 4, np.float32), Variant("FLOAT64", 10, np.float64))


@cache
def target(t: Real) -> Real:
    """Return G(t) to 50 digits."""
    cut = mp.erf(mp.sqrt(2))
    if t == 1:
        return mp.sqrt(mp.pi / 2) * cut
    if t == 0:
        return mp.mpf(2)
    u = mp.sqrt(1 - t)
    return mp.sqrt(2) * mp.erfinv(u * cut) / u


def horner(coefficients: list[Real], t: Real) -> Real:
    """Evaluate the polynomial with `coefficients`, lowest power first, at `t`."""
    value = mp.mpf(0)
    for c in reversed(coefficients):
        value = value * t + c
    return value


def grid() -> list[Real]:
    """Return points of [0, 1] that are denser near 0, where G is steep."""
    return [(mp.mpf(i) / GRID) ** 2 for i in range(GRID + 1)]


def remez(degree: int) -> tuple[list[Real], list[Real]]:
    """Return the minimax pair (p, q), lowest power first, q without its leading 1.

    The unknowns are q0 (with p0 = 2 * q0), p1 .. p_degree, q1 .. q_(degree-1), and the leveled error.
    """
    free = 2 * degree
    p, q = [mp.mpf(0)] * (degree + 1), [mp.mpf(0)] * degree
    nodes = [(1 - mp.cos(mp.pi * (2 * i + 1) / (2 * free))) / 2 for i in range(free)]
    p, q, _ = _newton_step(p, q, mp.mpf(0), nodes, [0] * free)
    while True:
        peaks = _peaks(p, q)
        if len(peaks) != free + 1:
            raise ArithmeticError(f"Remez's exchange: expected {free + 1} alternations, got {len(peaks)}")
        sizes = [abs(v) for _, v in peaks]
        if max(sizes) < min(sizes) * mp.mpf("1.0005"):
            return p, q
        signs = [1 if v > 0 else -1 for _, v in peaks]
        level = mp.exp(sum(mp.log(s) for s in sizes) / len(sizes))
        for _ in range(30):
            p, q, change = _newton_step(p, q, level, [t for t, _ in peaks], signs)
            level += change
            if abs(change) < abs(level) * mp.mpf("1e-12"):
                break


def _newton_step(
    p: list[Real], q: list[Real], level: Real, points: list[Real], signs: list[int]
) -> tuple[list[Real], list[Real], Real]:
    """Do a Newton step on `P - G * (1 + sign * level) * Q = 0`; without signs, `level` is not an unknown."""
    degree, size = len(q), len(points)
    matrix, right = mp.matrix(size), mp.matrix(size, 1)
    for i, (t, sign) in enumerate(zip(points, signs, strict=True)):
        w = target(t) * (1 + sign * level)
        denominator = horner([*q, mp.mpf(1)], t)
        row = [2 - w] + [t**k for k in range(1, degree + 1)] + [-w * t**k for k in range(1, degree)]
        if sign:
            row.append(-target(t) * sign * denominator)
        for k, value in enumerate(row):
            matrix[i, k] = value
        right[i] = w * denominator - horner(p, t)
    step = list(mp.lu_solve(matrix, right))
    q = [q[0] + step[0]] + [q[k] + step[degree + k] for k in range(1, degree)]
    p = [2 * q[0]] + [p[k] + step[k] for k in range(1, degree + 1)]
    return p, q, step[2 * degree] if any(signs) else mp.mpf(0)


def _peaks(p: list[Real], q: list[Real]) -> list[tuple[Real, Real]]:
    """Return the largest error of each run of one sign, as (t, relative error)."""
    peaks: list[tuple[Real, Real]] = []
    for t in grid()[1:]:
        error = horner(p, t) / horner([*q, mp.mpf(1)], t) / target(t) - 1
        if not peaks or (peaks[-1][1] > 0) != (error > 0):
            peaks.append((t, error))
        elif abs(error) > abs(peaks[-1][1]):
            peaks[-1] = (t, error)
    return peaks


def tune(
    p: list[Real], q: list[Real], scalar: type[np.float32 | np.float64]
) -> tuple[list[float], list[float]]:
    """Round to `scalar` with the least relative error of P/Q, keeping p0 = 2 * q0.

    The error is linear in the coefficients for steps this small, so each candidate costs one addition of
    columns. All operations are elementwise IEEE operations, so the result is the same on every machine.
    """
    degree = len(q)
    rounded = [float(scalar(v)) for v in (*q, *p[1:])]
    top, bottom = [2 * mp.mpf(rounded[0]), *map(mp.mpf, rounded[degree:])], [*map(mp.mpf, rounded[:degree])]
    errors, columns = [], []
    for t in grid():
        a, b = horner(top, t), horner([*bottom, mp.mpf(1)], t)
        errors.append(float(a / b / target(t) - 1))
        slopes = (
            [2 / a - 1 / b]
            + [-(t**k) / b for k in range(1, degree)]
            + [t**k / a for k in range(1, degree + 1)]
        )
        columns.append([float(v) for v in slopes])
    units = [float(np.spacing(scalar(v))) for v in rounded]
    error = np.array(errors)
    steps = [np.array([row[k] for row in columns]) * unit for k, unit in enumerate(units)]
    singles = [((k, d),) for k in range(len(steps)) for d in (-1, 1)]
    moves = [*singles, *((a, b) for (a,), (b,) in combinations(singles, 2) if a[0] != b[0])]
    offsets = [0] * len(steps)
    while True:
        candidates = []
        for move in moves:
            moved = error
            for k, d in move:
                moved = moved + steps[k] * d
            candidates.append(float(np.abs(moved).max()))
        best = min(candidates)
        if not best < float(np.abs(error).max()):
            break
        for k, d in moves[candidates.index(best)]:
            error = error + steps[k] * d
            offsets[k] += d
    tuned = [v + o * unit for v, o, unit in zip(rounded, offsets, units, strict=True)]
    return [2 * tuned[0], *tuned[degree:]], tuned[:degree]


def relative_error(p: list[float] | tuple[float, ...], q: list[float] | tuple[float, ...], t: Real) -> Real:
    """Return `P(t) / Q(t) / G(t) - 1` for the given coefficients, in exact arithmetic."""
    return horner([*map(mp.mpf, p)], t) / horner([*map(mp.mpf, q), mp.mpf(1)], t) / target(t) - 1


def render() -> str:
    """Return the text of `coefficients.py`."""
    parts = [
        '"""P and Q of `truncated_normal.py`, written by `derive_coefficients.py`; do not edit.\n\n'
        "Lowest power of `t = 1 - u*u` first; Q has one more coefficient, its leading 1.\n"
        '"""\n\nfrom __future__ import annotations\n'
    ]
    for variant in VARIANTS:
        p, q = tune(*remez(variant.degree), variant.scalar)
        worst = max(abs(relative_error(p, q, t)) for t in grid())
        parts.append(f"\n# Largest relative error of P/Q: {mp.nstr(worst, 3)}.\n")
        for name, values in (("P", p), ("Q", q)):
            parts.append(f"{variant.name}_{name} = (\n")
            parts += [f'    float.fromhex("{v.hex()}"),  # {v!r}\n' for v in values]
            parts.append(")\n")
    return "".join(parts)


def render_header() -> str:
    """Return the text of `_kernel/coefficients.h`, with the numbers of `coefficients.py`."""
    lines = ["/* P and Q of ../truncated_normal.py, written by ../derive_coefficients.py; do not edit. */"]
    for variant in VARIANTS:
        bits = variant.name.removeprefix("FLOAT")
        for name in ("P", "Q"):
            values = getattr(coefficients, f"{variant.name}_{name}")
            suffix = "f" if bits == "32" else ""
            lines += [f"#define {name}{bits}_{k} {v.hex()}{suffix}" for k, v in enumerate(values)]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write `coefficients.py` and the header; with `--check`, only compare them."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m lecun_cli.stream.derive_coefficients [--check]", file=sys.stderr)
        return 2
    for target, render_text in ((TARGET, render), (HEADER, render_header)):
        text = render_text()
        if not arguments:
            target.write_text(text, encoding="utf-8")
            importlib.reload(coefficients)
        elif target.read_text(encoding="utf-8") != text:
            print(f"{target}: contents differ from the derived ones", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
