"""Conversion of uniform numbers on [-1, 1] to the normal distribution truncated at two standard deviations.

`z(u) = u * (P(t) / Q(t))` with `t = 1 - u*u` approximates `sqrt(2) * erfinv(u * erf(sqrt(2)))`, the inverse
CDF. Every step is one IEEE operation on a whole array, so every machine rounds it equally: it uses no fused
multiply-add and no library function. `derive_coefficients.py` derives the approximants.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from lecun_cli.stream.coefficients import FLOAT32_P, FLOAT32_Q, FLOAT64_P, FLOAT64_Q

Floats = np.ndarray[Any, np.dtype[Any]]
Scalar = np.float32 | np.float64

_COEFFICIENTS: dict[type, tuple[tuple[Scalar, ...], tuple[Scalar, ...]]] = {
    np.float32: (tuple(map(np.float32, FLOAT32_P)), tuple(map(np.float32, FLOAT32_Q))),
    np.float64: (tuple(map(np.float64, FLOAT64_P)), tuple(map(np.float64, FLOAT64_Q))),
}


def evaluate(u: Floats, t: Floats, p: Floats, q: Floats) -> Floats:
    """Compute the normal deviate of every `u`: `|z| <= 2`, and `z(+-1)` is exactly `+-2`.

    The operations, in this order and in the type of the arrays: `t = 1 - u*u`; `p = p4*t + p3`, then
    `p*t + p2` and so on down to p0; `q = t + q3` (Q is monic), then `q*t + q2` down to q0; `p / q`;
    `u * (p / q)`.

    Args:
        u: Numbers on [-1, 1], float32 or float64. Not changed.
        t: Working memory like `u`.
        p: Working memory like `u`.
        q: Working memory like `u`.

    Returns:
        `p`, which contains the result.
    """
    above, below = _COEFFICIENTS[u.dtype.type]
    one = u.dtype.type(1)
    np.multiply(u, u, out=t)
    np.subtract(one, t, out=t)
    np.multiply(t, above[-1], out=p)
    for c in above[-2:0:-1]:
        np.add(p, c, out=p)
        np.multiply(p, t, out=p)
    np.add(p, above[0], out=p)
    np.add(t, below[-1], out=q)
    for c in below[-2::-1]:
        np.multiply(q, t, out=q)
        np.add(q, c, out=q)
    np.divide(p, q, out=p)
    np.multiply(u, p, out=p)
    return p
