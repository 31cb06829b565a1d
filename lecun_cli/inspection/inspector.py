"""What is in a weight file, ours or anybody's: statistics of every tensor, held against its law."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.display.tables import MOST_ROWS, Row, Table, TableRepr
from lecun_cli.display.text import counted
from lecun_cli.initializers.fans import Shape
from lecun_cli.inspection import tensor_verdict
from lecun_cli.inspection.expected import Expected, limits_of
from lecun_cli.inspection.tensor_verdict import Finding, Judgment
from lecun_cli.inspection.weight_sources import Source, SourceTensor, find
from lecun_cli.output import engine

if TYPE_CHECKING:
    from lecun_cli.inspection.measured import Sample, Statistics
    from lecun_cli.inspection.standard import Standardized
    from lecun_cli.inspection.tally import Tally


@dataclass(frozen=True)
class TensorReport:
    """One tensor of a file.

    Attributes:
        name: Its name; the manifest's where there is one.
        file: The name of its file.
        dtype: As the file says it.
        shape: Its shape, outermost axis first.
        nbytes: Its length in the file, in bytes.
        expected: The law that it is held against, or None where that is not known.
        statistics: What its values are; None where it is empty or holds no numbers.
        judgment: The findings, worst first.
        standard: Its values in units of the std that is asked for; only where asked for, and of weights.
    """

    name: str
    file: str
    dtype: str
    shape: Shape
    nbytes: int
    expected: Expected | None
    statistics: Statistics | None
    judgment: Judgment
    standard: Standardized | None = None

    @property
    def verdict(self) -> str:
        """The worst of its findings, one of `VERDICTS`."""
        return self.judgment.findings[0].verdict

    @property
    def is_bad(self) -> bool:
        """Whether something is wrong with it."""
        return any(finding.is_bad for finding in self.judgment.findings)

    @property
    def ratio(self) -> float | None:
        """Its std over the std that its law asks for; None without a law that has one."""
        if self.statistics is None or self.expected is None or not self.expected.is_random:
            return None
        return self.statistics.std / self.expected.distribution.std


@dataclass(frozen=True, repr=False)
class Inspection(TableRepr):
    """What was found in a path.

    Attributes:
        path: As it was given.
        files: The weight files.
        tensors: Their tensors, in the order of files and offsets.
        level: A tensor is bad where a p-value is below: `LEVEL` over the number of weights that are tested.
        warnings: What could not be known, and why.
    """

    path: str
    files: tuple[str, ...]
    tensors: tuple[TensorReport, ...]
    level: float
    warnings: tuple[str, ...]

    @property
    def bad(self) -> tuple[TensorReport, ...]:
        """The tensors with which something is wrong."""
        return tuple(tensor for tensor in self.tensors if tensor.is_bad)

    @property
    def nbytes(self) -> int:
        """Bytes of the tensors in the files."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with any tensor."""
        return not self.bad

    def table(self) -> Table:
        """What `repr`, rich and notebooks show: the tensors, and what is wrong with them."""
        outcome = f"{len(self.bad):,} with a fault" if self.bad else "no fault"
        title = f"Inspection of {self.path}: {counted(len(self.tensors), 'tensor')}, {outcome}"
        rows = tuple(_row(tensor) for tensor in self.tensors[:MOST_ROWS])
        return Table(title, ("tensor", "dtype", "shape", "std", "verdict", "why"), rows, len(self.tensors))


def _row(tensor: TensorReport) -> Row:
    std = "" if tensor.statistics is None else f"{tensor.statistics.std:.4g}"
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    return (tensor.name, tensor.dtype, shape, std, tensor.verdict, tensor.judgment.findings[0].reason)


def inspect(
    path: str | Path,
    *,
    match: Sequence[str] = (),
    use_manifest: bool = True,
    standard: bool = False,
    workers: int | None = None,
    progress: engine.Progress | None = None,
) -> Inspection:
    """Read a weight file once and hold every tensor against its law, in bounded memory.

    The law is the manifest's where one stands beside the file and fits it. Else it is LeCun normal, with
    the fan-in of the layer kind that `derive` recognises. What is found does not depend on `workers`.

    Args:
        path: A safetensors, HDF5 or Keras weight file, a manifest, an index of shards, or a folder.
        match: Globs over names; only tensors that one of them matches are read.
        use_manifest: Whether the law that a manifest states is believed.
        standard: Whether to keep what a picture needs.
        workers: Threads.
        progress: Told the bytes done so far and the tensor at work.

    Raises:
        UsageError: There is no weight file, or no tensor matches.
        WeightFileError: A file is damaged.
        ManifestError: The path is a manifest, and a damaged one.
    """
    source = find(path, use_manifest=use_manifest).matching(match)
    return inspect_source(source, standard=standard, workers=workers, progress=progress)


