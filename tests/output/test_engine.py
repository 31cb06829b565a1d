"""Tests of the engine: the bytes never depend on how they are generated, and no thread is left behind."""

from __future__ import annotations

import hashlib
import random
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest

from lecun_cli.dtypes import DTYPES
from lecun_cli.errors import OutputError, UsageError
from lecun_cli.formats import FORMATS
from lecun_cli.formats.segments import Extent, FileLayout, Literal
from lecun_cli.output import engine
from lecun_cli.output.destinations.base import PAGE_NBYTES
from lecun_cli.output.destinations.null import NullDestination
from lecun_cli.output.digests import Digests
from lecun_cli.tensors.arrays import lecun_normal
from lecun_cli.tensors.slices import slice_tensor
from tests.conftest import LAYERS, PLAIN, SEED, drawn, mixed_plan, plan_of, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lecun_cli.plan.types import Plan

CHUNKS = (32, 100, 1000, 4096, 2**20)
WORKERS = (1, 2, 3, 8)


class Memory:
    """A file in memory that counts how often every byte is written, and checks the order if sequential."""

    def __init__(self, nbytes: int, *, random_access: bool) -> None:
        self.random_access = random_access
        self.data = bytearray(nbytes)
        self.written = np.zeros(nbytes, np.uint8)
        self.at = 0
        self.threads: set[int] = set()

    def write(self, offset: int, data: memoryview) -> None:
        if not self.random_access:
            assert offset == self.at
            self.at += len(data)
        self.data[offset : offset + len(data)] = data
        self.written[offset : offset + len(data)] += 1
        self.threads.add(threading.get_ident())


def layout_of(plan: Plan, format_name: str) -> FileLayout:
    return FORMATS[format_name].layout(plan)


def bytes_of(
    layout: FileLayout, *, chunk_nbytes: int = 4096, workers: int = 2, random_access: bool = True
) -> bytes:
    memory = Memory(layout.nbytes, random_access=random_access)
    digests = engine.run(layout, SEED, memory, chunk_nbytes=chunk_nbytes, workers=workers)
    assert (memory.written == 1).all()
    assert digests.file == hashlib.sha256(memory.data).hexdigest()
    for extent in layout.extents:
        stored = memory.data[extent.offset : extent.offset + extent.nbytes]
        assert digests.tensors[extent.tensor.name] == hashlib.sha256(stored).hexdigest()
    assert len(digests.tensors) == len(layout.extents)
    return bytes(memory.data)


def expected_bytes(layout: FileLayout) -> bytes:
    """Return the file by its definition: literals, and tensors that are drawn in one go."""
    return b"".join(
        segment.data if isinstance(segment, Literal) else drawn(segment.tensor).tobytes()
        for segment in layout.segments
    )


def arrays_of(plan: Plan, format_name: str) -> dict[str, NDArray[np.generic]]:
    layout = layout_of(plan, format_name)
    data = bytes_of(layout)
    return {
        e.tensor.name: np.frombuffer(data, e.tensor.storage.numpy(), e.tensor.n_elements, e.offset).reshape(
            e.tensor.shape
        )
        for e in layout.extents
    }


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


