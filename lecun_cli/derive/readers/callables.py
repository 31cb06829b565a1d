"""Read `package.module:callable`: import and call the user's own code, which returns a model."""

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
    """Return the layers of the PyTorch, Keras or Flax model that a callable returns.

    Args:
        source: `package.module:callable`; the name may also be a model itself.
        keep_initializers: If true, kernels keep the initializers that the model names.

    Raises:
        DeriveError: The module cannot be imported, the callable does not exist or fails, or it does not
            return a model.
    """
    with contextlib.redirect_stdout(sys.stderr):  # stdout is reserved for the spec
        returned = _call(source)
    model, inputs = (
        (returned[0], returned[1:]) if isinstance(returned, tuple) and returned else (returned, ())
    )
    if _is(model, "flax", "Module"):
        from lecun_cli.derive.readers.flax_module import from_flax

        return from_flax(model, inputs, source, keep_initializers=keep_initializers)
    if inputs:
        raise DeriveError(
            f"{source} returns a tuple: expected a Flax module as its first item, got {_type_name(model)}",
            help="return a torch or Keras model by itself, not in a tuple",
        )
    if _is(model, "torch", "Module"):
        from lecun_cli.derive.readers.torch_module import from_module

        return from_module(model, source, keep_initializers=keep_initializers)
    if _is(model, "keras", "Layer"):
        from lecun_cli.derive.readers.keras_model import from_model

        return from_model(model, source, keep_initializers=keep_initializers)
    raise DeriveError(
        f"{source} does not return a model: got {_type_name(model)}",
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
            f"cannot import the module {module} of {source}: {error}",
            help="run the command in the folder that contains the module, or set PYTHONPATH",
        ) from error
    except (Exception, SystemExit) as error:
        raise DeriveError(f"importing {module} failed: {error_text(error)}") from error
    for part in name.split("."):
        if not hasattr(target, part):
            raise DeriveError(
                f"module {module} has no {name}", help="write the source as package.module:callable"
            )
        target = getattr(target, part)
    if not isinstance(target, type) and (_is(target, "torch", "Module") or _is(target, "keras", "Layer")):
        return target
    if not callable(target):
        raise DeriveError(
            f"{source} is not callable: expected a function or a model, got {_type_name(target)}"
        )
    try:
        with _on_meta():
            return target()
    except (Exception, SystemExit) as error:
        raise DeriveError(
            f"calling {source} without arguments failed: {error_text(error)}",
            help="it must work without arguments; torch modules are built on the meta device, without values",
        ) from error


def _on_meta() -> contextlib.AbstractContextManager[Any]:
    """Return a context that builds torch modules on the meta device, if the user's code imports PyTorch."""
    torch: Any = sys.modules.get("torch")
    return contextlib.nullcontext() if torch is None else torch.device("meta")


def _is(value: object, package: str, name: str) -> bool:
    """Return whether a value is an instance of a framework's class, without importing the framework."""
    return any(c.__module__.partition(".")[0] == package and c.__name__ == name for c in type(value).__mro__)


def _type_name(value: object) -> str:
    return f"a {type(value).__module__}.{type(value).__qualname__}"
