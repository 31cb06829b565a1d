"""Derive a spec from a source: recognize the kind of source and call its reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from lecun_cli.derive.described_model import DescribedModel
from lecun_cli.derive.readers.json_config import read_json
from lecun_cli.derive.readers.messages import initializers_not_kept
from lecun_cli.derive.writing.derivation import Derivation, write_spec
from lecun_cli.errors import DeriveError, UsageError, WeightFileError
from lecun_cli.formats.checkpoint import INDEX_SUFFIX, KERAS_ARCHIVE, find_checkpoint, recognize_file

_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*\Z", re.ASCII)
_HELP = (
    "give a .safetensors file, a folder with *.safetensors.index.json, a .keras archive, a Keras or "
    "transformers config.json, an HDF5 file, or package.module:callable"
)


def derive_spec(source: str, *, keep_initializers: bool = False) -> Derivation:
    """Derive a spec from a model or checkpoint, with exactly the same names, shapes and dtypes.

    Args:
        source: A file, a folder, or `package.module:callable`, which is imported and called.
        keep_initializers: If true, kernels keep the initializers that the source names; otherwise they
            become lecun_normal.

    Returns:
        The spec, its plan and warnings.

    Raises:
        DeriveError: The source does not exist or is corrupt, or a spec cannot describe it.

    Example:
        >>> import json
        >>> config = {"name": "hidden", "units": 8, "batch_shape": [None, 4]}
        >>> model = {"class_name": "Sequential", "config": [{"class_name": "Dense", "config": config}]}
        >>> _ = Path("config.json").write_text(json.dumps(model))
        >>> print(derive_spec("config.json").text.splitlines()[-1])
          - {type: dense, name: hidden, in_features: 4, out_features: 8}
    """
    path = Path(source)
    try:
        exists = path.exists()
    except (OSError, ValueError):  # not a valid file name
        exists = False
    if exists:
        described = _read(path, keep_initializers)
    elif _CALLABLE.match(source):
        from lecun_cli.derive.readers.callables import from_callable

        described = from_callable(source, keep_initializers=keep_initializers)
    else:
        raise DeriveError(
            f"cannot derive a spec from {source}: it does not exist", help=_spec_help(source) or _HELP
        )
    return write_spec(described, source)


def _read(path: Path, keep_initializers: bool) -> DescribedModel:
    if path.is_dir():
        return _folder(path, keep_initializers)
    if not path.is_file():
        raise DeriveError(f"{path} is a pipe or a device, not a file", help=_HELP)
    if path.name.lower().endswith(".json"):
        return _json(path, keep_initializers)
    try:
        file_type = recognize_file(path)
    except WeightFileError as error:
        raise DeriveError(error.message, help=error.help) from error
    except UsageError as error:
        raise DeriveError(error.message, help=f"{error.help}, or give package.module:callable") from error
    if file_type is None:
        raise DeriveError(f"{path}: unrecognized file type", help=_spec_help(str(path)) or _HELP)
    return _READERS.get(file_type.name, _weight_file)(path, keep_initializers)


def _spec_help(source: str) -> str | None:
    from lecun_cli.spec.advice import names_spec

    advice = f"it is already a spec; lecun-init plan {source} lists its tensors"
    return advice if names_spec(source) else None


def _folder(path: Path, keep_initializers: bool) -> DescribedModel:
    try:
        checkpoint = find_checkpoint(path, ("safetensors",))
    except UsageError as error:
        raise DeriveError(error.message, help=error.help) from error
    if checkpoint is not None:
        return _read(checkpoint, keep_initializers)
    config = path / "config.json"
    if config.is_file():
        return _json(config, keep_initializers)
    raise DeriveError(f"{path} contains neither a checkpoint nor a config.json", help=_HELP)


def _json(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers import weight_files

    if path.name.endswith(INDEX_SUFFIX):
        return _weights(weight_files.from_index(path), keep_initializers)
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
        f"{path} is neither a config of Keras or transformers nor a shard index",
        help="write the config of a Keras model with model.to_json()",
    )


def _weights(described: DescribedModel, keep_initializers: bool) -> DescribedModel:
    """Add a warning if initializers should be kept, since a weight file does not name them."""
    if not keep_initializers:
        return described
    return replace(described, warnings=(*described.warnings, initializers_not_kept("a weight file")))


def _weight_file(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.weight_files import from_weight_file

    return _weights(from_weight_file(path), keep_initializers)


def _keras_weights(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.keras_weights_file import from_keras_weights

    return _weights(from_keras_weights(path), keep_initializers)


def _keras_archive(path: Path, keep_initializers: bool) -> DescribedModel:
    from lecun_cli.derive.readers.keras_archive import read_config
    from lecun_cli.derive.readers.keras_config import from_config

    return from_config(read_config(path), str(path), keep_initializers=keep_initializers)


_READERS: dict[str, Callable[[Path, bool], DescribedModel]] = {
    "keras": _keras_weights,
    KERAS_ARCHIVE.name: _keras_archive,
}
"""Readers of file types that say more than names, shapes and dtypes, by `FileType.name`."""