class TestSameBytes:
    @pytest.mark.parametrize("format_name", PLAIN)
    @pytest.mark.parametrize("framework", ["keras", "torch"])
    @pytest.mark.parametrize("random_access", [True, False], ids=["anywhere", "in-order"])
    def test_for_every_chunk_size_and_number_of_workers(
        self, format_name: str, framework: str, random_access: bool
    ) -> None:
        layout = layout_of(mixed_plan(framework), format_name)
        expected = expected_bytes(layout)
        for chunk_nbytes in (*CHUNKS, layout.nbytes):
            for workers in WORKERS:
                data = bytes_of(
                    layout, chunk_nbytes=chunk_nbytes, workers=workers, random_access=random_access
                )
                assert data == expected, (chunk_nbytes, workers)

    @pytest.mark.parametrize("chunk_nbytes", [1, 7, 33, 63, 65, 127])
    def test_for_chunks_smaller_than_a_block(self, chunk_nbytes: int) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        assert bytes_of(layout, chunk_nbytes=chunk_nbytes) == expected_bytes(layout)

    @pytest.mark.parametrize("format_name", PLAIN)
    def test_for_layers_in_any_order(self, format_name: str) -> None:
        layers = list(LAYERS)
        expected = bytes_of(layout_of(mixed_plan(), format_name))
        for seed in range(4):
            random.Random(seed).shuffle(layers)
            assert bytes_of(layout_of(mixed_plan(layers=tuple(layers)), format_name)) == expected

    def test_for_a_tensor_alone_and_among_others(self) -> None:
        together = arrays_of(mixed_plan(), "safetensors")
        for layer in LAYERS:
            for name, alone in arrays_of(mixed_plan(layers=(layer,)), "safetensors").items():
                assert alone.tobytes() == together[name].tobytes()

    def test_for_both_formats_and_for_slices(self) -> None:
        plan = mixed_plan()
        one, other = (arrays_of(plan, name) for name in PLAIN)
        assert set(one) == set(other) == {t.name for t in plan.tensors}
        for name, values in one.items():
            assert values.tobytes() == other[name].tobytes()
            assert values.tobytes() == slice_tensor(plan, name).tobytes()

    def test_for_frameworks_up_to_the_order_of_axes(self) -> None:
        keras, torch = (arrays_of(mixed_plan(framework), "safetensors") for framework in ("keras", "torch"))
        assert np.array_equal(keras["hidden/kernel"].T, torch["hidden.weight"])
        assert np.array_equal(keras["conv/kernel"].transpose(3, 2, 0, 1), torch["conv.weight"])
        assert np.array_equal(keras["experts/kernel"].transpose(0, 2, 1), torch["experts.weight"])
        assert keras["words/embeddings"].tobytes() == torch["words.weight"].tobytes()
        assert keras["wide"].tobytes() == torch["wide"].tobytes()

    def test_from_the_function_lecun_normal(self) -> None:
        stored = arrays_of(mixed_plan(), "safetensors")["hidden/kernel"]
        weights = lecun_normal((29, 37), fan_in=37, seed=SEED, identity="hidden/kernel")
        assert np.array_equal(stored, weights.T)

    @pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float8_e4m3fn", "float8_e5m2"])
    def test_of_a_narrow_dtype_are_the_float32_ones_cast(self, dtype: str) -> None:
        text = (
            "seed: 5\ndtype: DTYPE\nlayers: [{type: dense, name: a, in_features: 300, out_features: 200}]\n"
        )
        single = arrays_of(plan_of(text.replace("DTYPE", "float32")), "safetensors")
        narrow = arrays_of(plan_of(text.replace("DTYPE", dtype)), "safetensors")
        for name, values in narrow.items():
            assert values.tobytes() == single[name].astype(DTYPES[dtype].numpy()).tobytes()

    def test_over_many_units_of_a_transposed_tensor(self) -> None:
        planned = tensor((500, 700), (1, 0), "bfloat16")
        layout = FileLayout("test", planned.nbytes, (Extent(0, planned),))
        assert bytes_of(layout, chunk_nbytes=50_000, workers=4) == drawn(planned).tobytes()

    def test_another_seed_makes_another_file(self) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        digests = {engine.run(layout, seed, NullDestination()).file for seed in (0, 1, 2**64 - 1)}
        assert len(digests) == 3


