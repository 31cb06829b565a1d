from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import Philox

from lecun_cli.stream import philox
from lecun_cli.stream.philox import BlockReader, blocks, stream_key
from tests.stream import reference

KEYS = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))


@dataclass(frozen=True)
class KnownAnswer:
    """A line `philox4x64 10` of kat_vectors in Random123."""

    id: str
    counter: tuple[int, int, int, int]
    key: tuple[int, int]
    words: tuple[int, int, int, int]


ONES = 2**64 - 1
KNOWN_ANSWERS = (
    KnownAnswer(
        "zeros",
        (0, 0, 0, 0),
        (0, 0),
        (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
    ),
    KnownAnswer(
        "ones",
        (ONES, ONES, ONES, ONES),
        (ONES, ONES),
        (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
    ),
    KnownAnswer(
        "pi",
        (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0x452821E638D01377, 0xBE5466CF34E90C6C),
        (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
    ),
)


class TestKnownAnswers:
    @pytest.mark.parametrize("case", KNOWN_ANSWERS, ids=lambda c: c.id)
    def test_reference(self, case: KnownAnswer) -> None:
        assert reference.philox(case.counter, case.key) == case.words

    @pytest.mark.parametrize("case", KNOWN_ANSWERS, ids=lambda c: c.id)
    def test_numpy_after_its_increment(self, case: KnownAnswer) -> None:
        before = (sum(c << 64 * i for i, c in enumerate(case.counter)) - 1) % 2**256
        counter = np.array([before >> 64 * i & ONES for i in range(4)], dtype=np.uint64)
        words = Philox(key=np.array(case.key, dtype=np.uint64), counter=counter).random_raw(4)
        assert tuple(words) == case.words

    def test_both_ways_to_compute_blocks(self) -> None:
        case = KNOWN_ANSWERS[0]
        assert tuple(BlockReader(case.key).read(0, 1)) == case.words
        assert tuple(blocks(case.key, np.zeros(1, dtype=np.uint64))[0]) == case.words


class TestBlocks:
    @given(key=KEYS, numbers=st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=5))
    def test_scattered_blocks_agree_with_the_reference(
        self, key: tuple[int, int], numbers: list[int]
    ) -> None:
        words = blocks(key, np.array(numbers, dtype=np.uint64))
        assert [tuple(row) for row in words.tolist()] == [
            reference.philox((n, 0, 0, 0), key) for n in numbers
        ]

    @given(key=KEYS, spans=st.lists(st.tuples(st.integers(0, 2**64 - 3), st.integers(1, 3)), max_size=4))
    def test_a_reader_goes_forward_and_back(self, key: tuple[int, int], spans: list[tuple[int, int]]) -> None:
        reader = BlockReader(key)
        for block, count in spans:
            expected = [w for n in range(block, block + count) for w in reference.philox((n, 0, 0, 0), key)]
            assert reader.read(block, count).tolist() == expected

    def test_chunks_join(self) -> None:
        count = philox._CHUNK * 2 + 3
        words = blocks((1, 2), np.arange(7, 7 + count, dtype=np.uint64))
        assert (words.reshape(-1) == BlockReader((1, 2)).read(7, count)).all()


class TestStreamKey:
    @given(seed=st.integers(0, 2**64 - 1), identity=st.text())
    def test_is_the_published_digest(self, seed: int, identity: str) -> None:
        assert stream_key(seed, identity) == reference.key(seed, identity)

    def test_depends_on_both_seed_and_identity(self) -> None:
        keys = {stream_key(s, i) for s in (0, 1, 256) for i in ("", "a", "a/b", "b/a")}
        assert len(keys) == 12

    @pytest.mark.parametrize("seed", [-1, 2**64])
    def test_a_seed_out_of_range_is_an_error(self, seed: int) -> None:
        with pytest.raises(ValueError, match=r"seed: expected 0 to 2\*\*64 - 1"):
            stream_key(seed, "a")
