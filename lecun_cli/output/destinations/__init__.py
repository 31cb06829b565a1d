"""Where output goes. A new destination is one module and one row in `DESTINATIONS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lecun_cli.output.destinations.base import Destination
from lecun_cli.output.destinations.local_file import LocalFile
from lecun_cli.output.destinations.stream import StandardOutput, Stream, is_stream


@dataclass(frozen=True)
class DestinationType:
    """A kind of destination.

    Attributes:
        name: Its name.
        accepts: Return true if a path or URL belongs to this kind.
        create: The class of its destinations.
    """

    name: str
    accepts: Callable[[str], bool]
    create: type[Destination]


DESTINATIONS: tuple[DestinationType, ...] = (
    DestinationType("standard output", lambda path: path == "-", StandardOutput),
    DestinationType("stream", is_stream, Stream),
    DestinationType("local file", lambda path: True, LocalFile),
)
"""The kinds of destinations; the first one that accepts a path is used."""


def destination_for(path: str | Path, nbytes: int = 0, *, force: bool = False) -> Destination:
    """Return the destination that a path means.

    Args:
        path: A file, a pipe, a device, or `-` for standard output.
        nbytes: Length of the output in bytes.
        force: If true, an existing file may be replaced.
    """
    path = str(path)
    return next(d.create(path, nbytes, force=force) for d in DESTINATIONS if d.accepts(path))