class TestThreads:
    def test_sequential_writes_come_from_one_thread(self) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        memory = Memory(layout.nbytes, random_access=False)
        engine.run(layout, SEED, memory, chunk_nbytes=64, workers=4)
        assert len(memory.threads) == 1

    def test_the_number_of_buffers_does_not_depend_on_the_size_of_the_file(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        allocated = []
        aligned = engine._aligned

        def counting(nbytes: int) -> NDArray[np.uint8]:
            allocated.append(nbytes)
            return aligned(nbytes)

        planned = tensor((1 << 19,), dtype="float8_e5m2")
        layout = FileLayout("test", planned.nbytes, (Extent(0, planned),))
        monkeypatch.setattr(engine, "_aligned", counting)
        engine.run(layout, SEED, Memory(layout.nbytes, random_access=False), chunk_nbytes=1000, workers=3)
        assert len(allocated) <= 3 + 4
        assert set(allocated) == {1000 + PAGE_NBYTES}

    @pytest.mark.parametrize("format_name", PLAIN)
    def test_bytes_are_aligned_to_pages_as_they_are_in_the_file(self, format_name: str) -> None:
        class Watching(NullDestination):
            def write(self, offset: int, data: memoryview) -> None:
                assert (np.frombuffer(data, np.uint8).ctypes.data - offset) % PAGE_NBYTES == 0

        engine.run(layout_of(mixed_plan(), format_name), SEED, Watching(), chunk_nbytes=1000)

    def test_a_slow_destination_blocks_the_workers(self) -> None:
        class Slow(Memory):
            def write(self, offset: int, data: memoryview) -> None:
                time.sleep(0.001)
                super().write(offset, data)

        layout = layout_of(mixed_plan(), "safetensors")
        slow = Slow(layout.nbytes, random_access=False)
        engine.run(layout, SEED, slow, chunk_nbytes=200, workers=4)
        assert slow.data == expected_bytes(layout)

    @pytest.mark.parametrize("random_access", [True, False])
    def test_never_deadlock(self, random_access: bool) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        expected = hashlib.sha256(expected_bytes(layout)).hexdigest()
        for i in range(25):
            memory = Memory(layout.nbytes, random_access=random_access)
            digests = engine.run(layout, SEED, memory, chunk_nbytes=32 + 8 * i, workers=1 + i % 8)
            assert digests.file == expected

    def test_an_empty_layout_is_done_at_once(self) -> None:
        digests = engine.run(FileLayout("test", 0, ()), SEED, NullDestination(), workers=3)
        assert digests == Digests(hashlib.sha256().hexdigest(), {})

    @pytest.mark.parametrize("workers", [0, -1, 257])
    def test_their_number_is_bounded(self, workers: int) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        with pytest.raises(UsageError, match=f"workers: expected 1 to 256, got {workers}"):
            engine.run(layout, SEED, NullDestination(), workers=workers)

    def test_by_default_are_as_many_as_cores_within_bounds(self) -> None:
        assert 1 <= engine.default_workers() <= 8


@dataclass
class Failing:
    """Raises in writes at or after the offset `at`."""

    at: int
    random_access: bool
    raised: int = 0

    def write(self, offset: int, data: memoryview) -> None:
        if offset + len(data) > self.at:
            self.raised += 1
            raise OutputError("the disk is on fire")


class TestDiagnostics:
    @pytest.mark.parametrize("random_access", [True, False])
    @pytest.mark.parametrize("workers", WORKERS)
    def test_of_the_destination_stop_the_run_and_are_raised_once(
        self, random_access: bool, workers: int
    ) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        for at in (0, 5000, layout.nbytes // 2, layout.nbytes - 1):
            failing = Failing(at, random_access)
            with pytest.raises(OutputError, match="the disk is on fire"):
                engine.run(layout, SEED, failing, chunk_nbytes=64, workers=workers)
            assert 1 <= failing.raised <= (2 if random_access else 1)

    def test_in_many_tiny_chunks_never_deadlock(self) -> None:
        layout = layout_of(mixed_plan(), "safetensors")
        for i in range(60):
            failing = Failing(layout.nbytes * i // 60, i % 2 == 0)
            with pytest.raises(OutputError):
                engine.run(layout, SEED, failing, chunk_nbytes=32, workers=1 + i % 8)

    def test_of_drawing_stop_the_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise MemoryError

        monkeypatch.setattr("lecun_cli.tensors.generator.TensorGenerator.draw_range", fail)
        with pytest.raises(MemoryError):
            engine.run(
                layout_of(mixed_plan(), "safetensors"), SEED, NullDestination(), chunk_nbytes=64, workers=3
            )

    def test_of_cutting_stop_the_run(self) -> None:
        broken = FileLayout("test", 100, (Literal(0, b"short"),))
        with pytest.raises(AssertionError, match="the chunks end before the 100 bytes of the file"):
            engine.run(broken, SEED, NullDestination(), workers=2)

    def test_of_starting_threads_stop_those_that_run(self, monkeypatch: pytest.MonkeyPatch) -> None:
        start = threading.Thread.start
        started: list[threading.Thread] = []

        def limited(thread: threading.Thread) -> None:
            if len(started) == 3:
                raise RuntimeError("can't start new thread")
            started.append(thread)
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", limited)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            engine.run(layout_of(mixed_plan(), "safetensors"), SEED, NullDestination(), workers=6)


class TestProgress:
    @pytest.mark.parametrize("random_access", [True, False])
    def test_rises_to_the_length_of_the_file(self, random_access: bool) -> None:
        reported: list[int] = []
        layout = layout_of(mixed_plan(), "hdf5")
        engine.run(
            layout,
            SEED,
            Memory(layout.nbytes, random_access=random_access),
            progress=lambda nbytes, _: reported.append(nbytes),
        )
        assert reported == sorted(reported)
        assert reported[-1] == layout.nbytes

    def test_is_reported_from_the_calling_thread(self) -> None:
        threads = set()
        layout = layout_of(mixed_plan(), "safetensors")
        engine.run(layout, SEED, NullDestination(), progress=lambda *_: threads.add(threading.get_ident()))
        assert threads == {threading.get_ident()}

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
    def test_an_exception_from_it_stops_the_run(self, error: type[BaseException]) -> None:
        class Waiting(NullDestination):
            """Takes so long that progress is reported in the middle."""

            written = 0

            def write(self, offset: int, data: memoryview) -> None:
                time.sleep(0.02)
                self.written += len(data)

        def interrupt(*_: object) -> None:
            raise error

        layout = layout_of(mixed_plan(), "safetensors")
        waiting = Waiting()
        with pytest.raises(error):
            engine.run(layout, SEED, waiting, chunk_nbytes=64, workers=2, progress=interrupt)
        assert waiting.written < layout.nbytes
