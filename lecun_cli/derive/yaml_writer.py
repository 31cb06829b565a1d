"""Items -> the text of a spec: YAML 1.2, one layer a line, as a person writes it."""

from __future__ import annotations

import json
import re

from lecun_cli.derive.described_model import DerivedItem, DerivedLayer, Fields, Group, Map, Repeat, Value
from lecun_cli.spec.parser import core_scalar

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")
_PLAIN_TEMPLATE = re.compile(r"[A-Za-z_](?:[A-Za-z0-9_./-]|\{[a-z0-9 +*]+\})*\Z")
# What YAML 1.1 takes for a boolean; our reader does not, and other people's tools do.
_OLD_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})


def text_of(
    head: tuple[str, ...],
    top: Fields,
    params: tuple[tuple[str, int], ...],
    items: tuple[DerivedItem, ...],
    rules: tuple[Fields, ...],
) -> str:
    """The text of a spec.

    Args:
        head: Comments at the top, one a line.
        top: `framework`, `dtype` and the like.
        params: The params with their values.
        items: What stands under `layers`; names are templates already.
        rules: What stands under `rules`.
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
    """A comment of one line; what a terminal might obey is escaped."""
    shown = "".join(c if c.isprintable() else " " for c in text).rstrip()
    return f"# {shown}".rstrip()


def layer_line(layer: DerivedLayer) -> str:
    """A layer in flow style."""
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
    """A value on a line of its own, where a template needs no quotes."""
    if isinstance(value, str) and "{" in value and _PLAIN_TEMPLATE.match(value):
        return value
    return inline(value)


def inline(value: Value) -> str:
    """A value within a line."""
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
    """A string, in quotes where YAML would take it for something else."""
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
    """A name as a template that gives it back: braces are doubled."""
    return text.replace("{", "{{").replace("}", "}}")
