"""Write items as the text of a spec: YAML 1.2, one layer per line, as a person would write it."""

from __future__ import annotations

import json
import re

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Fields, Group, Map, Repeat, Value
from lecun_cli.spec.parser import core_scalar

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_PLAIN_TEMPLATE = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./-]|\{[a-z0-9 +*]+\})*\Z")
# Booleans of YAML 1.1. Our parser reads them as strings, but other tools may not.
_OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})


def text_of(
    head: tuple[str, ...],
    top: Fields,
    params: tuple[tuple[str, int], ...],
    items: tuple[DerivedItem, ...],
    rules: tuple[Fields, ...],
) -> str:
    """Return the text of a spec.

    Args:
        head: Comments at the top, one per line.
        top: Top-level keys such as `framework` and `dtype`.
        params: Names and values of the params.
        items: Items under `layers`; their names are templates.
        rules: Rules under `rules`.
    """
    lines = [comment(line) for line in head]
    lines += ["", *(f"{key}: {inline(value)}" for key, value in top)]
    if params:
        lines += ["", "params:", *(f"  {key}: {value}" for key, value in params)]
    lines += ["", "layers:", *_items(items, "  ")]
    if rules:
        lines += ["", "rules:", *(f"  - {_flow(rule)}" for rule in rules)]
    return "\n".join(lines) + "\n"


def comment(text: str) -> str:
    """Return a comment of one line, with control characters replaced by spaces."""
    shown = "".join(c if c.isprintable() else " " for c in text).rstrip()
    return f"# {shown}".rstrip()


def layer_line(layer: DerivedLayer) -> str:
    """Return a layer in flow style."""
    fields: Fields = (("type", layer.layer_type), ("name", layer.name), *layer.fields)
    if layer.dtype is not None:
        fields = (*fields, ("dtype", layer.dtype))
    return _flow(fields)


def _items(items: tuple[DerivedItem, ...], indent: str) -> list[str]:
    lines: list[str] = []
    last_comment = None
    for item in items:
        if isinstance(item, DerivedLayer):
            if item.comment is not None and item.comment != last_comment:
                lines.append(f"{indent}{comment(item.comment)}")
            last_comment = item.comment
            lines.append(f"{indent}- {layer_line(item)}")
            continue
        last_comment = None
        lines += _block(item, indent)
    return lines


def _block(item: Group | Repeat, indent: str) -> list[str]:
    keys: Fields
    if isinstance(item, Group):
        keys = (("name", item.name), *item.fields)
    else:
        index: Fields = (("index", item.index),) if item.index != "i" else ()
        name: Fields = (("name", item.name),) if item.name is not None else ()
        keys = (("repeat", item.count), *index, *name, *item.fields)
    lines = [f"{indent}{'  ' if i else '- '}{key}: {_of_block(v)}" for i, (key, v) in enumerate(keys)]
    return [*lines, f"{indent}  layers:", *_items(item.items, indent + "    ")]


def _flow(fields: Fields) -> str:
    return "{" + ", ".join(f"{key}: {inline(value)}" for key, value in fields) + "}"


def _of_block(value: Value) -> str:
    """Return a value for a line of its own, where a template needs no quotes."""
    if isinstance(value, str) and "{" in value and _PLAIN_TEMPLATE.match(value):
        return value
    return inline(value)


def inline(value: Value) -> str:
    """Return a value in flow style."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return json.dumps(value)
        case str():
            return quoted(value)
        case Map(pairs):
            return _flow(pairs)
    return "[" + ", ".join(str(n) for n in value) + "]"


def quoted(text: str) -> str:
    """Return a string, quoted if YAML would not read it as the same string."""
    if _PLAIN.match(text) and text.lower() not in _OLD_BOOLEANS and isinstance(core_scalar(text), str):
        return text
    escaped = "".join(_escape(c) for c in text)
    return f'"{escaped}"'


def _escape(c: str) -> str:
    if c in {'"', "\\"}:
        return "\\" + c
    if c.isprintable():
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


def template(text: str) -> str:
    """Return the template that expands to a name: double its braces."""
    return text.replace("{", "{{").replace("}", "}}")
