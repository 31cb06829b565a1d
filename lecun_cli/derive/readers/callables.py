"""`package.module:callable`: a model that a user's own code makes, called because they ask for it."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
import sys
from typing import Any

from lecun_cli.derive.described_model import Finding
from lecun_cli.errors import DeriveError

_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def from_callable(source: str, *, keep_initializers: bool) -> Finding:
    """The layers of a torch.nn.Module, a Keras model or a Flax module that a callable returns.

    Args:
        source: `package.module:callable`; a model that stands there itself will do too.
        keep_initializers: Whether kernels keep the initializers that the model names.

    Raises:
        DeriveError: The module does not import, there is no such callable, it fails, or it returns
            something else.
    """
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the spec
        made = _call(source)
    model, inputs = (made[0], made[1:]) if isinstance(made, tuple) and made else (made, ())
    if _is(model, "flax", "Module"):
        from lecun_cli.derive.readers.flax_module import from_flax

        return from_flax(model, inputs, source, keep_initializers=keep_initializers)
    if inputs:
        raise DeriveError(
            f"{source} returns a tuple, and its first is no Flax module but {_described(model)}",
            help="a torch or Keras model is returned alone",
        )
    if _is(model, "torch", "Module"):
        from lecun_cli.derive.readers.torch_module import from_module

        return from_module(model, source, keep_initializers=keep_initializers)
    if _is(model, "keras", "Layer"):
        from lecun_cli.derive.readers.keras_model import from_model

        return from_model(model, source, keep_initializers=keep_initializers)
    raise DeriveError(
        f"{source} returns {_described(model)}",
        help="return a torch.nn.Module, a built Keras model, or (Flax module, example inputs...)",
    )


def _call(source: str) -> Any:  # noqa: ANN401 - whatever the user's code returns
    module, _, name = source.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    found: Any
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DeriveError(
            f"the module {module} of {source} does not import: {error}",
            help="run where it can be imported from, or set PYTHONPATH",
        ) from error
    except (Exception, SystemExit) as error:
        raise DeriveError(f"importing {module} fails: {said(error)}") from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise DeriveError(f"{source}: {module} has no {name}", help="write it as package.module:callable")
        found = getattr(found, part)
    if not isinstance(found, type) and (_is(found, "torch", "Module") or _is(found, "keras", "Layer")):
        return found
    if not callable(found):
        raise DeriveError(f"{source} is {_described(found)}, and no callable that makes a model")
    try:
        with _on_meta():
            return found()
    except (Exception, SystemExit) as error:
        raise DeriveError(
            f"{source} fails when it is called without arguments: {said(error)}",
            help="it takes no arguments; torch modules are built on the meta device, which holds no values",
        ) from error


def _on_meta() -> contextlib.AbstractContextManager[Any]:
    """PyTorch's meta device, where the user's module uses PyTorch: shapes without memory."""
    torch: Any = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.device("meta")


def _is(value: object, package: str, name: str) -> bool:
    """Whether a value is of a framework's class, without importing the framework."""
    return any(c.__module__.partition(".")[0] == package and c.__name__ == name for c in type(value).__mro__)


def _described(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def said(error: BaseException) -> str:
    """A foreign error in one line; what a terminal might obey is left out."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return "".join(c for c in _ESCAPES.sub("", text) if c.isprintable())[:500]
