"""Nodes -> validated models, and the validator's errors as faults with places and advice."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from lecun_cli.errors import Diagnostic, describe
from lecun_cli.spec.nodes import Mapping, Node, locate, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lecun_cli.layers.expressions import Environment

M = TypeVar("M", bound=BaseModel)

MAX_DIAGNOSTICS = 100
MAX_LIKENESSES = 5000

# Keys that other tools use for the same thing.
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
_NO_EFFECT = {
    "stride", "strides", "padding", "dilation", "dilation_rate", "dropout", "rate", "epsilon", "eps",
    "momentum", "data_format", "padding_mode", "trainable", "device",
}  # fmt: skip


_NUMBER = re.compile(r"-?[0-9]+")


class Diagnostics:
    """The faults found so far: each is told once, and there is an end to them."""

    def __init__(self) -> None:
        self.collected: list[Diagnostic] = []
        self._seen: set[tuple[object, ...]] = set()
        self._likenesses = 0

    def add(self, diagnostic: Diagnostic) -> None:
        """Note a fault, unless its like is noted at its place (a repeated block repeats its faults)."""
        key = (diagnostic.span, _NUMBER.sub("#", diagnostic.message))
        if key in self._seen:
            self._likenesses += 1
        else:
            self._seen.add(key)
            self.collected.append(diagnostic)

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Note several faults."""
        for diagnostic in diagnostics:
            self.add(diagnostic)

    @property
    def full(self) -> bool:
        """Whether more would be noise."""
        return len(self.collected) >= MAX_DIAGNOSTICS or self._likenesses >= MAX_LIKENESSES

    def in_order(self) -> tuple[Diagnostic, ...]:
        """The faults in the order of the text."""
        return tuple(sorted(self.collected, key=lambda d: (d.span.line, d.span.column) if d.span else (0, 0)))


def validate(model: type[M], node: Node, env: Environment, what: str, diagnostics: Diagnostics) -> M | None:
    """The model of a node, or None with its faults noted.

    Args:
        model: What the node is to be.
        node: A mapping; anything else is a fault.
        env: The parameters that expressions may name.
        what: The thing in words, for messages ("a dense layer").
        diagnostics: Where faults go.
    """
    if what.startswith("a ") and what[2] in "aeiou":
        what = f"an {what[2:]}"
    if not isinstance(node, Mapping):
        diagnostics.add(Diagnostic(f"{what} is a mapping, found {describe(plain(node))}", node.span))
        return None
    try:
        return model.model_validate(plain(node), context={"env": env})
    except ValidationError as error:
        errors = error.errors(include_url=False)
        meant = {
            _nearest(str(e["loc"][-1]), _allowed_keys(model, e["loc"])) for e in errors if e["type"] == _EXTRA
        }
        for e in errors:
            # A key that is only misspelt is not also missing.
            if not (e["type"] == "missing" and len(e["loc"]) == 1 and e["loc"][0] in meant):
                diagnostics.add(_diagnostic(e, model, node, what))
        return None


_EXTRA = "extra_forbidden"


def _allowed_keys(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The keys that may stand where `path` ends."""
    return list(model.model_fields) if len(path) == 1 else ["match", "dtype", "initializer"]


def _nearest(key: str, allowed: list[str]) -> str | None:
    """The known key that is meant by another, or None."""
    if key in _NO_EFFECT:
        return None
    for other in _SYNONYMS.get(key, ()):
        if other in allowed:
            return other
    close = difflib.get_close_matches(key, allowed, n=1)
    if close:
        return close[0]
    begun = [name for name in allowed if len(key) > 2 and name.startswith(key)]  # `out`, for out_features
    return begun[0] if len(begun) == 1 else None


def _diagnostic(error: Any, model: type[BaseModel], node: Mapping, what: str) -> Diagnostic:  # noqa: ANN401
    path: tuple[int | str, ...] = error["loc"]
    if path[:1] == ("rules",) and len(path) > 2:
        what = "a rule"
    field = ".".join(str(step) for step in path) or what
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
            return Diagnostic(f'{what} needs the key "{path[-1]}"', at, _missing_help(model, str(path[-1])))
        case "extra_forbidden":
            return unknown_key(str(path[-1]), what, _allowed_keys(model, path), node, path)
        case "bool_type":
            advice = "YAML 1.2 writes true and false" if isinstance(error["input"], str) else None
            return Diagnostic(f"{field} is true or false, found {text}", span, advice)
        case "literal_error":
            choices = re.findall(r"'([^']+)'", error["ctx"]["expected"])
            close = difflib.get_close_matches(str(error["input"]), choices, n=1)
            advice = f"did you mean {close[0]}?" if close else None
            return Diagnostic(f"{field} is one of {', '.join(choices)}; found {text}", span, advice)
        case "list_type":
            return Diagnostic(f"{field} is a list, found {text}", span, _list_help(str(path[-1])))
        case "string_type" | "string_too_short":
            return Diagnostic(f"{field} is a string that is not empty, found {text}", span)
        case "dict_type" | "model_type":
            return Diagnostic(f"{field} is a mapping, found {text}", span)
    return Diagnostic(f"{field}: {error['msg']}, found {text}", span)


def _list_help(key: str) -> str:
    item = {"layers": "{type: dense, ...}", "tensors": "{name: ..., shape: ...}"}.get(key, "...")
    return f"put each item under `{key}:` on a line of its own, after a dash: `- {item}`"


def _missing_help(model: type[BaseModel], key: str) -> str | None:
    field = model.model_fields.get(key)
    return f"{key}: {field.description}" if field and field.description else None


def unknown_key(
    key: str, what: str, allowed: list[str], node: Mapping, path: tuple[int | str, ...] | None = None
) -> Diagnostic:
    """The fault of a key that nothing knows, with the nearest that is known."""
    span = locate(node, path or (key,), key=True)
    if key == "<<":
        return Diagnostic("YAML 1.2 has no merge keys", span, "write the keys out, or use `repeat:`")
    nearest = _nearest(key, allowed)
    if nearest:
        advice = f"did you mean {nearest}?"
    elif key in _NO_EFFECT:
        advice = f"leave it out: {key} has no effect on initial weights"
    else:
        advice = f"the keys here are: {', '.join(allowed)}"
    return Diagnostic(f'{what} has no key "{key}"', span, advice)
