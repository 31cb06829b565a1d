"""SHA-256 of a file and of each of its tensors, from its bytes in order.

Where the processor has instructions for it, the C kernel takes both digests in one pass: two messages
side by side take the time of one. Elsewhere hashlib takes each in a pass of its own, in two threads.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from lecun_cli.formats.segments import ChunkPart, Extent
from lecun_cli.stream._kernel.loader import load

if TYPE_CHECKING:
    from types import ModuleType

_SHA256_NBYTES = 32
_TENSOR, _BEGINS, _ENDS = 1, 2, 4  # what a stretch is, in the kernel's words (module.c)


@dataclass(frozen=True)
class Digests:
    """SHA-256 of a file and of each of its tensors, in hex.

    Attributes:
        file: Of the whole file: what `sha256sum` prints, and the Hub's LFS id.
        tensors: Of the stored bytes of each tensor, by name.
    """

    file: str
    tensors: dict[str, str]


class Digester(Protocol):
    """Takes a file's bytes in order; one thread at a time."""

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        """The file's next bytes.

        Args:
            parts: What they are, in order.
            data: The bytes, as many as the pieces have.
        """


class DigestTaker:
    """The digests of one file, by one or two digesters.

    Attributes:
        digesters: Each is to be given every byte, in order; they may run side by side.
    """

    def __init__(self) -> None:
        module = load().module
        state = None if module is None else module.digest_begin()
        self._both = None if module is None or state is None else _Both(module, state)
        self._file, self._tensors = _FileDigester(), _TensorDigester()
        self.digesters: tuple[Digester, ...] = (
            (self._file, self._tensors) if self._both is None else (self._both,)
        )

    def end(self) -> Digests:
        """The digests, when every digester has taken every byte."""
        if self._both is not None:
            return Digests(self._both.file(), self._both.tensors)
        return Digests(self._file.digest.hexdigest(), self._tensors.tensors)


class _FileDigester:
    def __init__(self) -> None:
        self.digest = hashlib.sha256()

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        del parts
        self.digest.update(data)


class _TensorDigester:
    def __init__(self) -> None:
        self.tensors: dict[str, str] = {}
        self._digest = hashlib.sha256()

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        at = 0
        for segment, start, stop in parts:
            length = stop - start
            if isinstance(segment, Extent):
                if start == 0:
                    self._digest = hashlib.sha256()
                self._digest.update(data[at : at + length])
                if stop == segment.nbytes:
                    self.tensors[segment.tensor.name] = self._digest.hexdigest()
            at += length


class _Both:
    """The kernel's: file and tensors in one pass."""

    def __init__(self, module: ModuleType, state: bytearray) -> None:
        self.tensors: dict[str, str] = {}
        self._module = module
        self._state = state

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        ranges: list[int] = []
        ending = []
        for segment, start, stop in parts:
            what = 0
            if isinstance(segment, Extent):
                tensor = segment.tensor
                what = _TENSOR if start else _TENSOR | _BEGINS
                if stop == tensor.nbytes:
                    what |= _ENDS
                    ending.append(tensor.name)
            ranges += (stop - start, what)
        ended = self._module.digest(self._state, data, array("Q", ranges)).hex()
        width = 2 * _SHA256_NBYTES
        for i, name in enumerate(ending):
            self.tensors[name] = ended[width * i : width * (i + 1)]

    def file(self) -> str:
        digest: bytes = self._module.digest_end(self._state)
        return digest.hex()
