"""`.keras` archives: their config.json, and nothing else of them. Nothing is unpacked, nothing executed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

from lecun_cli.derive.readers.json_text import MAX_NBYTES, parse_json
from lecun_cli.errors import DeriveError

MAX_MEMBERS = 10_000
_CONFIG = "config.json"


def read_config(path: Path) -> dict[str, Any]:
    """The config in a `.keras` archive.

    Raises:
        DeriveError: The file is no sound archive, or holds no sound config.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return parse_json(_member(archive, path), what=f"{_CONFIG} in {path}")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if isinstance(error, DeriveError):
            raise
        raise DeriveError(f"{path} is no sound .keras archive: {error}") from error
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error


def _member(archive: zipfile.ZipFile, path: Path) -> bytes:
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise DeriveError(
            f"{path} has {len(members):,} members, and no .keras archive has over {MAX_MEMBERS:,}"
        )
    configs = [member for member in members if member.filename == _CONFIG]
    if len(configs) != 1:
        count = "no" if not configs else f"{len(configs)} times"
        raise DeriveError(
            f"{path} holds {count} {_CONFIG}, and a .keras archive holds it once",
            help="model.save('model.keras') writes one",
        )
    (config,) = configs
    if config.flag_bits & 1:
        raise DeriveError(f"{_CONFIG} in {path} is encrypted")
    with archive.open(config) as member:  # what it says of its size is not believed
        data = member.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise DeriveError(f"{_CONFIG} in {path} is larger than {MAX_NBYTES // 2**20} MiB, and no config is")
    return data
