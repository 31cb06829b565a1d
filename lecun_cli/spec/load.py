"""Load a spec: parse, validate and expand its text, with overrides from the command line."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass, field, replace

from lecun_cli.display.tables import Table, TableRepr, of_spec
from lecun_cli.errors import Diagnostic, Span, SpecError
from lecun_cli.spec.document import Document, Rule
from lecun_cli.spec.expand import ExpandedLayer, expand
from lecun_cli.spec.nodes import Mapping, Scalar, plain
from lecun_cli.spec.params import resolve
from lecun_cli.spec.parser import decode, read_bytes, read_nodes
from lecun_cli.spec.samples import sample_path
from lecun_cli.spec.validate import Diagnostics, validate


@dataclass(frozen=True, repr=False)
class Spec(TableRepr):
    """A validated and expanded spec: every layer with its full path, all sizes plain integers.

    Attributes:
        layers: The layers and raw tensors, in the order of the text.
        rules: Changes to tensors by name; later rules take precedence.
        seed: The seed, or None if it is to be drawn.
        framework: A key of `FRAMEWORKS`.
        dtype: The default dtype.
        fan_rule: `exact` or the fan rule of a framework.
        overrides: The params that `--set` overrode, with their values.
        sha256: SHA-256 of the bytes of the spec, in hexadecimal.
        source: The name of the spec, for messages.
        text: The text of the spec, for messages.
    """

    layers: tuple[ExpandedLayer, ...]
    rules: tuple[Rule, ...]
    seed: int | None
    framework: str
    dtype: str
    fan_rule: str
    overrides: tuple[tuple[str, int], ...] = ()
    sha256: str = ""
    source: str = "<spec>"
    text: str = field(default="", repr=False)

    def error(self, *diagnostics: Diagnostic) -> SpecError:
        """Return an error about this spec, with excerpts of its text."""
        return SpecError(diagnostics, source=self.source, text=self.text)

    def table(self) -> Table:
        """Return the table that `repr`, rich and notebooks show."""
        return of_spec(self)


def load_spec(
    path: str,
    *,
    seed: int | None = None,
    framework: str | None = None,
    dtype: str | None = None,
    fan_rule: str | None = None,
    params: MappingABC[str, int | str] | None = None,
) -> Spec:
    """Read a spec from a file, a sample or stdin.

    Args:
        path: The path of a spec, the name of a sample, or `-` for stdin. A file takes precedence over a
            sample of the same name.
        seed: Overrides the seed of the spec.
        framework: Overrides the framework of the spec; a key of `FRAMEWORKS`.
        dtype: Overrides the default dtype of the spec.
        fan_rule: Overrides the fan rule of the spec; `exact` or the fan rule of a framework.
        params: Overrides params of the spec: an integer or an expression for each name.

    Raises:
        UsageError: The file does not exist or cannot be read.
        SpecError: The spec is invalid; the error contains as many diagnostics as one run can find.

    Example:
        >>> load_spec("selu_mlp", seed=7).seed
        7
    """
    sample = sample_path(path)
    source, data = read_bytes(path) if sample is None else (path, sample.read_bytes())
    return parse_spec(
        data, source, seed=seed, framework=framework, dtype=dtype, fan_rule=fan_rule, params=params
    )


def parse_spec(
    data: bytes | str,
    source: str = "<spec>",
    *,
    seed: int | None = None,
    framework: str | None = None,
    dtype: str | None = None,
    fan_rule: str | None = None,
    params: MappingABC[str, int | str] | None = None,
) -> Spec:
    """Parse the text of a spec.

    Args:
        data: The text, or its UTF-8 bytes.
        source: The name of the spec, for messages.
        seed: Overrides the seed of the spec.
        framework: Overrides the framework of the spec; a key of `FRAMEWORKS`.
        dtype: Overrides the default dtype of the spec.
        fan_rule: Overrides the fan rule of the spec; `exact` or the fan rule of a framework.
        params: Overrides params of the spec: an integer or an expression for each name.

    Raises:
        SpecError: The spec is invalid; the error contains as many diagnostics as one run can find.

    Example:
        >>> layer = "{type: dense, name: a, in_features: d, out_features: 10}"
        >>> text = f"{{params: {{d: 64}}, layers: [{layer}]}}"
        >>> parse_spec(text, params={"d": 128}).layers[0].layer.in_features
        128
    """
    data = data.encode() if isinstance(data, str) else data
    text = decode(data, source)
    root = read_nodes(text, source)
    _reject_other_documents(root, source)
    diagnostics = Diagnostics()

    env = _params(root, params or {}, diagnostics)
    overrides = {"seed": seed, "framework": framework, "dtype": dtype, "fan_rule": fan_rule}
    top = _with_overrides(root, {key: value for key, value in overrides.items() if value is not None})
    document = validate(Document, top, env, "spec", diagnostics)
    if "layers" not in root.entries and "tensors" not in root.entries and not diagnostics.collected:
        diagnostics.add(Diagnostic("the spec has neither layers nor tensors", root.span, _EXAMPLE))
    layers = expand(root, env, diagnostics)
    if document is not None and not layers and not diagnostics.collected:
        diagnostics.add(Diagnostic("the spec has no tensors: its lists are empty", root.span, _EXAMPLE))
    if diagnostics.collected or document is None:
        ordered = tuple(_with_option_name(diagnostic) for diagnostic in diagnostics.in_order())
        raise SpecError(ordered, source=source, text=text)
    return Spec(
        layers=layers,
        rules=tuple(document.rules),
        seed=document.seed,
        framework=document.framework,
        dtype=document.dtype,
        fan_rule=document.fan_rule,
        overrides=tuple(sorted((name, env[name]) for name in params or {})),
        sha256=hashlib.sha256(data).hexdigest(),
        source=source,
        text=text,
    )


def _params(root: Mapping, overrides: MappingABC[str, int | str], diagnostics: Diagnostics) -> dict[str, int]:
    node = root.get("params")
    expressions: dict[str, object] = {}
    spans: dict[str, Span] = {}
    if isinstance(node, Mapping):
        expressions = {name: plain(value) for name, value in node.entries.items()}
        spans = {name: value.span for name, value in node.entries.items()}
    for name, value in overrides.items():
        if name not in expressions:
            names = ", ".join(expressions)
            advice = f"the params are: {names}" if names else "the spec has no params"
            diagnostics.add(Diagnostic(f'--set: unknown param "{name}"', help=advice))
        expressions[name] = value
        spans.pop(name, None)
    values, unresolved = resolve(expressions, spans)
    diagnostics.extend(unresolved)
    return values


_OPTIONS = {
    Span(0, k): (key, f"--{key.replace('_', '-')}")
    for k, key in enumerate(("seed", "framework", "dtype", "fan_rule"))
}
"""The key and the option of each value from the command line, by a span outside the text."""


def _with_overrides(root: Mapping, overrides: dict[str, int | str]) -> Mapping:
    entries = dict(root.entries)
    keys = dict(root.keys)
    for span, (key, _) in _OPTIONS.items():
        if key in overrides:
            entries[key] = Scalar(overrides[key], span)
            keys[key] = span
    return Mapping(entries, keys, root.span)


def _with_option_name(diagnostic: Diagnostic) -> Diagnostic:
    """Name the option instead of the key in a diagnostic about a value from the command line."""
    if diagnostic.span not in _OPTIONS:
        return diagnostic
    key, option = _OPTIONS[diagnostic.span]
    return replace(diagnostic, message=f"{option}: {diagnostic.message.removeprefix(f'{key}: ')}", span=None)


_EXAMPLE = (
    "start with `layers:`, and under it `- {type: dense, name: hidden, in_features: 100, out_features: 64}`"
)

_OTHER_DOCUMENTS = (
    (
        {"manifest", "files"},
        "a manifest",
        "lecun-init verify reads it; give the spec that it was generated from",
    ),
    ({"weight_map"}, "an index of shards", "lecun-init inspect and lecun-init derive read it"),
    ({"class_name", "config"}, "a Keras config", "lecun-init derive writes a spec for it"),
    ({"architectures"}, "a transformers config", "lecun-init derive writes a spec for it"),
    ({"model_type"}, "a transformers config", "lecun-init derive writes a spec for it"),
)
"""Other documents that are mistaken for specs: keys that only they have, a description, and advice."""


def _reject_other_documents(root: Mapping, source: str) -> None:
    """Reject a document of another known type with one error, instead of one for each of its keys.

    Raises:
        SpecError: The document is a manifest, an index of shards, or a config.
    """
    for keys, description, advice in _OTHER_DOCUMENTS:
        if keys <= root.entries.keys() and "layers" not in root.entries:
            raise SpecError((Diagnostic(f"this is {description}, not a spec", help=advice),), source=source)
