"""What a source is, by its form, and the reader for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lecun_cli.derive.described_model import DescribedModel
from lecun_cli.derive.readers.json_text import read_json
from lecun_cli.derive.writing.derivation import Derivation, write_spec
from lecun_cli.errors import DeriveError

_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", re.ASCII)
_PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle", ".msgpack", ".npz", ".npy", ".pb")
_FORMS = (
    "a .safetensors file, a folder with *.safetensors.index.json, a .keras archive, a Keras or transformers "
    "config.json, an HDF5 file, or package.module:callable"
)


def derive_spec(source: str, *, keep_initializers: bool = False) -> Derivation:
    """A spec from a model or a checkpoint: the very names, shapes and dtypes of it.

    Args:
        source: A file, a folder, or `package.module:callable`, which is imported and called.
        keep_initializers: Whether kernels keep the initializers that the source names; else they
            become lecun_normal.

    Raises:
        DeriveError: There is no such source, it is damaged, or no spec can hold it.
    """
    path = Path(source)
    try:
        exists = path.exists()
    except (OSError, ValueError):  # a name that no file can have
        exists = False
    if exists:
        described = _read(path, keep_initializers)
    elif _CALLABLE.match(source):
        from lecun_cli.derive.readers.callables import from_callable

        described = from_callable(source, keep_initializers=keep_initializers)
    else:
        raise DeriveError(
            f"there is no {source} to derive a spec from", help=_spec_help(source) or f"give {_FORMS}"
        )
    return write_spec(described, source)


def _read(path: Path, keep_initializers: bool) -> DescribedModel:
    if path.is_dir():
        return _folder(path, keep_initializers)
    if not path.is_file():
        raise DeriveError(f"{path} is a pipe or a device, and a source is a file", help=f"give {_FORMS}")
    name = path.name.lower()
    if name.endswith(_PICKLES):
        raise DeriveError(
            f"{path} is no file that is read here: a pickle runs code when it is opened",
            help="save it as safetensors (safetensors.torch.save_file), or give package.module:callable",
        )
    if name.endswith(".json"):
        return _json(path, keep_initializers)
    for suffix, reader in _READERS.items():
        if name.endswith(suffix):
            return reader(path, keep_initializers)
    content_suffix = _by_content(path)
    if content_suffix is None:
        raise DeriveError(
            f"{path} is of no kind that is known here", help=_spec_help(str(path)) or f"give {_FORMS}"
        )
    return _READERS[content_suffix](path, keep_initializers)


def _spec_help(source: str) -> str | None:
    from lecun_cli.spec.advice import names_spec

    advice = f"it is a spec already: lecun-init plan {source} shows what it makes"
    return advice if names_spec(source) else None


def _by_content(path: Path) -> str | None:
    """The suffix that a file should have had, by its first bytes."""
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return ".h5"
    if start.startswith(b"PK\x03\x04"):
        return ".keras"
    return ".safetensors" if start[8:] == b"{" else None


def _folder(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers import weight_files

    try:
        names = sorted(p.name for p in path.iterdir())
    except OSError as error:
        raise DeriveError(f"{path} cannot be read: {error.strerror or error}") from error
    indices = [n for n in names if n.endswith(weight_files.INDEX)]
    files = [n for n in names if n.endswith(".safetensors")]
    for matching, reader in ((indices, weight_files.from_index), (files, weight_files.from_safetensors)):
        if len(matching) > 1:
            raise DeriveError(
                f"{path} holds {len(matching)} checkpoints: {', '.join(matching[:5])}", help="name one"
            )
        if matching:
            return _weights(reader(path / matching[0]), keep_initializers)
    if "config.json" in names:
        return _json(path / "config.json", keep_initializers)
    raise DeriveError(f"{path} holds no checkpoint and no config.json", help=f"give {_FORMS}")


def _json(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers import weight_files

    config = read_json(path, what=str(path))
    if "weight_map" in config:
        return _weights(weight_files.from_index(path), keep_initializers)
    if "class_name" in config:
        from lecun_cli.derive.readers.keras_config import from_config

        return from_config(config, str(path), keep_initializers=keep_initializers)
    if "model_type" in config or "architectures" in config:
        from lecun_cli.derive.readers.transformers_config import from_transformers

        return from_transformers(config, path, keep_initializers=keep_initializers)
    raise DeriveError(
        f"{path} is no config of Keras, none of transformers, and no index of shards",
        help="model.to_json() writes that of a Keras model",
    )


def _weights(described: DescribedModel, keep_initializers: bool) -> DescribedModel:
    """What a file of weights gives, which names no initializers."""
    if not keep_initializers:
        return described
    warning = "a file of weights does not name its initializers, so none could be kept"
    return replace(described, warnings=(*described.warnings, warning))


def _safetensors(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.weight_files import from_safetensors

    return _weights(from_safetensors(path), keep_initializers)


def _hdf5(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.weight_files import from_hdf5

    return _weights(from_hdf5(path), keep_initializers)


def _keras_weights(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.keras_weights_file import from_keras_weights

    return _weights(from_keras_weights(path), keep_initializers)


def _keras_archive(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.keras_archive import read_config
    from lecun_cli.derive.readers.keras_config import from_config

    return from_config(read_config(path), str(path), keep_initializers=keep_initializers)


_READERS: dict[str, Callable[[Path, bool], DescribedModel]] = {
    ".safetensors": _safetensors,
    ".weights.h5": _keras_weights,
    ".h5": _hdf5,
    ".hdf5": _hdf5,
    ".keras": _keras_archive,
}
