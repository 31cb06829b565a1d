"""The C kernel draws the bits of the NumPy code."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import sysconfig
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lecun_cli.dtypes import DTYPES, FLOAT_DTYPES
from lecun_cli.initializers.distributions import Distribution, TruncatedNormal, Uniform
from lecun_cli.stream._kernel import bindings, loader
from lecun_cli.stream.fill import _fill
from lecun_cli.stream.philox import BlockReader, stream_key
from lecun_cli.stream.sampler import Sampler, make_sampler
from lecun_cli.stream.scratch import Scratch
from tests.stream import reference

OFF = os.environ.get(loader.SWITCH) == "0"
DISTRIBUTIONS = (TruncatedNormal(0.1), Uniform(-0.3, 0.3), Uniform(-0.1, 0.7))
KEY = stream_key(42, "hidden/kernel")
CAN_BUILD = shutil.which("cc") is not None and (Path(sysconfig.get_path("include")) / "Python.h").exists()
needs_kernel = pytest.mark.skipif(
    loader.load().module is None and (OFF or not CAN_BUILD),
    reason="the kernel is not built, or it is switched off as in the first run of `make test`",
)


def by_numpy(sampler: Sampler, start: int, n: int) -> bytes:
    out = np.empty(n, sampler.dtype.numpy())
    _fill(out, sampler, BlockReader(KEY), start, Scratch())
    return out.tobytes()


class TestSwitch:
    def test_the_environment_turns_it_off(self) -> None:
        code = "from lecun_cli.stream._kernel.loader import load; print(load().state)"
        env = {**os.environ, loader.SWITCH: "0"}
        ran = subprocess.run(
            [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True
        )
        assert ran.stdout == "NumPy (LECUN_INIT_KERNEL=0)\n"

    def test_a_kernel_that_draws_other_bits_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(loader, "_EXPECTED", "0" * 64)
        monkeypatch.delenv(loader.SWITCH, raising=False)
        loaded = loader.load.__wrapped__()
        assert loaded.module is None
        assert loaded.state.startswith("NumPy")

    def test_a_kernel_of_another_release_is_not_used(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from lecun_cli.stream import _kernel

        older = types.ModuleType("lecun_cli.stream._kernel._native")
        monkeypatch.setitem(sys.modules, "lecun_cli.stream._kernel._native", older)
        monkeypatch.setattr(_kernel, "_native", older, raising=False)
        monkeypatch.delenv(loader.SWITCH, raising=False)
        assert loader.load.__wrapped__().module is None

    def test_the_expected_digest_is_that_of_numpy(self) -> None:
        import hashlib

        digest = hashlib.sha256()
        for name in loader.DTYPE_CODES:
            wide = name == "float64"
            scalar = np.float64 if wide else np.float32
            for normal, center in ((True, None), (False, None), (False, scalar(0.0625))):
                sampler = Sampler(
                    DTYPES[name],
                    scalar,
                    np.dtype("<i8" if wide else "<i4"),
                    scalar(2.0**-63 if wide else 2.0**-31),
                    scalar(0.05),
                    center,
                    scalar(-0.25),
                    scalar(0.125),
                    normal=normal,
                )
                out = np.empty(1003, sampler.dtype.numpy())
                _fill(out, sampler, BlockReader((1, 2)), 5, Scratch())
                digest.update(out.tobytes())
        assert digest.hexdigest() == loader._EXPECTED


@needs_kernel
class TestKernel:
    def test_is_built(self) -> None:
        assert loader.load().state == "C kernel"

    @pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=str)
    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    @settings(max_examples=20)
    @given(start=st.integers(0, 2**62), n=st.integers(1, 5000))
    def test_draws_the_bits_of_numpy(
        self, distribution: Distribution, dtype: str, start: int, n: int
    ) -> None:
        sampler = make_sampler(distribution, DTYPES[dtype])
        out = np.empty(n, sampler.dtype.numpy())
        assert bindings.draw(out, sampler, KEY, start, (1,))
        assert out.tobytes() == by_numpy(sampler, start, n)

    @pytest.mark.parametrize("dtype", FLOAT_DTYPES)
    def test_draws_the_bits_of_the_plain_reference(self, dtype: str) -> None:
        for distribution in DISTRIBUTIONS:
            sampler = make_sampler(distribution, DTYPES[dtype])
            out = np.empty(40, sampler.dtype.numpy())
            assert bindings.draw(out, sampler, KEY, 2**40 + 3, (1,))
            assert out.tobytes() == reference.weights(42, "hidden/kernel", 2**40 + 3, 40, distribution, dtype)

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float8_e5m2", "float64"])
    @settings(max_examples=60)
    @given(data=st.data())
    def test_boxes_of_any_strides_are_parts_of_the_whole(self, dtype: str, data: st.DataObject) -> None:
        sizes = st.one_of(st.integers(1, 6), st.sampled_from([64, 65, 130]))
        shape = data.draw(st.lists(sizes, min_size=1, max_size=3).map(tuple))
        starts = [data.draw(st.integers(0, n - 1)) for n in shape]
        stops = [data.draw(st.integers(a + 1, n)) for a, n in zip(starts, shape, strict=True)]
        order = data.draw(st.permutations(range(len(shape))))
        flips = [axis for axis in range(len(shape)) if data.draw(st.booleans())]

        sampler = make_sampler(DISTRIBUTIONS[0], DTYPES[dtype])
        n = int(np.prod(shape))
        whole = np.frombuffer(by_numpy(sampler, 0, n), sampler.dtype.numpy()).reshape(shape)
        dims = [b - a for a, b in zip(starts, stops, strict=True)]
        stored = np.empty([dims[axis] for axis in order], sampler.dtype.numpy())
        view = np.flip(stored.transpose(np.argsort(order)), tuple(flips))
        counts = tuple(int(np.prod(shape[k + 1 :])) for k in range(len(shape)))
        first = sum(a * count for a, count in zip(starts, counts, strict=True))
        assert bindings.draw(view, sampler, KEY, first, counts)
        box = tuple(slice(a, b) for a, b in zip(starts, stops, strict=True))
        assert view.tobytes() == whole[box].tobytes()

    def test_unaligned_bytes_are_the_same(self) -> None:
        sampler = make_sampler(DISTRIBUTIONS[0], DTYPES["float32"])
        out = np.empty(4 * 3001 + 1, np.uint8)[1:].view("<f4")
        assert bindings.draw(out, sampler, KEY, 5, (1,))
        assert out.tobytes() == by_numpy(sampler, 5, 3001)

    def test_runs_of_one_buffer_have_the_same_bits(self) -> None:
        sampler = make_sampler(DISTRIBUTIONS[0], DTYPES["bfloat16"])
        out = np.zeros(5000, np.uint8)
        packed = bindings.packed_sampler(sampler)
        runs = [
            bindings.packed_run(packed, KEY, start, offset, n)
            for start, offset, n in ((0, 0, 1), (7, 3, 900), (2**40, 2000, 1500))
        ]
        bindings.draw_runs(out, runs)
        assert out[0:2].tobytes() == by_numpy(sampler, 0, 1)
        assert out[3:1803].tobytes() == by_numpy(sampler, 7, 900)
        assert out[2000:].tobytes() == by_numpy(sampler, 2**40, 1500)
        assert not out[1803:2000].any()

    @pytest.mark.parametrize(
        "run",
        [
            struct.pack("=5Q2i4d", 0, 11, 0, 1, 2, 0, 1, 1, 0, 0, 0),  # beyond the end
            struct.pack("=5Q2i4d", 41, 1, 0, 1, 2, 0, 1, 1, 0, 0, 0),
            struct.pack("=5Q2i4d", 0, 2**62, 0, 1, 2, 0, 1, 1, 0, 0, 0),
            struct.pack("=5Q2i4d", 0, 0, 0, 1, 2, 0, 1, 1, 0, 0, 0),  # empty
            struct.pack("=5Q2i4d", 0, 1, 0, 1, 2, 3, 1, 1, 0, 0, 0),  # unknown distribution
            struct.pack("=5Q2i4d", 0, 1, 0, 1, 2, 0, 6, 1, 0, 0, 0),  # unknown dtype
            bytes(79),
        ],
    )
    def test_invalid_runs_are_errors(self, run: bytes) -> None:
        out = np.zeros(40, np.uint8)
        with pytest.raises(ValueError, match="invalid run"):
            bindings.draw_runs(out, [run])
        assert not out.any()

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (((1, 2), 0, 1, 1), "expected the same number"),
            (((2,), 0, 1, 1), "a last axis that is contiguous"),
            (((1,), 3, 1, 1), "unknown distribution or dtype"),
            (((1,), 0, 6, 1), "unknown distribution or dtype"),
            (((1,), 0, 0, 1), "elements of the size of the dtype"),
            (((1,), 0, 1, 0), "at least one element"),
        ],
    )
    def test_invalid_arguments_are_errors(
        self, arguments: tuple[tuple[int, ...], int, int, int], message: str
    ) -> None:
        module = loader.load().module
        assert module is not None
        counts, distribution, dtype, n = arguments
        with pytest.raises(ValueError, match=message):
            module.draw(np.empty(n, np.uint32), 0, counts, (1, 2), distribution, dtype, (1.0, 0.0, 0.0, 0.0))
