"""Stream 1 from the text of README.md alone, with Python integers and `struct`, without NumPy and ml_dtypes.

It shares no code with `lecun_cli.stream`; even the coefficients are read from README.md.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from lecun_cli.initializers.distributions import Distribution, TruncatedNormal, Uniform

README = Path(__file__).parents[2] / "lecun_cli" / "stream" / "README.md"

MASK = 2**64 - 1

# dtype: (bits, fraction bits, exponent bias)
NARROW = {
    "float16": (16, 10, 15),
    "bfloat16": (16, 7, 127),
    "float8_e4m3fn": (8, 3, 7),
    "float8_e5m2": (8, 2, 15),
}


def key(seed: int, identity: str) -> tuple[int, int]:
    text = b"lecun-init stream 1" + b"\x00" + struct.pack("<Q", seed) + identity.encode("utf-8")
    first, second = struct.unpack("<QQ", hashlib.sha256(text).digest()[:16])
    return first, second


def philox(counter: tuple[int, int, int, int], key: tuple[int, int]) -> tuple[int, int, int, int]:
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        first, second = 0xD2E7470EE14C6C93 * c0, 0xCA5A826395121157 * c2
        c0, c1, c2, c3 = (second >> 64) ^ c1 ^ k0, second & MASK, (first >> 64) ^ c3 ^ k1, first & MASK
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c0, c1, c2, c3


def single(value: float) -> float:
    """Return the nearest float32, ties to even.

    float64 is so wide that rounding a sum, product or quotient of two float32 to it first changes nothing.
    """
    (rounded,) = struct.unpack("<f", struct.pack("<f", value))
    return float(rounded)


@dataclass(frozen=True)
class Rational:
    """Coefficients of P and Q, lowest power first, Q without its leading 1."""

    p: tuple[float, ...]
    q: tuple[float, ...]


@cache
def rational(name: str) -> Rational:
    """Read the coefficients from the table of README.md with the heading `name`."""
    section = README.read_text(encoding="utf-8").split(f"### Coefficients, {name}\n")[1].split("\n#")[0]
    rows = re.findall(r"^\| (p|q)(\d+) \| `(\S+)` \| (\S+) \|$", section, re.MULTILINE)
    values: dict[str, list[float]] = {"p": [], "q": []}
    for letter, power, hexadecimal, decimal in rows:
        assert int(power) == len(values[letter])
        assert float(decimal) == float.fromhex(hexadecimal)
        values[letter].append(float.fromhex(hexadecimal))
    return Rational(tuple(values["p"]), tuple(values["q"]))


def normal(u: float, *, wide: bool) -> float:
    """Return z(u); if `wide` is true, in float64, whose operations are those of Python."""
    r = float if wide else single
    table = rational("float64" if wide else "float32")
    t = r(1.0 - r(u * u))
    p = table.p[-1]
    for c in reversed(table.p[:-1]):
        p = r(r(p * t) + c)
    q = r(t + table.q[-1])
    for c in reversed(table.q[:-1]):
        q = r(r(q * t) + c)
    return r(u * r(p / q))


def uniform_number(key: tuple[int, int], index: int, *, wide: bool) -> float:
    if wide:
        word = philox((index // 4, 0, 0, 0), key)[index % 4]
        return float(word - 2**64 if word >= 2**63 else word) * 2.0**-63
    pair = philox((index // 8, 0, 0, 0), key)[index // 2 % 4]
    word = pair >> 32 if index % 2 else pair & 0xFFFFFFFF
    return single(float(word - 2**32 if word >= 2**31 else word)) * 2.0**-31


def weight(key: tuple[int, int], index: int, distribution: Distribution, dtype: str) -> bytes:
    """Return one element as stored."""
    wide = dtype == "float64"
    r = float if wide else single
    u = uniform_number(key, index, wide=wide)
    if isinstance(distribution, TruncatedNormal):
        w = r(normal(u, wide=wide) * r(distribution.sigma))
    else:
        assert isinstance(distribution, Uniform)
        half, center = (
            (distribution.maxval - distribution.minval) / 2,
            (distribution.minval + distribution.maxval) / 2,
        )
        w = r(u * r(half))
        if center != 0:
            low, high, center = (r(v) + 0.0 for v in (distribution.minval, distribution.maxval, center))
            w = min(max(r(w + center), low), high)
    return stored(w, dtype)


def stored(w: float, dtype: str) -> bytes:
    """Round a float32 (for float64, a float64) to nearest, ties to even, and return the bytes of `dtype`."""
    if dtype == "float64":
        return struct.pack("<d", w)
    if dtype == "float32":
        return struct.pack("<f", w)
    width, fraction, bias = NARROW[dtype]
    magnitude = abs(Fraction(w))
    exponent = 1 - bias
    while magnitude >= Fraction(2) ** (exponent + 1):
        exponent += 1
    count = round(magnitude / Fraction(2) ** (exponent - fraction))  # round() rounds halves to even
    if count == 2 ** (fraction + 1):
        count, exponent = count // 2, exponent + 1
    biased = exponent + bias if count >= 2**fraction else 0
    sign = struct.pack(">f", w)[0] >> 7
    code: int = sign << (width - 1) | biased << fraction | count % 2**fraction
    return code.to_bytes(width // 8, "little")


def weights(
    seed: int, identity: str, start: int, count: int, distribution: Distribution, dtype: str
) -> bytes:
    k = key(seed, identity)
    return b"".join(weight(k, start + i, distribution, dtype) for i in range(count))
