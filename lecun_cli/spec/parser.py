"""Parse YAML 1.2, and therefore JSON, into nodes with source spans.

libyaml produces the events. Plain scalars have the meaning of the YAML 1.2 core schema
(https://yaml.org/spec/1.2.2/#103-core-schema); PyYAML implements YAML 1.1, where `1e-3` is a string, `no` is
a boolean and `017` is octal. The tree is built without recursion, and the cost of a text is bounded: by its
size in bytes, its depth, and its number of values with all aliases expanded.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lecun_cli.display.text import quote
from lecun_cli.errors import Diagnostic, LecunInitError, Span, SpecError, UsageError
from lecun_cli.spec.advice import missing_spec_help
from lecun_cli.spec.nodes import Mapping, Node, Scalar, Sequence, describe_node

if TYPE_CHECKING:
    from typing import BinaryIO

MAX_NBYTES = 32 * 1024 * 1024
MAX_DEPTH = 64
MAX_VALUES = 4_000_000
_MAX_DIGITS = 400
_TOO_DEEP = f"values are nested too deeply: expected at most {MAX_DEPTH} levels"

_NULL = re.compile(r"(?:null|Null|NULL|~|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OCTAL = re.compile(r"0o[0-7]+\Z")
_HEX = re.compile(r"0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOAT = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_CORE_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "map", "seq")}
_BARE_TEMPLATE = re.compile(r"""\{.*: *[^\s"'{}\[]*\{""")
_SURROGATES = re.compile(r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")


def read_bytes(path: str) -> tuple[str, bytes]:
    """Read the bytes of a spec.

    Args:
        path: A path, or `-` for stdin.

    Returns:
        The name of the spec for messages, and its bytes.

    Raises:
        UsageError: The file does not exist, is a directory, or cannot be read.
        SpecError: The spec is larger than `MAX_NBYTES`.
    """
    if path == "-":
        return "<stdin>", _bounded(sys.stdin.buffer, "<stdin>")
    file = Path(path)
    try:
        if file.is_dir():
            raise UsageError(
                f"{path} is a directory, not a spec",
                help="give a file in it, or - for stdin",
            )
        with file.open("rb") as stream:
            return path, _bounded(stream, path)
    except LecunInitError:  # some of these are ValueErrors
        raise
    except FileNotFoundError:
        raise UsageError(f"the spec {path} does not exist", help=missing_spec_help(file)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"the spec {quote(path)} cannot be read: {reason}") from error


def _bounded(stream: BinaryIO, source: str) -> bytes:
    data = stream.read(MAX_NBYTES + 1)
    if len(data) > MAX_NBYTES:
        raise _spec_error(
            source,
            f"the spec is too large: expected at most {MAX_NBYTES // 2**20} MiB",
            help="write repeated blocks with `repeat:`; if this is a weight file, it is not a spec",
        )
    return data


def decode(data: bytes, source: str) -> str:
    """Decode the text of a spec.

    Args:
        data: UTF-8, with or without a byte order mark.
        source: The name of the spec, for messages.

    Raises:
        SpecError: The bytes are a weight file, are not UTF-8, or contain a NUL.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        _check_not_weights(data, source)
        line = data.count(b"\n", 0, error.start) + 1
        raise _spec_error(
            source,
            f"the spec is not UTF-8 text: byte {error.start} (line {line}) is invalid",
            help="save the file as UTF-8; if this is a weight file, it is not a spec",
        ) from None
    if "\0" in text:
        _check_not_weights(data, source)
        raise _spec_error(
            source,
            "the spec is not text: it contains a NUL",
            help="give a YAML or JSON file",
        )
    return text


def _check_not_weights(data: bytes, source: str) -> None:
    from lecun_cli.formats.checkpoint import is_weight_data

    if is_weight_data(data):
        raise _spec_error(
            source,
            "this is a weight file, not a spec",
            help="lecun-init inspect checks it, and lecun-init derive writes a spec for it",
        )


def read_nodes(text: str, source: str) -> Mapping:
    """Parse a spec into a tree of nodes.

    Args:
        text: YAML or JSON.
        source: The name of the spec, for messages.

    Raises:
        SpecError: The text is not YAML 1.2, is empty, contains more than one document, repeats a key,
            or exceeds a limit of depth or size.
    """
    if text.lstrip().startswith("{"):
        text = _SURROGATES.sub(_join_surrogates, text)
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        root = _Builder(source, text).build(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        span = Span(mark.line + 1, mark.column + 1) if mark else None
        problem = ", ".join(part for part in (error.context, error.problem) if part)
        if "nesting" in problem:  # newer releases of libyaml have their own limit
            raise _spec_error(source, _TOO_DEEP, span=span, text=text) from None
        opened = error.context_mark if "flow" in problem else None
        related = (
            (Span(opened.line + 1, opened.column + 1), "it starts here")
            if opened and span and opened.line + 1 != span.line
            else None
        )
        diagnostic = Diagnostic(f"invalid YAML: {problem}", span, _yaml_help(text, span, problem), related)
        raise SpecError((diagnostic,), source=source, text=text) from None
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise _spec_error(source, f"invalid YAML: {problem}", text=text) from None
    if root is None:
        raise _spec_error(source, "the spec is empty", help=f"a spec needs `layers:` or `tensors:`; {_START}")
    if not isinstance(root, Mapping):
        raise _spec_error(
            source,
            f"the spec is not a mapping: expected keys such as `layers:`, got {describe_node(root)}",
            span=root.span,
            text=text,
            help="write `layers:` on the line before the list" if isinstance(root, Sequence) else _START,
        )
    return root


def _join_surrogates(match: re.Match[str]) -> str:
    """Join the two escapes that JSON writes for a character outside the basic plane; YAML writes one."""
    high, low = int(match[2], 16), int(match[3], 16)
    return f"{match[1]}\\U{0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00):08x}"


def _yaml_help(text: str, span: Span | None, problem: str) -> str | None:
    """Return advice for frequent mistakes, recognized by the line or by the message of libyaml."""
    lines = text.splitlines()
    line = lines[span.line - 1] if span and span.line <= len(lines) else ""
    if _BARE_TEMPLATE.search(line):
        return 'between { and }, quote names that contain a template: {name: "block_{i}"}'
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    if span and any(
        _NO_SPACE.match(lines[k]) for k in range(span.line - 2, span.line) if 0 <= k < len(lines)
    ):
        return "put a space after the colon: `type: dense`"
    return next((advice for part, advice in _ADVICE if part in problem), None)


_NO_SPACE = re.compile(r"\s*(?:- )?\w+:[\w\"'\[{]")
_START = "lecun-init samples selu_mlp > spec.yaml writes one to start from"
_COLUMNS = "put a dash before each item of a list, align the dashes, and align the keys of each item"
_ADVICE = (
    ("expected '-' indicator", _COLUMNS),
    ("block mapping", _COLUMNS),
    ("did not find expected ',' or '}'", "put a comma between keys, and close every { with a }"),
    ("did not find expected ',' or ']'", "put a comma between items, and close every [ with a ]"),
    ("flow", "put a comma between items, and close every { and ["),
    ("mapping values are not allowed", f"write one `key: value` per line; {_COLUMNS}"),
    ("could not find expected ':'", "write `key: value`"),
    ("quoted scalar, found unexpected end", "close the quotes"),
    ("tab character", "indent with spaces, not with tabs"),
    ("cannot start any token", "put the value in quotes"),
)
"""A part of a message of libyaml, and the advice for it."""


def _spec_error(
    source: str, message: str, *, span: Span | None = None, text: str = "", help: str | None = None
) -> SpecError:
    return SpecError((Diagnostic(message, span, help),), source=source, text=text)


class _Open:
    """A list or a mapping whose end has not been reached."""

    __slots__ = ("anchor", "is_mapping", "items", "span")

    def __init__(self, *, is_mapping: bool, span: Span, anchor: str | None) -> None:
        self.is_mapping = is_mapping
        self.items: list[Node] = []
        self.span = span
        self.anchor = anchor


class _Builder:
    """Builds nodes from the events of libyaml."""

    def __init__(self, source: str, text: str) -> None:
        self.source = source
        self.text = text
        self.values = 0
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.diagnostics: list[Diagnostic] = []

    def build(self, events: Any) -> Node | None:  # noqa: ANN401 - PyYAML's events have no stubs for their attributes
        import yaml

        open_nodes: list[tuple[_Open, int]] = []
        root: Node | None = None
        documents = 0
        for event in events:
            done: Node
            match event:
                case yaml.DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise self._fatal(event, "a second YAML document starts here: expected one")
                    continue
                case yaml.ScalarEvent():
                    done = self._scalar(event)
                    self._remember(event.anchor, done, 1)
                case yaml.AliasEvent():
                    if event.anchor not in self.anchors:
                        raise self._fatal(event, f"the alias *{event.anchor} has no anchor before it")
                    done, weight = self.anchors[event.anchor]
                    self._count(event, weight)
                case yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                    self._count(event, 1)
                    self._check_tag(event)
                    if len(open_nodes) >= MAX_DEPTH:
                        raise self._fatal(event, _TOO_DEEP)
                    is_mapping = isinstance(event, yaml.MappingStartEvent)
                    opened = _Open(is_mapping=is_mapping, span=_start(event), anchor=event.anchor)
                    open_nodes.append((opened, self.values - 1))
                    continue
                case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                    opened, before = open_nodes.pop()
                    done = self._close(opened)
                    self._remember(opened.anchor, done, self.values - before)
                case _:
                    continue
            if open_nodes:
                open_nodes[-1][0].items.append(done)
            else:
                root = done
        if self.diagnostics:
            raise SpecError(tuple(self.diagnostics), source=self.source, text=self.text)
        return root

    def _close(self, opened: _Open) -> Node:
        if not opened.is_mapping:
            return Sequence(tuple(opened.items), opened.span)
        entries: dict[str, Node] = {}
        keys: dict[str, Span] = {}
        pairs = iter(opened.items)
        for key, value in zip(pairs, pairs, strict=True):
            if not isinstance(key, Scalar) or not isinstance(key.value, str):
                self.diagnostics.append(Diagnostic("the key is not a string", key.span, "put it in quotes"))
            elif key.value in entries:
                self.diagnostics.append(
                    Diagnostic(
                        f'duplicate key "{key.value}"',
                        key.span,
                        "remove one of the two",
                        (keys[key.value], "it first occurs here"),
                    )
                )
            else:
                entries[key.value] = value
                keys[key.value] = key.span
        return Mapping(entries, keys, opened.span)

    def _scalar(self, event: Any) -> Scalar:  # noqa: ANN401
        self._count(event, 1)
        self._check_tag(event)
        span = _start(event)
        if event.start_mark.line == event.end_mark.line:
            span = Span(span.line, span.column, max(1, event.end_mark.column - event.start_mark.column))
        if not event.implicit[0]:  # quoted, a block, or tagged as a string
            return Scalar(event.value, span)
        if len(event.value) > _MAX_DIGITS and (_INT.match(event.value) or _HEX.match(event.value)):
            self.diagnostics.append(
                Diagnostic(f"the number is too long: expected at most {_MAX_DIGITS} digits", span)
            )
            return Scalar(0, span)
        return Scalar(core_scalar(event.value), span)

    def _remember(self, anchor: str | None, node: Node, weight: int) -> None:
        if anchor is not None:
            self.anchors[anchor] = (node, weight)

    def _count(self, event: Any, weight: int) -> None:  # noqa: ANN401
        self.values += weight
        if self.values > MAX_VALUES:
            raise self._fatal(
                event,
                f"the spec is too large: expected at most {MAX_VALUES:,} values, with all aliases expanded",
                help="use `repeat:` for repeated blocks",
            )

    def _check_tag(self, event: Any) -> None:  # noqa: ANN401
        if event.tag is not None and event.tag not in _CORE_TAGS and event.tag != "!":
            raise self._fatal(event, f"unsupported tag {event.tag}", help="remove the tag")

    def _fatal(self, event: Any, message: str, *, help: str | None = None) -> SpecError:  # noqa: ANN401
        diagnostics = (*self.diagnostics, Diagnostic(message, _start(event), help))
        return SpecError(diagnostics, source=self.source, text=self.text)


def _start(event: Any) -> Span:  # noqa: ANN401
    return Span(event.start_mark.line + 1, event.start_mark.column + 1)


def core_scalar(text: str) -> str | int | float | bool | None:
    """Return the value of a plain scalar in the YAML 1.2 core schema.

    Example:
        >>> core_scalar("1e-3"), core_scalar("no")
        (0.001, 'no')
    """
    if _NULL.match(text):
        return None
    if _BOOL.match(text):
        return text[0] in "tT"
    if _INT.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text[2:], 8)
    if _HEX.match(text):
        return int(text[2:], 16)
    if _FLOAT.match(text):
        return float(text)
    if _SPECIAL_FLOAT.match(text):
        return float(text.lower().replace(".", ""))
    return text
