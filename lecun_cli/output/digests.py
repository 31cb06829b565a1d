"""SHA-256 of a file and of each of its tensors, from the bytes of the file in order.

If the processor has SHA instructions, the C kernel computes both digests in one pass: two messages side by
side take the time of one. Otherwise hashlib computes them in two passes, in two threads.
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
_TENSOR, _BEGINS, _ENDS = 1, 2, 4  # flags of a range, as in module.c


@dataclass(frozen=True)
class Digests:
    """SHA-256 of a file and of each of its tensors, in hex.

    Attributes:
        file: Digest of the whole file, as `sha256sum` prints it; also the LFS id on the Hugging Face Hub.
        tensors: Digests of the stored bytes of each tensor, by name.
    """

    file: str
    tensors: dict[str, str]


class Digester(Protocol):
    """Takes the bytes of a file in order, from one thread at a time."""

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        """Take the next bytes of the file.

        Args:
            parts: The content of the bytes, in order.
            data: The bytes; their number is the total length of the parts.
        """


class DigestTaker:
    """Computes the digests of one file.

    Attributes:
        digesters: One or two digesters, each of which takes every byte in order. They may run in parallel.
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
        """Return the digests; every digester has taken every byte."""
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
    """Computes both digests in the C kernel, in one pass."""

    def __init__(self, module: ModuleType, state: bytearray) -> None:
        self.tensors: dict[str, str] = {}
        self._module = module
        self._state = state

    def take(self, parts: Iterable[ChunkPart], data: memoryview) -> None:
        ranges: list[int] = []
        ending = []
        for segment, start, stop in parts:
            flags = 0
            if isinstance(segment, Extent):
                tensor = segment.tensor
                flags = _TENSOR if start else _TENSOR | _BEGINS
                if stop == tensor.nbytes:
                    flags |= _ENDS
                    ending.append(tensor.name)
            ranges += (stop - start, flags)
        ended = self._module.digest(self._state, data, array("Q", ranges)).hex()
        width = 2 * _SHA256_NBYTES
        for i, name in enumerate(ending):
            self.tensors[name] = ended[width * i : width * (i + 1)]

    def file(self) -> str:
        digest: bytes = self._module.digest_end(self._state)
        return digest.hex()
