"""Give complete files their names: all files of a set, or none.

A weight file and its manifest belong together, so they are published together. Every byte is on the disk
before the first name changes. Files that are replaced are kept under a second name until the last new name
is on the disk, and restored if anything fails. Signals are held in the meantime.

A crash (kill -9, power failure) between two renames can leave a new file next to an old one. The previous
version of the new file then still exists as `.NAME.XXXXXX.previous`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.errors import UsageError
from lecun_cli.output.destinations.base import output_error
from lecun_cli.signals import hold_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME_CHARACTERS = 50
"""Number of characters of a file's name in its hidden names, so that these are not too long."""


@dataclass(frozen=True)
class Publication:
    """A complete file, flushed to the disk under a temporary name.

    Attributes:
        temporary: The temporary path.
        final: The final path, in the same folder.
        shown: The path in messages, as the user gave it.
        replace: If true, an existing file may be replaced.
    """

    temporary: Path
    final: Path
    shown: Path
    replace: bool


@dataclass
class _Step:
    """The state of one file, from which a failure can be undone.

    Attributes:
        file: The file.
        previous: The second name of the file that is replaced, or None.
        aside: If true, the file that is replaced is renamed, because it cannot have a second name.
        inode: Device and inode of the new file.
    """

    file: Publication
    previous: Path | None = None
    aside: bool = False
    inode: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        status = os.stat(self.file.temporary)
        self.inode = status.st_dev, status.st_ino

    def keep(self) -> None:
        """Give the file that will be replaced a second name."""
        if not self.file.replace or not self.file.final.exists():
            return
        name = hidden_name(self.file.final, "previous")
        try:
            os.link(self.file.final, name)
        except OSError:  # a file system without hard links, or a file that cannot be replaced either
            with contextlib.suppress(OSError):
                name.unlink()
            self.aside = True
        else:
            self.previous = name

    def publish(self) -> None:
        """Give the new file its name."""
        if not self.file.replace:
            _rename_new(self.file.temporary, self.file.final)
        else:
            if self.aside:
                name = hidden_name(self.file.final, "previous")
                os.rename(self.file.final, name)
                self.previous = name
            os.replace(self.file.temporary, self.file.final)

    def restore(self) -> str | None:
        """Give the old file its name again, or remove the new file if nothing was replaced.

        Returns:
            A message about what could not be undone, or None.
        """
        final = self.file.final
        try:
            if self.previous is not None:
                if self.aside or self._is_ours():
                    os.replace(self.previous, final)
                # Renaming a file to another of its own names does nothing, so this name may still exist.
                with contextlib.suppress(FileNotFoundError):
                    self.previous.unlink()
            elif self._is_ours():
                final.unlink()
        except OSError as error:
            reason = error.strerror or str(error)
            if self.previous is None:
                return f"{final} could not be removed: {reason}"
            return f"the old {self.file.shown} is kept as {self.previous}: {reason}"
        return None

    def _is_ours(self) -> bool:
        try:
            status = os.stat(self.file.final)
        except OSError:
            return False
        return (status.st_dev, status.st_ino) == self.inode

    def forget(self) -> list[str]:
        """Remove the second names.

        Returns:
            A message about each name that could not be removed.
        """
        messages = []
        for name in (self.previous, self.file.temporary):
            try:
                if name is not None:
                    name.unlink(missing_ok=True)
            except OSError as error:
                messages.append(f"{name} could not be removed: {error.strerror or error}")
        return messages


def publish(files: Sequence[Publication]) -> tuple[str, ...]:
    """Give every file its final name, or leave everything as it was.

    Args:
        files: Complete files, flushed to the disk, in the order in which they are renamed.

    Returns:
        Warnings about second names that could not be removed; the new files are complete nevertheless.

    Raises:
        UsageError: A file of a final name has appeared in the meantime and may not be replaced.
        OutputError: The file system refused. Every file is as it was before; if not, a note of the exception
            says what could not be restored.
    """
    if not files:
        return ()
    with hold_signals() as hold:
        hold.check()
        steps = [_Step(file) for file in files]
        step = steps[0]
        try:
            for step in steps:
                step.keep()
            for step in steps:
                step.publish()
            for folder in {file.final.parent for file in files}:
                _sync_folder(folder)
        except BaseException as error:
            notes = [note for step in reversed(steps) if (note := step.restore())]
            failure = _known_error(step.file, error)
            for note in notes:
                failure.add_note(note)
            if failure is error:
                raise
            raise failure from (None if isinstance(error, FileExistsError) else error)
        hold.completed(_are_complete(files))
        return tuple(warning for step in steps for warning in step.forget())


def hidden_name(final: Path, suffix: str) -> Path:
    """Return a hidden path in the folder of a file, with a random part: `.NAME.XXXXXX.suffix`."""
    return final.with_name(f".{final.name[:NAME_CHARACTERS]}.{secrets.token_hex(6)}.{suffix}")


def exists_error(path: Path) -> UsageError:
    """Return the error for an output that exists and may not be replaced."""
    return UsageError(f"{path} exists already", help="give another name, or --force to replace it")


def _known_error(file: Publication, error: BaseException) -> BaseException:
    if isinstance(error, FileExistsError):
        return exists_error(file.shown)
    return output_error(file.shown, error) if isinstance(error, OSError) else error


def _are_complete(files: Sequence[Publication]) -> str:
    names = " and ".join(str(file.shown) for file in files)
    return f"{names} {'is' if len(files) == 1 else 'are'} complete"


def _rename_new(temporary: Path, final: Path) -> None:
    """Rename a file, but never replace one that has appeared in the meantime. The old name may stay."""
    try:
        os.link(temporary, final)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if final.exists():
            raise FileExistsError(final) from None
        os.rename(temporary, final)


def _sync_folder(folder: Path) -> None:
    try:
        fd = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder that may be written but not read
        return
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.EBADF, errno.EOPNOTSUPP}:
            raise
    finally:
        os.close(fd)
