from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.errors import UsageError
from lecun_cli.initializers.distributions import Constant, Distribution, TruncatedNormal, Uniform
from lecun_cli.stream.fill import LONG_RUN_BLOCKS, fill, fill_runs
from lecun_cli.stream.scratch import BUFFER_NBYTES
from tests.stream import reference
from tests.stream.cases import SCRATCH, drawn, drawn_in_runs

SEEDS = st.integers(0, 2**64 - 1)
IDENTITIES = st.text(max_size=20)
STARTS = st.one_of(
    st.integers(0, 40),
    st.integers(2**32 - 20, 2**32 + 20),
    st.integers(2**40, 2**62),
    st.integers(0, 2**66 - 20),
)
SIGMAS = st.floats(1e-30, 100, width=64)


@st.composite
def distributions(draw: st.DrawFn) -> Distribution:
    """Draw a random distribution that fits in every float dtype."""
    if draw(st.booleans()):
        return TruncatedNormal(draw(SIGMAS))
    ends = st.floats(-200, 200)
    a, b = draw(ends), draw(ends)
    if draw(st.booleans()):
        return Uniform(-abs(a), abs(a))
    return Uniform(min(a, b), max(a, b))


class TestReference:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @settings(max_examples=60, deadline=None)
    @given(
        seed=SEEDS, identity=IDENTITIES, start=STARTS, count=st.integers(1, 20), distribution=distributions()
    )
    @example(seed=0, identity="", start=2**64 + 3, count=9, distribution=TruncatedNormal(0.0))
    @example(seed=1, identity="a", start=0, count=20, distribution=Uniform(0.0, 0.0))
    @example(seed=1, identity="a", start=0, count=20, distribution=Uniform(-0.0, 1e-45))
    @example(seed=1, identity="a", start=0, count=20, distribution=TruncatedNormal(1e-42))
    def test_agrees_with_the_reference_bit_for_bit(
        self, dtype: str, seed: int, identity: str, start: int, count: int, distribution: Distribution
    ) -> None:
        expected = reference.weights(seed, identity, start, count, distribution, dtype)
        assert drawn(seed, identity, start, count, distribution, dtype).tobytes() == expected


