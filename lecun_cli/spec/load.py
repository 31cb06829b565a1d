"""A spec's text and the overrides of the command line -> Spec."""

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
    """A spec worked out: every layer with its whole path, all sizes plain integers.

    Attributes:
        layers: The layers and raw tensors, in the order of the text.
        rules: Changes by name; later ones win.
        seed: The seed, or None if none is given.
        framework: A key of `FRAMEWORKS`.
        dtype: The dtype of what says nothing else.
        fan_rule: `exact` or a framework's.
        overrides: The `--set` values that were in force.
        sha256: SHA-256 of the spec's bytes.
        source: The spec's name, for messages.
        text: The spec's text, for messages.
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
        """An error about this spec."""
        return SpecError(diagnostics, source=self.source, text=self.text)

    def table(self) -> Table:
        """What `repr`, rich and notebooks show."""
        return of_spec(self)


def load_spec(  # noqa: D417 - the options are those of the command line
    path: str,
    *,
    seed: int | None = None,
    framework: str | None = None,
    dtype: str | None = None,
    fan_rule: str | None = None,
    params: MappingABC[str, int | str] | None = None,
) -> Spec:
    """Read a spec from a file, from a sample by its name, or from standard input for `-`.

    Args:
        path: The spec; a file goes before a sample of that name.

    Raises:
        UsageError: The file is not there or cannot be read.
        SpecError: The spec has faults; all that one run can find are in it.
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
    """A spec from its text.

    Args:
        data: The text, or its UTF-8 bytes.
        source: What messages call it.
        seed: In place of the spec's own, as are the next three.
        framework: A key of `FRAMEWORKS`.
        dtype: The dtype of what says nothing else.
        fan_rule: `exact` or a framework's.
        params: Values in place of the spec's own `params`.

    Raises:
        SpecError: The spec has faults; all that one run can find are in it.
    """
    data = data.encode() if isinstance(data, str) else data
    text = decode(data, source)
    root = read_nodes(text, source)
    _refuse_what_is_no_spec(root, source)
    diagnostics = Diagnostics()

    env = _params(root, params or {}, diagnostics)
    overrides = {"seed": seed, "framework": framework, "dtype": dtype, "fan_rule": fan_rule}
    top = _with_overrides(root, {key: value for key, value in overrides.items() if value is not None})
    document = validate(Document, top, env, "a spec", diagnostics)
    if "layers" not in root.entries and "tensors" not in root.entries and not diagnostics.collected:
        diagnostics.add(
            Diagnostic("a spec has layers or tensors, and this one has neither", root.span, _EXAMPLE)
        )
    layers = expand(root, env, diagnostics)
    if document is not None and not layers and not diagnostics.collected:
        diagnostics.add(Diagnostic("the spec makes no tensor: its lists are empty", root.span, _EXAMPLE))
    if diagnostics.collected or document is None:
        ordered = tuple(_of_the_command_line(diagnostic) for diagnostic in diagnostics.in_order())
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
            names = ", ".join(expressions) or "none"
            diagnostics.add(
                Diagnostic(f'--set {name}: the spec has no param "{name}"', help=f"its params are: {names}")
            )
        expressions[name] = value
        spans.pop(name, None)
    values, unresolved = resolve(expressions, spans)
    diagnostics.extend(unresolved)
    return values


_OPTIONS = {
    Span(0, k): (key, f"--{key.replace('_', '-')}")
    for k, key in enumerate(("seed", "framework", "dtype", "fan_rule"))
}
"""Where the values of the command line stand: on no line of the text."""


def _with_overrides(root: Mapping, overrides: dict[str, int | str]) -> Mapping:
    entries = dict(root.entries)
    keys = dict(root.keys)
    for span, (key, _) in _OPTIONS.items():
        if key in overrides:
            entries[key] = Scalar(overrides[key], span)
            keys[key] = span
    return Mapping(entries, keys, root.span)


def _of_the_command_line(diagnostic: Diagnostic) -> Diagnostic:
    """A fault of an option with the option's name, where it would have had a place in the text."""
    if diagnostic.span not in _OPTIONS:
        return diagnostic
    return replace(diagnostic, message=f"{_OPTIONS[diagnostic.span][1]}: {diagnostic.message}", span=None)


_EXAMPLE = (
    "begin with `layers:`, and under it `- {type: dense, name: hidden, in_features: 100, out_features: 64}`"
)

# What people give for a spec, by the keys that only it has.
_OTHERS = (
    ({"manifest", "files"}, "a manifest", "lecun-init verify takes it; give the spec that it was made of"),
    ({"weight_map"}, "an index of shards", "lecun-init inspect and lecun-init derive take it"),
    ({"class_name", "config"}, "a config of Keras", "lecun-init derive writes the spec of it"),
    ({"architectures"}, "a config of transformers", "lecun-init derive writes the spec of it"),
    ({"model_type"}, "a config of transformers", "lecun-init derive writes the spec of it"),
)


def _refuse_what_is_no_spec(root: Mapping, source: str) -> None:
    """One word about a file of another sort, in place of a fault for each of its keys.

    Raises:
        SpecError: It is one that is known.
    """
    for keys, what, advice in _OTHERS:
        if keys <= root.entries.keys() and "layers" not in root.entries:
            raise SpecError((Diagnostic(f"this is {what}, and no spec", help=advice),), source=source)
