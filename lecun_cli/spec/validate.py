"""Validate nodes against models, and turn the errors of pydantic into diagnostics with advice."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from lecun_cli.errors import Diagnostic, describe
from lecun_cli.spec.nodes import Mapping, Node, describe_node, locate, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lecun_cli.layers.expressions import Environment

M = TypeVar("M", bound=BaseModel)

MAX_DIAGNOSTICS = 100
"""Diagnostics after which the expansion stops."""
MAX_DUPLICATES = 5000
"""Dropped duplicates after which the expansion stops."""

_SYNONYMS = {
    "units": ("out_features", "hidden_size"),
    "filters": ("out_channels",),
    "input_dim": ("in_features", "input_size", "num_embeddings"),
    "output_dim": ("out_features", "embedding_dim"),
    "vocab_size": ("num_embeddings",),
    "vocab": ("num_embeddings",),
    "hidden_size": ("out_features", "features", "embed_dim"),
    "d_model": ("embed_dim", "embedding_dim", "features"),
    "dim": ("embed_dim", "embedding_dim", "features"),
    "use_bias": ("bias",),
    "init": ("initializer",),
    "kernel_init": ("kernel_initializer",),
    "kernel_shape": ("kernel_size",),
    "in_dim": ("in_features",),
    "out_dim": ("out_features",),
    "normalized_shape": ("features",),
    "num_features": ("features",),
    "num_channels": ("features",),
    "num_groups": ("groups",),
    "n_heads": ("num_heads",),
    "n_head": ("num_heads",),
    "kind": ("type",),
    "class": ("type",),
    "size": ("shape",),
    "times": ("repeat",),
    "variables": ("params",),
    "parameters": ("params",),
    "pattern": ("match",),
}
"""Names of keys in other tools, and the keys here that they can mean."""

_NO_EFFECT = {
    "stride", "strides", "padding", "dilation", "dilation_rate", "dropout", "rate", "epsilon", "eps",
    "momentum", "data_format", "padding_mode", "trainable", "device",
}  # fmt: skip
"""Keys of layers in other tools that do not affect initial weights."""

_NUMBER = re.compile(r"-?[0-9]+")


class Diagnostics:
    """The diagnostics so far, without duplicates and up to a limit."""

    def __init__(self) -> None:
        self.collected: list[Diagnostic] = []
        self._seen: set[tuple[object, ...]] = set()
        self._n_duplicates = 0

    def add(self, diagnostic: Diagnostic) -> None:
        """Add a diagnostic, unless one at the same span differs from it only in numbers.

        Every iteration of a repeat produces the same diagnostics.
        """
        key = (diagnostic.span, _NUMBER.sub("#", diagnostic.message))
        if key in self._seen:
            self._n_duplicates += 1
        else:
            self._seen.add(key)
            self.collected.append(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Add several diagnostics."""
        for diagnostic in diagnostics:
            self.add(diagnostic)

    @property
    def full(self) -> bool:
        """If true, there are so many diagnostics that more would not help."""
        return len(self.collected) >= MAX_DIAGNOSTICS or self._n_duplicates >= MAX_DUPLICATES

    def in_order(self) -> tuple[Diagnostic, ...]:
        """Return the diagnostics in the order of the text."""
        return tuple(sorted(self.collected, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0)))


def validate(model: type[M], node: Node, env: Environment, noun: str, diagnostics: Diagnostics) -> M | None:
    """Validate a node.

    Args:
        model: The model to validate against.
        node: A mapping; any other node is an error.
        env: The params that expressions may use.
        noun: The name of the model in messages, such as `dense layer`.
        diagnostics: Receives the errors.

    Returns:
        The validated model, or None if the node is invalid.
    """
    if not isinstance(node, Mapping):
        diagnostics.add(
            Diagnostic(f"invalid {noun}: expected a mapping, got {describe_node(node)}", node.span)
        )
        return None
    try:
        return model.model_validate(plain(node), context={"env": env})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        meant = {
            _nearest(str(e["loc"][-1]), _allowed_keys(model, e["loc"])) for e in errors if e["type"] == _EXTRA
        }
        for e in errors:
            # A misspelled key is not reported as missing, too.
            if not (e["type"] == "missing" and len(e["loc"]) == 1 and e["loc"][0] in meant):
                diagnostics.add(_diagnostic(e, model, node, noun))
        return None