class TestChunks:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @settings(max_examples=15, deadline=None)
    @given(start=st.integers(0, 2**50), cuts=st.lists(st.integers(0, 3000), max_size=6))
    def test_a_range_is_the_same_however_it_is_cut(self, dtype: str, start: int, cuts: list[int]) -> None:
        distribution = TruncatedNormal(0.05)
        whole = drawn(7, "k", start, 3000, distribution, dtype)
        edges = [0, *sorted(cuts), 3000]
        parts = [drawn(7, "k", start + a, b - a, distribution, dtype) for a, b in pairwise(edges)]
        assert b"".join(p.tobytes() for p in parts) == whole.tobytes()

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_a_range_over_many_buffers_is_its_elements(self, dtype: str) -> None:
        count = 2 * BUFFER_NBYTES // 4 + 11
        whole = drawn(7, "k", 5, count, TruncatedNormal(0.05), dtype)
        for at in (0, BUFFER_NBYTES // 8 - 9, BUFFER_NBYTES // 4 - 9, BUFFER_NBYTES // 2 - 20, count - 20):
            again = drawn(7, "k", 5 + at, 20, TruncatedNormal(0.05), dtype)
            assert whole[at : at + 20].tobytes() == again.tobytes()

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @pytest.mark.parametrize(
        "distribution", [TruncatedNormal(0.1), Uniform(-1, 1), Uniform(0, 1), Constant(0.1)]
    )
    def test_an_unaligned_array_gets_the_same_elements(self, dtype: str, distribution: Distribution) -> None:
        kind = DTYPES[dtype]
        memory = np.zeros(1000 * kind.itemsize + 2, dtype=np.uint8)
        fill(memory[1:-1].view(kind.numpy()), distribution, (1, 2), 3, kind, SCRATCH)
        aligned = np.empty(1000, dtype=kind.numpy())
        fill(aligned, distribution, (1, 2), 3, kind, SCRATCH)
        assert memory.tobytes() == b"\0" + aligned.tobytes() + b"\0"

    def test_bfloat16_is_float32_cast(self) -> None:
        single, narrow = (drawn(3, "k", 9, 50_000, TruncatedNormal(0.1), d) for d in ("float32", "bfloat16"))
        assert single.astype(narrow.dtype).tobytes() == narrow.tobytes()


@dataclass(frozen=True)
class Runs:
    """Runs of equal length: their number and distance."""

    id: str
    count: int
    length: int
    step: int


RUNS = (
    Runs("single", 300, 1, 97),
    Runs("aligned", 64, 8, 8),
    Runs("short", 700, 13, 1001),
    Runs("last-gathered", 9, (LONG_RUN_BLOCKS - 2) * 4 + 1, 333),
    Runs("first-read", 9, (LONG_RUN_BLOCKS - 1) * 8 + 1, 4096),
    Runs("long", 5, 5000, 2**33 + 1),
    Runs("over-a-buffer", 2, BUFFER_NBYTES // 4 + 5, 2**20 + 3),
    Runs("many-pieces", 3000, 100, 257),
)


class TestRuns:
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @pytest.mark.parametrize("case", RUNS, ids=lambda c: c.id)
    @pytest.mark.parametrize("transposed", [False, True], ids=["rows", "columns"])
    def test_equal_fill(self, dtype: str, case: Runs, *, transposed: bool) -> None:
        kind = DTYPES[dtype].numpy()
        shape = (case.count, case.length)
        out = np.zeros(shape[::-1], dtype=kind).T if transposed else np.zeros(shape, dtype=kind)
        starts = [3 + i * case.step for i in range(case.count)]
        distribution = TruncatedNormal(0.3)
        drawn_in_runs(out, 11, "k", starts, distribution, dtype)
        expected = b"".join(drawn(11, "k", s, case.length, distribution, dtype).tobytes() for s in starts)
        assert out.tobytes() == expected

    @pytest.mark.parametrize("dtype", ["float32", "float64", "float8_e5m2"])
    @settings(max_examples=25, deadline=None)
    @given(
        starts=st.lists(st.integers(0, 2**62), min_size=1, max_size=30),
        length=st.integers(1, 400),
        distribution=distributions(),
    )
    def test_equal_fill_at_any_starts(
        self, dtype: str, starts: list[int], length: int, distribution: Distribution
    ) -> None:
        out = np.zeros((len(starts), length), dtype=DTYPES[dtype].numpy())
        drawn_in_runs(out, 11, "k", starts, distribution, dtype)
        assert out.tobytes() == b"".join(
            drawn(11, "k", s, length, distribution, dtype).tobytes() for s in starts
        )

    def test_a_transposed_weight_is_the_canonical_one(self) -> None:
        canonical = drawn(5, "k", 0, 60 * 40, TruncatedNormal(1), "float32").reshape(60, 40)
        stored = np.zeros((40, 60), dtype="<f4")
        drawn_in_runs(stored.T, 5, "k", [40 * i for i in range(60)], TruncatedNormal(1), "float32")
        assert (stored == canonical.T).all()

    @pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0)])
    def test_empty_runs_write_nothing(self, shape: tuple[int, int]) -> None:
        drawn_in_runs(np.empty(shape, dtype="<f4"), 5, "k", [0] * shape[0], TruncatedNormal(1), "float32")

    def test_a_constant_fills_the_array(self) -> None:
        out = np.zeros((3, 4), dtype="<i4")
        drawn_in_runs(out, 5, "k", [0, 1, 2], Constant(7), "int32")
        assert (out == 7).all()


