from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from lecun_cli.dtypes import FLOAT_DTYPES
from lecun_cli.initializers.distributions import Distribution, TruncatedNormal, Uniform
from lecun_cli.stream import STREAM
from lecun_cli.stream.philox import BlockReader, blocks, stream_key
from tests.stream import reference
from tests.stream.cases import drawn

TEXT = reference.README.read_text(encoding="utf-8")
SEED, IDENTITY = 42, "hidden/kernel"


def rows(heading: str) -> Iterator[list[str]]:
    """Yield the rows of the table under a heading, without backticks."""
    section = TEXT.split(f"### {heading}\n")[1].split("\n#")[0]
    for line in re.findall(r"^\| (.+) \|$", section, re.MULTILINE)[1:]:
        yield [cell.strip("`") for cell in line.split(" | ")]


@dataclass(frozen=True)
class Vector:
    """A row of the table of weights."""

    dtype: str
    distribution: Distribution
    index: int
    stored: bytes
    value: float


def vectors() -> list[Vector]:
    parsed = []
    for dtype, text, index, stored, value in rows("Weights"):
        name, *numbers = text.split(" ")
        constructor = {"truncated_normal": TruncatedNormal, "uniform": Uniform}[name]
        distribution: Distribution = constructor(*map(float.fromhex, numbers))
        parsed.append(Vector(dtype, distribution, int(index), bytes.fromhex(stored), float.fromhex(value)))
    return parsed


VECTORS = vectors()


class TestVectors:
    @pytest.mark.parametrize(("seed", "identity", "first", "second"), list(rows("Keys")))
    def test_keys(self, seed: str, identity: str, first: str, second: str) -> None:
        expected = (int(first, 16), int(second, 16))
        assert stream_key(int(seed), identity) == reference.key(int(seed), identity) == expected

    def test_blocks(self) -> None:
        table = list(rows("Blocks"))
        assert len(table) == 4
        key = stream_key(SEED, IDENTITY)
        for number, *words in table:
            expected = [int(w, 16) for w in words]
            assert list(reference.philox((int(number), 0, 0, 0), key)) == expected
            assert BlockReader(key).read(int(number), 1).tolist() == expected
            assert blocks(key, np.array([int(number)], dtype=np.uint64)).tolist() == [expected]

    @pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.dtype}-{v.index}")
    def test_weights(self, vector: Vector) -> None:
        element = drawn(SEED, IDENTITY, vector.index, 1, vector.distribution, vector.dtype)
        assert element.tobytes() == vector.stored
        assert float(element[0]) == vector.value
        key = reference.key(SEED, IDENTITY)
        assert reference.weight(key, vector.index, vector.distribution, vector.dtype) == vector.stored

    def test_every_float_dtype_has_both_distributions_and_a_large_index(self) -> None:
        for dtype in FLOAT_DTYPES:
            ours = [v for v in VECTORS if v.dtype == dtype]
            assert {type(v.distribution) for v in ours} == {TruncatedNormal, Uniform}
            assert 2**33 + 5 in {v.index for v in ours}

    def test_the_number_of_the_stream(self) -> None:
        assert TEXT.startswith(f"# Stream {STREAM}\n")
        assert f"lecun-init stream {STREAM}" in TEXT
