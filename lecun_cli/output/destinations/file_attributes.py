"""Attributes of a file that permission bits do not show: Linux's statx.

The standard library does not have the call. If the system lacks it, or a file system does not report an
attribute, the attribute counts as unset; publishing still restores what it cannot replace.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

# linux/stat.h
IMMUTABLE = 0x10
APPEND = 0x20
MOUNT_ROOT = 0x2000

_AT_FDCWD = -100
_STRUCT_NBYTES = 256
_ATTRIBUTES = slice(8, 16)  # stx_attributes: after stx_mask and stx_blksize, 32 bits each


def attributes(path: Path) -> int:
    """Return the attributes of a file or folder.

    Args:
        path: The file or folder. A symbolic link is followed.

    Returns:
        A sum of `IMMUTABLE`, `APPEND` and `MOUNT_ROOT` and bits that are not named here; 0 if unknown.
    """
    call = _statx()
    if call is None:
        return 0
    buffer = ctypes.create_string_buffer(_STRUCT_NBYTES)
    if call(_AT_FDCWD, os.fsencode(path), 0, 0, buffer) != 0:
        return 0
    return int.from_bytes(buffer.raw[_ATTRIBUTES], sys.byteorder)


@cache
def _statx() -> Any:  # noqa: ANN401 - a function pointer of ctypes
    try:
        call = ctypes.CDLL(None, use_errno=True).statx
    except (OSError, AttributeError, TypeError):
        return None
    call.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)
    call.restype = ctypes.c_int
    return call
