"""Sizes and times as text: `4MiB`, `1.5 s`."""

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
    """Return the number of bytes that a size means; `kB` is 1000 bytes and `KiB` is 1024 bytes.

    Args:
        text: The size, for example `4MiB`.
        what: Name of the option, for messages.
        least: The smallest size that is allowed, in bytes.

    Returns:
        The size in bytes, rounded down.

    Raises:
        UsageError: The text is not a size, or the size is too small.

    Example:
        >>> parse_nbytes("1.5KiB", what="--chunk-size")
        1536
    """
    match = _SIZE.match(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise UsageError(f'{what}: expected a size, got "{text}"', help="write it as 4MiB, 512KiB or 5GB")
    integer, _, fraction = match[1].partition(".")
    nbytes = int(integer + fraction) * unit // int("1" + "0" * len(fraction))
    if nbytes < least:
        raise UsageError(f'{what}: expected at least {least} bytes, got "{text}"')
    return nbytes


def format_nbytes(nbytes: int) -> str:
    """Return a size as text, in powers of 1024: `1.5 GiB`."""
    if nbytes < 1024:
        return f"{nbytes} B"
    size, unit = nbytes / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size < 1024:
            break
        size, unit = size / 1024, larger
    return f"{size:,.1f} {unit}" if size < 100 else f"{size:,.0f} {unit}"


def format_seconds(seconds: float) -> str:
    """Return a time as text: `8 ms`, `1.5 s`, `3 min 20 s`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    return f"{rounded // 60} min {rounded % 60} s"
