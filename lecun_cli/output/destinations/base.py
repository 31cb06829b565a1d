"""The interface of a destination: what the engine writes to."""

from __future__ import annotations

import errno
from typing import Protocol

from lecun_cli.errors import OutputError

PAGE_NBYTES = 4096
"""What storage takes and gives at once, or a multiple of it."""


class Destination(Protocol):
    """What the engine writes to."""

    random_access: bool
    """Whether ranges may be written in any order and from several threads at once."""

    def write(self, offset: int, data: memoryview) -> None:
        """Write bytes at an offset; without random access, offsets come in order.

        Args:
            offset: Where they go, in bytes.
            data: The bytes; the engine's lie in memory as they do in the file, to a multiple of a page.

        Raises:
            OutputError: The bytes could not be written.
        """


def output_error(path: object, error: OSError) -> OutputError:
    """A fault of the machine in words."""
    reason = error.strerror or str(error)
    advice = "free some space, or write elsewhere" if error.errno in {errno.ENOSPC, errno.EDQUOT} else None
    return OutputError(f"{path} could not be written: {reason}", help=advice)
