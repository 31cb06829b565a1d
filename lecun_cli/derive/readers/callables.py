"""`package.module:callable`: a model that a user's own code makes, called because they ask for it."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import Any

from lecun_cli.derive.described_model import DescribedModel
from lecun_cli.derive.readers.messages import error_text
from lecun_cli.errors import DeriveError


def from_callable(source: str, *, keep_initializers: bool) -> DescribedModel:
    """The layers of a torch.nn.Module, a Keras model or a Flax module that a callable returns.

    Args:
        source: `package.module:callable`; a model that stands there itself will do too.
        keep_initializers: Whether kernels keep the initializers that the model names.

    Raises:
        DeriveError: The module does not import, there is no such callable, it fails, or it returns
            something else.
    """
    with contextlib.redirect_stdout(sys.stderr):  # stdout is for the spec
        returned = _call(source)
    model, inputs = (
        (returned[0], returned[1:]) if isinstance(returned, tuple) and returned else (returned, ())
    )
    if _is(model, "flax", "Module"):
        from lecun_cli.derive.readers.flax_module import from_flax

        return from_flax(model, inputs, source, keep_initializers=keep_initializers)
    if inputs:
        raise DeriveError(
            f"{source} returns a tuple, and its first is no Flax module but {_type_name(model)}",
            help="a torch or Keras model is returned alone",
        )
    if _is(model, "torch", "Module"):
        from lecun_cli.derive.readers.torch_module import from_module

        return from_module(model, source, keep_initializers=keep_initializers)
    if _is(model, "keras", "Layer"):
        from lecun_cli.derive.readers.keras_model import from_model

        return from_model(model, source, keep_initializers=keep_initializers)
    raise DeriveError(
        f"{source} returns {_type_name(model)}",
        help="return a torch.nn.Module, a built Keras model, or (Flax module, example inputs...)",
    )


def _call(source: str) -> Any:  # noqa: ANN401 - whatever the user's code returns
    module, _, name = source.partition(":")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)  # as `python -m` does
    target: Any
    try:
        target = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise DeriveError(
            f"the module {module} of {source} does not import: {error}",
            help="run where it can be imported from, or set PYTHONPATH",
        ) from error
    except (Exception, SystemExit) as error:
        raise DeriveError(f"importing {module} fails: {error_text(error)}") from error
    for part in name.split("."):
        if not hasattr(target, part):
            raise DeriveError(f"{source}: {module} has no {name}", help="write it as package.module:callable")
        target = getattr(target, part)
    if not isinstance(target, type) and (_is(target, "torch", "Module") or _is(target, "keras", "Layer")):
        return target
    if not callable(target):
        raise DeriveError(f"{source} is {_type_name(target)}, and no callable that makes a model")
    try:
        with _on_meta():
            return target()
    except (Exception, SystemExit) as error:
        raise DeriveError(
            f"{source} fails when it is called without arguments: {error_text(error)}",
            help="it takes no arguments; torch modules are built on the meta device, which holds no values",
        ) from error


def _on_meta() -> contextlib.AbstractContextManager[Any]:
    """PyTorch's meta device, where the user's module uses PyTorch: shapes without memory."""
    torch: Any = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.device("meta")


def _is(value: object, package: str, name: str) -> bool:
    """Whether a value is of a framework's class, without importing the framework."""
    return any(c.__module__.partition(".")[0] == package and c.__name__ == name for c in type(value).__mro__)


def _type_name(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}"
