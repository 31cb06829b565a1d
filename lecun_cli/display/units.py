"""Byte sizes and times in words: `4MiB`, `1.5 s`."""

from __future__ import annotations

import re

from lecun_cli.errors import UsageError

_UNITS = {
    "": 1, "b": 1,
    "k": 10**3, "kb": 10**3, "m": 10**6, "mb": 10**6, "g": 10**9, "gb": 10**9, "t": 10**12, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*\Z")


def parse_nbytes(text: str, *, what: str, least: int = 1) -> int:
    """The bytes that a size in words means; `kB` is 1000 and `KiB` 1024, as everywhere.

    Args:
        text: For example `4MiB`.
        what: The option, for messages.
        least: The smallest size that makes sense.

    Raises:
        UsageError: It is no size, or too small.
    """
    match = _SIZE.match(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise UsageError(f'{what} is a size, found "{text}"', help="write it as 4MiB, 512KiB or 5GB")
    integer, _, fraction = match[1].partition(".")
    nbytes = int(integer + fraction) * unit // int("1" + "0" * len(fraction))
    if nbytes < least:
        raise UsageError(f'{what} is at least {least} bytes, found "{text}"')
    return nbytes


def format_nbytes(nbytes: int) -> str:
    """A size for people, in powers of 1024: `1.5 GiB`."""
    size = float(nbytes)
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return (
                f"{nbytes} B"
                if unit == "B"
                else f"{size:,.1f} {unit}"
                if size < 100
                else f"{size:,.0f} {unit}"
            )
        size /= 1024
    raise AssertionError


def format_seconds(seconds: float) -> str:
    """A time for people: `8 ms`, `1.5 s`, `3 min 20 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    return f"{rounded // 60} min {rounded % 60} s"