_EXTRA = "extra_forbidden"


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are allowed where `path` ends."""
    return list(model.model_fields) if len(path) == 1 else ["match", "dtype", "initializer"]


def _nearest(key: str, allowed: list[str]) -> str | None:
    """Return the allowed key that an unknown key probably means, or None."""
    if key in _NO_EFFECT:
        return None
    for other in _SYNONYMS.get(key, ()):
        if other in allowed:
            return other
    close = difflib.get_close_matches(key, allowed, n=1)
    if close:
        return close[0]
    longer = [name for name in allowed if len(key) > 2 and name.startswith(key)]  # `out` for out_features
    return longer[0] if len(longer) == 1 else None


def _diagnostic(error: Any, model: type[BaseModel], node: Mapping, noun: str) -> Diagnostic:  # noqa: ANN401
    path: tuple[int | str, ...] = error["loc"]
    if path[:1] == ("rules",) and len(path) > 2:
        noun = "rule"
    field = ".".join(str(step) for step in path) or noun
    text = describe(error["input"])
    span = locate(node, path)
    match error["type"]:
        case "lecun_init":
            context = error["ctx"]
            if not path:
                span = next(
                    (node.entries[k].span for k in (context["field"], "name") if k in node.entries), span
                )
            return Diagnostic(context["message"], span, context["help"])
        case "missing":
            name = node.entries.get("name")
            at = (name or node).span if len(path) == 1 else span
            return Diagnostic(
                f'missing key "{path[-1]}" in {_with_article(noun)}', at, _missing_help(model, str(path[-1]))
            )
        case "extra_forbidden":
            return unknown_key(str(path[-1]), noun, _allowed_keys(model, path), node, path)
        case "bool_type":
            advice = "write true or false" if isinstance(error["input"], str) else None
            return Diagnostic(f"{field}: expected true or false, got {text}", span, advice)
        case "literal_error":
            choices = re.findall(r"'([^']+)'", error["ctx"]["expected"])
            close = difflib.get_close_matches(str(error["input"]), choices, n=1)
            advice = f"did you mean {close[0]}?" if close else None
            return Diagnostic(f"{field}: expected one of {', '.join(choices)}, got {text}", span, advice)
        case "list_type":
            return Diagnostic(f"{field}: expected a list, got {text}", span, _list_help(str(path[-1])))
        case "string_type" | "string_too_short":
            return Diagnostic(f"{field}: expected a nonempty string, got {text}", span)
        case "dict_type" | "model_type":
            return Diagnostic(f"{field}: expected a mapping, got {text}", span)
    return Diagnostic(f"{field}: {error['msg']}, got {text}", span)


def _list_help(key: str) -> str:
    item = {"layers": "{type: dense, ...}", "tensors": "{name: ..., shape: ...}"}.get(key, "...")
    return f"put each item under `{key}:` on a line of its own, after a dash: `- {item}`"


def _missing_help(model: type[BaseModel], key: str) -> str | None:
    field = model.model_fields.get(key)
    return f"{key}: {field.description}" if field and field.description else None


def unknown_key(
    key: str, noun: str, allowed: list[str], node: Mapping, path: tuple[int | str, ...] | None = None
) -> Diagnostic:
    """Return the diagnostic of an unknown key, with the key that it probably means.

    Args:
        key: The unknown key.
        noun: The name of the mapping in messages, such as `dense layer`.
        allowed: The keys that are allowed there.
        node: The mapping, or one around it.
        path: The path from `node` to the key; just the key if not given.
    """
    span = locate(node, path or (key,), key=True)
    if key == "<<":
        return Diagnostic(
            'unsupported key "<<": YAML 1.2 has no merge keys', span, "write the keys out, or use `repeat:`"
        )
    nearest = _nearest(key, allowed)
    if nearest:
        advice = f"did you mean {nearest}?"
    elif key in _NO_EFFECT:
        advice = f"remove it: {key} has no effect on initial weights"
    else:
        advice = f"the keys are: {', '.join(allowed)}"
    return Diagnostic(f'unknown key "{key}" in {_with_article(noun)}', span, advice)


def _with_article(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeiou" else f"a {noun}"
