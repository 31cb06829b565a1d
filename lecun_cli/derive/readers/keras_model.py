"""Read a Keras model in this process, by its config, or by its variables if its class is custom."""

from __future__ import annotations

from typing import Any

from lecun_cli.derive.described_model import DescribedModel, Tensor
from lecun_cli.derive.readers.json_config import parse_json
from lecun_cli.derive.readers.keras_config import from_config
from lecun_cli.derive.readers.messages import initializers_not_kept
from lecun_cli.derive.recognition.layer_check import check_tensors
from lecun_cli.derive.recognition.recognizer import recognize
from lecun_cli.errors import DeriveError


def from_model(model: Any, source: str, *, keep_initializers: bool) -> DescribedModel:  # noqa: ANN401 - a Keras model
    """Return the layers of a Keras model.

    Args:
        model: A built Keras model or layer.
        source: Name of the model for messages.
        keep_initializers: If true, kernels keep the initializers of the config.

    Raises:
        DeriveError: The model was never built, or a spec cannot describe it.
    """
    if not model.built or not model.weights:
        raise DeriveError(
            f"the model of {source} has no weights",
            help="return a built model: call model.build(input_shape), or begin with a keras.Input",
        )
    try:
        config = parse_json(model.to_json().encode(), what=f"the config of {source}")
        return from_config(config, source, keep_initializers=keep_initializers)
    except (DeriveError, NotImplementedError, TypeError, ValueError, AttributeError):
        return _from_variables(model, source, keep_initializers)


def _from_variables(model: Any, source: str, keep_initializers: bool) -> DescribedModel:  # noqa: ANN401
    variables = [(v.path, tuple(v.shape), str(v.dtype)) for v in model.weights]
    prefix = f"{model.name}/"
    if all(path.startswith(prefix) for path, _, _ in variables):
        variables = [(path.removeprefix(prefix), shape, dtype) for path, shape, dtype in variables]
    tensors = tuple(Tensor(*variable) for variable in variables)
    check_tensors(tensors, source)
    warnings = (initializers_not_kept("a Keras model of a custom class"),) if keep_initializers else ()
    return DescribedModel("keras", recognize(tensors, "keras"), tensors, warnings)
