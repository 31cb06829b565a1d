"""Inspect any weight file: compare the statistics of every tensor with its expected distribution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lecun_cli.display.tables import MOST_ROWS, Row, Table, TableRepr
from lecun_cli.display.text import counted, shape_text
from lecun_cli.initializers.fans import Shape
from lecun_cli.inspection import tensor_verdict
from lecun_cli.inspection.expected import Expected, limits_of
from lecun_cli.inspection.tensor_verdict import Finding, Judgment
from lecun_cli.inspection.weight_sources import Source, SourceTensor, find_source
from lecun_cli.output import engine

if TYPE_CHECKING:
    from lecun_cli.inspection.standardization import Standardized
    from lecun_cli.inspection.tally import Tally
    from lecun_cli.inspection.tensor_statistics import Sample, Statistics


@dataclass(frozen=True)
class TensorReport:
    """Report on one tensor of a file.

    Attributes:
        name: Name in the manifest if there is one, else in the file.
        file: Name of the file.
        dtype: Dtype as the file states it.
        shape: Shape, outermost axis first.
        nbytes: Size in the file in bytes.
        expected: The expected distribution, or None if it is unknown.
        statistics: Statistics of its values; None if it is empty or not numeric.
        judgment: Findings, worst first.
        standard: Values in units of the expected std, for plots; None unless requested, and for constants.
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
        """The verdict of the worst finding, one of `VERDICTS`."""
        return self.judgment.findings[0].verdict

    @property
    def is_bad(self) -> bool:
        """If true, the tensor has a bad finding."""
        return any(finding.is_bad for finding in self.judgment.findings)

    @property
    def ratio(self) -> float | None:
        """The std over the expected std; None unless a continuous distribution is expected."""
        if self.statistics is None or self.expected is None or not self.expected.is_random:
            return None
        return self.statistics.std / self.expected.distribution.std


@dataclass(frozen=True, repr=False)
class Inspection(TableRepr):
    """Result of an inspection.

    Attributes:
        path: The path as the caller passed it.
        files: Names of the weight files.
        tensors: Reports on their tensors, in the order of files and offsets.
        level: Significance level: p-values below it are bad. It is `LEVEL` over the number of tested tensors.
        warnings: Missing knowledge and its reasons.
    """

    path: str
    files: tuple[str, ...]
    tensors: tuple[TensorReport, ...]
    level: float
    warnings: tuple[str, ...]

    @property
    def bad(self) -> tuple[TensorReport, ...]:
        """The tensors with a bad finding."""
        return tuple(tensor for tensor in self.tensors if tensor.is_bad)

    @property
    def nbytes(self) -> int:
        """Total size of the tensors in bytes."""
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def ok(self) -> bool:
        """If true, no tensor has a bad finding."""
        return not self.bad

    def table(self) -> Table:
        """Return the table that `repr`, rich and notebooks show: the tensors and their worst findings."""
        outcome = f"{len(self.bad):,} with problems" if self.bad else "no problems"
        title = f"Inspection of {self.path}: {counted(len(self.tensors), 'tensor')}, {outcome}"
        rows = tuple(_row(tensor) for tensor in self.tensors[:MOST_ROWS])
        return Table(title, ("tensor", "dtype", "shape", "std", "verdict", "why"), rows, len(self.tensors))


