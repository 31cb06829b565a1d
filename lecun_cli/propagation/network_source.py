"""What `propagate` is given: a spec, or a weight file whose layers are recognised."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lecun_cli.errors import LecunInitError, UsageError
from lecun_cli.formats import FORMATS
from lecun_cli.formats.checkpoint import find_checkpoint, has_weight_suffix
from lecun_cli.manifest.model import SUFFIX
from lecun_cli.spec.load import Spec, load_spec, parse_spec


@dataclass(frozen=True)
class Network:
    """What is walked.

    Attributes:
        spec: Its layers.
        weights: The file that their weights are read from, or None where they are drawn.
        notes: What was assumed.
    """

    spec: Spec
    weights: Path | None = None
    notes: tuple[str, ...] = ()


def is_weights(path: str | Path) -> bool:
    """Whether a path names weights, by its suffix, or a folder of them."""
    path = Path(path)
    return has_weight_suffix(path.name) or path.is_dir()


def read_network(path: str | Path, *, seed: int | None = None) -> Network:
    """The network that a path means.

    Args:
        path: A spec, a weight file, an index of shards, or a folder that holds one of these.
        seed: In place of that of the spec, or of the manifest beside the file.

    Raises:
        UsageError: There is no such file, or a folder holds no checkpoint, or several.
        SpecError: The spec has faults.
        DeriveError: The file holds what no spec can name.
    """
    if not is_weights(path):
        return Network(load_spec(str(path), seed=seed))
    from lecun_cli.derive import derive_spec

    if not Path(path).exists():
        raise UsageError(f"there is no weight file {path}", help="check the path, or give a spec")
    file = _in_folder(Path(path)) if Path(path).is_dir() else Path(path)
    derived = derive_spec(str(file))
    seed = _manifest_seed(file) if seed is None else seed
    spec = parse_spec(derived.text, str(file), seed=0 if seed is None else seed)
    order = "class by class" if FORMATS["keras"].matches_name(file.name) else "by name"
    note = (
        f"the layers are recognised in the file and follow each other {order}; a spec with --weights FILE "
        "gives their order and activations"
    )
    return Network(spec, file, (note, *derived.warnings))


def _in_folder(folder: Path) -> Path:
    """Return the one checkpoint of a folder: an index, or a file."""
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        raise UsageError(f"{folder} contains no checkpoint", help="give the path of a weight file")
    return checkpoint


def _manifest_seed(file: Path) -> int | None:
    """The seed in the manifest beside a file, if there is a sound one."""
    from lecun_cli.manifest.reader import read_manifest

    beside = file.with_name(file.name + SUFFIX)
    try:
        return read_manifest(beside).seed if beside.is_file() else None
    except LecunInitError:
        return None  # the seed is only for what is compared with the file
