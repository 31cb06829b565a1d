"""Read the network to propagate through: a spec, or a weight file whose layers are recognized."""

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
    """A network.

    Attributes:
        spec: The spec of its layers.
        weights: The file that contains their weights, or None if the weights are drawn.
        notes: Assumptions, for the user.
    """

    spec: Spec
    weights: Path | None = None
    notes: tuple[str, ...] = ()


def is_weights(path: str | Path) -> bool:
    """Return whether a path has the suffix of a weight file, or is a folder."""
    path = Path(path)
    return has_weight_suffix(path.name) or path.is_dir()


def read_network(path: str | Path, *, seed: int | None = None) -> Network:
    """Read the network of a path.

    Args:
        path: A spec, a weight file, an index of shards, or a folder that contains one of these.
        seed: Overrides the seed of the spec, or of the manifest next to the file.

    Raises:
        UsageError: The file does not exist, or a folder does not contain exactly one checkpoint.
        SpecError: The spec is not valid.
        DeriveError: The file contains a tensor that a spec cannot describe.
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
    order = "of the classes" if FORMATS["keras"].matches_name(file.name) else "of the names"
    note = (
        f"the layers were recognized from the file, in the order {order}; to set their order and their "
        "activations, give a spec and --weights FILE"
    )
    return Network(spec, file, (note, *derived.warnings))


def _in_folder(folder: Path) -> Path:
    """Return the one checkpoint of a folder: an index, or a file."""
    checkpoint = find_checkpoint(folder)
    if checkpoint is None:
        raise UsageError(f"{folder} contains no checkpoint", help="give the path of a weight file")
    return checkpoint


def _manifest_seed(file: Path) -> int | None:
    """Return the seed in the manifest next to a file, or None without a valid manifest."""
    from lecun_cli.manifest.reader import read_manifest

    beside = file.with_name(file.name + SUFFIX)
    try:
        return read_manifest(beside).seed if beside.is_file() else None
    except LecunInitError:
        return None  # only weights that are compared with the file need the seed
