"""Read a transformers config: build the model that it names on the meta device, without weights."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from lecun_cli.derive.described_model import DescribedModel
from lecun_cli.derive.readers.messages import error_text
from lecun_cli.derive.readers.torch_module import from_module
from lecun_cli.display.text import quote
from lecun_cli.errors import DeriveError

MAX_COUNT = 10_000
_COUNT = re.compile(r"layers|experts|blocks|depth", re.IGNORECASE)


def from_transformers(config: dict[str, Any], path: Path, *, keep_initializers: bool) -> DescribedModel:
    """Return the layers of the model that a `config.json` names, as transformers would save it.

    Args:
        config: The parsed config.
        path: The file of the config.
        keep_initializers: Ignored with a warning; a module does not name its initializers.

    Raises:
        DeriveError: transformers is not installed, does not know the model, or cannot build it.
    """
    if "auto_map" in config:
        raise DeriveError(
            f"{path} refers to custom code (auto_map), which is not run",
            help="give package.module:callable, which builds the model, or its weight files",
        )
    for key, value in _numbers(config):
        if _COUNT.search(key) and value > MAX_COUNT:
            raise DeriveError(f"{key} in {path} is too large: expected at most {MAX_COUNT:,}, got {value:,}")
    model = _build_model(path)
    return from_module(model, str(path), keep_initializers=keep_initializers, left_out=_tied(model))


def _build_model(path: Path) -> Any:  # noqa: ANN401 - a transformers model
    """Build the model of a config on the meta device.

    Raises:
        DeriveError: transformers is not installed, does not know the model, or cannot build it.
    """
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # download nothing
    try:
        torch: Any = import_module("torch")
        transformers: Any = import_module("transformers")
    except ImportError as error:
        raise DeriveError(
            f"{path} is a config of transformers, which is not installed ({error})",
            help="pip install torch transformers, or give a .safetensors file of the model",
        ) from error
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        config = transformers.AutoConfig.from_pretrained(
            str(path), local_files_only=True, trust_remote_code=False
        )
        dtype = getattr(config, "dtype", None) or torch.float32
        names = config.architectures or []
        model_class = getattr(transformers, names[0], None) if names else transformers.AutoModel
        if model_class is None:
            raise DeriveError(
                f"unknown model class {quote(names[0])} in {path}: "
                f"transformers {transformers.__version__} does not have it"
            )
        build = model_class.from_config if model_class is transformers.AutoModel else model_class._from_config
        with torch.device("meta"):
            return build(config, dtype=dtype)
    except DeriveError:
        raise
    except Exception as error:
        raise DeriveError(f"transformers cannot build the model in {path}: {error_text(error)}") from error
    finally:
        transformers.logging.set_verbosity(before)


def _tied(model: Any) -> dict[str, str]:  # noqa: ANN401 - a transformers model
    """Return the tied tensors that transformers omits from a file, each with the stored one."""
    keys = getattr(model, "_tied_weights_keys", None) or ()
    patterns = [re.compile(key) for key in keys]
    names_by_id: dict[int, list[str]] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        names_by_id.setdefault(id(value), []).append(name)
    tied: dict[str, str] = {}
    for names in names_by_id.values():
        kept = [n for n in names if not any(p.search(n) for p in patterns)] or names
        tied |= {name: kept[0] for name in names if name != kept[0]}
    return tied


def _numbers(value: object, key: str = "") -> Iterator[tuple[str, int]]:
    if isinstance(value, dict):
        for name, below in value.items():
            yield from _numbers(below, str(name))
    elif isinstance(value, list):
        for below in value:
            yield from _numbers(below, key)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield key, value
