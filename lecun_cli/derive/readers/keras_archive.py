"""Read the config.json of a `.keras` archive. Nothing else is unpacked, and nothing is executed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

from lecun_cli.derive.readers.json_config import MAX_NBYTES, parse_json
from lecun_cli.errors import DeriveError

MAX_MEMBERS = 10_000
_CONFIG = "config.json"


def read_config(path: Path) -> dict[str, Any]:
    """Return the config in a `.keras` archive.

    Raises:
        DeriveError: The file is not a valid archive or does not contain a valid config.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return parse_json(_member(archive, path), what=f"{_CONFIG} in {path}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, DeriveError):
            raise
        raise DeriveError(f"{path} is not a valid .keras archive: {error}") from error
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error


def _member(archive: zipfile.ZipFile, path: Path) -> bytes:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise DeriveError(
            f"too many members in {path}: expected at most {MAX_MEMBERS:,}, got {len(members):,}"
        )
    configs = [member for member in members if member.filename == _CONFIG]
    if len(configs) != 1:
        raise DeriveError(
            f"{path} is not a valid .keras archive: expected one {_CONFIG}, got {len(configs)}",
            help="write the archive with model.save('model.keras')",
        )
    (config,) = configs
    if config.flag_bits & 1:
        raise DeriveError(f"{_CONFIG} in {path} is encrypted")
    with archive.open(config) as member:  # the size in the directory of the archive may be wrong
        data = member.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise DeriveError(f"{_CONFIG} in {path} is too large: expected at most {MAX_NBYTES // 2**20} MiB")
    return data