def inspect_source(
    source: Source,
    *,
    standard: bool = False,
    workers: int | None = None,
    progress: engine.Progress | None = None,
) -> Inspection:
    """Inspect what was found; see `inspect`.

    Args:
        source: From `find`.
        standard: Whether to keep what a picture needs.
        workers: Threads.
        progress: Told the bytes done so far and the tensor at work.

    Raises:
        WeightFileError: A file is damaged.
    """
    level = _level(source.tensors)
    workers = engine.default_workers() if workers is None else workers
    reports = tuple(_reports(source.tensors, level, standard, workers, progress))
    return Inspection(source.path, tuple(file.name for file in source.files), reports, level, source.warnings)


def _level(chosen: tuple[SourceTensor, ...]) -> float:
    """Bonferroni: with a thousand tensors, one p-value in a thousand is no surprise."""
    tested = sum(t.expected is not None and t.expected.is_random for t in chosen)
    return tensor_verdict.LEVEL / max(1, tested)


def _reports(
    chosen: tuple[SourceTensor, ...],
    level: float,
    standard: bool,
    workers: int,
    progress: engine.Progress | None,
) -> Iterator[TensorReport]:
    from lecun_cli.inspection.chunk_reader import ReadChunk, read_chunks, storage_of
    from lecun_cli.inspection.measured import Sample, fingerprint
    from lecun_cli.inspection.scan import scan

    dtypes = [storage_of(tensor.stored) for tensor in chosen]
    limits = [
        limits_of(tensor.expected, "float64" if dtype is None or not dtype.is_float else dtype.name)
        for tensor, dtype in zip(chosen, dtypes, strict=True)
    ]

    def parts() -> Iterator[ReadChunk]:
        for i, tensor in enumerate(chosen):
            dtype = dtypes[i]
            if dtype is not None:
                yield from read_chunks(i, tensor.path, tensor.stored, dtype)

    scanned = scan(parts(), limits.__getitem__, workers, progress)
    ready = next(scanned, None)
    seen: dict[bytes, SourceTensor] = {}
    for i, tensor in enumerate(chosen):
        if ready is None or ready[0] != i:
            yield _unread(tensor, dtypes[i] is None)
            continue
        tally, first = ready[1], None
        sample = Sample(tally)
        if _may_repeat(tensor, tally):
            first = seen.setdefault(fingerprint(tally, sample), tensor)
        yield _report(tensor, tally, sample, limits[i], level, standard, None if first is tensor else first)
        ready = next(scanned, None)


def _may_repeat(tensor: SourceTensor, tally: Tally) -> bool:
    """Whether equal values would be no accident: weights, and enough of them."""
    return tensor.expected is not None and tensor.expected.is_random and tally.n_elements >= 32


def _unread(tensor: SourceTensor, unknown: bool) -> TensorReport:
    stored = tensor.stored
    if unknown:
        finding = Finding("not read", f"{stored.dtype} is no dtype whose values are read here")
    else:
        finding = Finding("empty", "it has no elements")
    return TensorReport(
        tensor.name, tensor.path.name, stored.dtype, stored.shape, stored.nbytes, None, None,
        Judgment((finding,)),
    )  # fmt: skip


def _report(
    tensor: SourceTensor,
    tally: Tally,
    sample: Sample,
    limits: tuple[float, float],
    level: float,
    standard: bool,
    first: SourceTensor | None,
) -> TensorReport:
    from lecun_cli.inspection.measured import measure
    from lecun_cli.inspection.standard import standardize

    expected, stored = tensor.expected, tensor.stored
    is_random = expected is not None and expected.is_random
    reach = expected.distribution.bound if expected is not None and is_random else None
    statistics = measure(tally, sample, limits, reach)
    judgment = tensor_verdict.judge(statistics, sample, expected, stored.shape, level)
    if first is not None and statistics.minimum != statistics.maximum:
        judgment = tensor_verdict.with_repeated(judgment, tensor.expected, first.expected, first.name)
    kept = None
    if standard and expected is not None and is_random and statistics.n_finite:
        kept = standardize(sample, expected.distribution)
    return TensorReport(
        tensor.name, tensor.path.name, stored.dtype, stored.shape, stored.nbytes, expected, statistics,
        judgment, kept,
    )  # fmt: skip