class TestRefusals:
    def test_an_array_of_another_dtype_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="out: expected a 1-D float32 array, got 1-D float64"):
            fill(np.empty(3), TruncatedNormal(1), (0, 0), 0, DTYPES["float32"], SCRATCH)

    def test_an_array_of_another_rank_is_an_error(self) -> None:
        with pytest.raises(ValueError, match="out: expected a 2-D float64 array, got 1-D float64"):
            fill_runs(np.empty(3), TruncatedNormal(1), (0, 0), np.zeros(3, int), DTYPES["float64"], SCRATCH)

    def test_starts_that_do_not_match_the_runs_are_an_error(self) -> None:
        with pytest.raises(ValueError, match=r"starts: expected int64 of shape \(3,\)"):
            drawn_in_runs(np.empty((3, 2)), 0, "", [1, 2], TruncatedNormal(1), "float64")

    @pytest.mark.parametrize(("start", "count"), [(-1, 2), (2**67 - 1, 2)])
    def test_a_range_beyond_the_stream_is_an_error(self, start: int, count: int) -> None:
        with pytest.raises(ValueError, match=f"range of elements: expected 0 to {2**67 - 1}, got {start}"):
            drawn(0, "", start, count, TruncatedNormal(1), "float32")

    def test_the_last_element_can_be_drawn(self) -> None:
        last = drawn(0, "", 2**67 - 1, 1, TruncatedNormal(1), "float32").tobytes()
        assert last == reference.weights(0, "", 2**67 - 1, 1, TruncatedNormal(1), "float32")

    @pytest.mark.parametrize(
        ("distribution", "dtype", "message"),
        [
            (TruncatedNormal(1), "int32", "expected a float dtype, got"),
            (Uniform(0, 1), "bool", "expected a float dtype, got"),
            (TruncatedNormal(-1), "float32", "expected at least 0, got -1"),
            (TruncatedNormal(float("nan")), "float32", "random weights do not fit in float32"),
            (TruncatedNormal(300), "float8_e4m3fn", "random weights do not fit in float8_e4m3fn"),
            (Uniform(0, 70000), "float16", "random weights do not fit in float16"),
            (Uniform(1, 0), "float32", "expected minval <= maxval"),
            (Uniform(-1e308, 1e308), "float64", "a finite difference"),
            (Constant(1.5), "int8", "expected a whole number from -128 to 127, got 1.5"),
            (Constant(-1), "uint8", "expected a whole number from 0 to 255, got -1"),
            (Constant(2), "bool", "expected a whole number from 0 to 1, got 2"),
            (Constant(2**63), "int64", "expected a whole number from -9223372036854775808"),
            (Constant(float("nan")), "int8", "expected a whole number"),
            (Constant(1e39), "float32", "a magnitude of at most 3.4"),
            (Constant(float("inf")), "float8_e4m3fn", "a magnitude of at most 448.0, got inf"),
        ],
    )
    def test_a_distribution_that_does_not_fit_is_an_error(
        self, distribution: Distribution, dtype: str, message: str
    ) -> None:
        with pytest.raises(UsageError, match=message):
            drawn(0, "", 0, 1, distribution, dtype)


class TestConstant:
    @settings(deadline=None)
    @given(value=st.floats(-448, 448))
    @example(value=1 + 2**-8 + 2**-40)  # a tie in bfloat16 once rounded to float32
    @example(value=1 + 3 * 2**-8 - 2**-40)
    @example(value=-(2**-25) - 2**-60)
    def test_is_rounded_once(self, value: float) -> None:
        for dtype in FLOAT_DTYPES:
            expected = reference.stored(value, dtype)
            assert drawn(0, "", 0, 2, Constant(value), dtype).tobytes() == 2 * expected

    @pytest.mark.parametrize("dtype", [n for n, d in DTYPES.items() if not d.is_float])
    def test_integers_are_exact(self, dtype: str) -> None:
        for value in (0, 1, int(DTYPES[dtype].largest)):
            assert drawn(0, "", 0, 3, Constant(value), dtype).tolist() == [value] * 3

    def test_infinity_and_nan_are_allowed_if_the_dtype_has_them(self) -> None:
        for dtype in ("float64", "float32", "bfloat16", "float16", "float8_e5m2"):
            values: Any = drawn(0, "", 0, 1, Constant(float("-inf")), dtype).astype(np.float64)
            assert values.tolist() == [float("-inf")]
            assert np.isnan(drawn(0, "", 0, 1, Constant(float("nan")), dtype).astype(np.float64)).all()