def _row(tensor: TensorReport) -> Row:
    std = "" if tensor.statistics is None else f"{tensor.statistics.std:.4g}"
    shape = shape_text(tensor.shape)
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
    """Read a weight file once and compare every tensor with its expected distribution, in bounded memory.

    The manifest next to the file states the expected distributions. Without a matching manifest, they are
    LeCun normal with the fan-in of the layer type that `derive` recognizes. The result does not depend on
    `workers`.

    Args:
        path: A safetensors, HDF5 or Keras weight file, a manifest, a shard index, or a folder.
        match: Globs for tensor names; only matching tensors are read. If empty, all are read.
        use_manifest: If false, ignore manifests.
        standard: If true, keep the standardized values that plots need.
        workers: Number of threads; by default one per CPU core, at most 8.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Raises:
        UsageError: The path does not exist or contains no weight file, or no tensor matches.
        WeightFileError: A file is corrupt or cannot be read.
        ManifestError: The path is an invalid manifest.

    Example:
        >>> layer = "{type: dense, name: hidden, in_features: 64, out_features: 64}"
        >>> spec = parse_spec("{seed: 1, framework: keras, layers: [" + layer + "]}")
        >>> result = generate(make_plan(spec), "weights.safetensors")
        >>> [(tensor.name, tensor.verdict) for tensor in inspect("weights.safetensors").tensors]
        [('hidden/bias', 'constant'), ('hidden/kernel', 'ok')]
    """
    source = find_source(path, use_manifest=use_manifest).matching(match)
    return inspect_source(source, standard=standard, workers=workers, progress=progress)


def inspect_source(
    source: Source,
    *,
    standard: bool = False,
    workers: int | None = None,
    progress: engine.Progress | None = None,
) -> Inspection:
    """Inspect the tensors of a source; see `inspect`.

    Args:
        source: Files and tensors, from `find_source`.
        standard: If true, keep the standardized values that plots need.
        workers: Number of threads.
        progress: Callback `(bytes_done, tensor_name)`, called periodically.

    Raises:
        WeightFileError: A file is corrupt or cannot be read.
    """
    level = _level(source.tensors)
    workers = engine.default_workers() if workers is None else workers
    reports = tuple(_reports(source.tensors, level, standard, workers, progress))
    return Inspection(source.path, tuple(file.name for file in source.files), reports, level, source.warnings)


def _level(chosen: tuple[SourceTensor, ...]) -> float:
    """Return the Bonferroni-corrected level: among 1,000 tensors, a p-value of 0.001 is expected."""
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
    from lecun_cli.inspection.scan import scan
    from lecun_cli.inspection.tensor_statistics import Sample, fingerprint

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
    first_by_fingerprint: dict[bytes, SourceTensor] = {}
    for i, tensor in enumerate(chosen):
        if ready is None or ready[0] != i:
            yield _unread(tensor, dtypes[i] is None)
            continue
        tally, first = ready[1], None
        sample = Sample(tally)
        if _may_repeat(tensor, tally):
            first = first_by_fingerprint.setdefault(fingerprint(tally, sample), tensor)
        yield _report(tensor, tally, sample, limits[i], level, standard, None if first is tensor else first)
        ready = next(scanned, None)


def _may_repeat(tensor: SourceTensor, tally: Tally) -> bool:
    """Return whether duplicate values would be suspicious: the tensor has enough random weights."""
    return tensor.expected is not None and tensor.expected.is_random and tally.n_elements >= 32


def _unread(tensor: SourceTensor, unknown: bool) -> TensorReport:
    stored = tensor.stored
    if unknown:
        finding = Finding("not read", f"values of dtype {stored.dtype} are not supported")
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
    from lecun_cli.inspection.standardization import standardize
    from lecun_cli.inspection.tensor_statistics import measure

    expected, stored = tensor.expected, tensor.stored
    is_random = expected is not None and expected.is_random
    reach = expected.distribution.bound if expected is not None and is_random else None
    statistics = measure(tally, sample, limits, reach)
    judgment = tensor_verdict.judge(statistics, sample, expected, stored.shape, level)
    if first is not None and statistics.minimum != statistics.maximum:
        judgment = tensor_verdict.with_repeated(judgment, tensor.expected, first.expected, first.name)
    standardized = None
    if standard and expected is not None and is_random and statistics.n_finite:
        standardized = standardize(sample, expected.distribution)
    return TensorReport(
        tensor.name, tensor.path.name, stored.dtype, stored.shape, stored.nbytes, expected, statistics,
        judgment, standardized,
    )  # fmt: skip
