"""Short views of a Spec, Plan or Manifest: one line, a table for a terminal, or HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lecun_cli.display.text import shape_text
from lecun_cli.display.units import format_nbytes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lecun_cli.manifest.model import Manifest
    from lecun_cli.plan.types import PackedParameter, Plan, TensorPlan
    from lecun_cli.spec.load import Spec

MOST_ROWS = 40
"""Maximum number of rows of a table; a model may have thousands of tensors."""

Row = tuple[str, ...]

TENSOR_COLUMNS = ("tensor", "dtype", "shape", "initializer", "fan_in", "std", "weights")
RIGHT = frozenset({"fan_in", "std", "weights"})
"""Columns of numbers, which are aligned to the right."""


@dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes:
        title: One line.
        columns: Headings of the columns.
        rows: The first rows, at most `MOST_ROWS`.
        n_rows: Number of all rows.
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    n_rows: int


class TableRepr:
    """Mixin that shows an object as its table: one line for `repr`, a table for rich and notebooks."""

    def table(self) -> Table:
        """Return the table that represents this object."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.table().title}>"

    def __rich__(self) -> RenderableType:
        return to_rich(self.table())

    def _repr_html_(self) -> str:
        return to_html(self.table())


def tensor_row(tensor: TensorPlan) -> Row:
    """Return the row of a planned tensor, with the columns `TENSOR_COLUMNS`."""
    first = tensor.parts[0]
    return (
        tensor.name,
        tensor.dtype,
        shape_text(tensor.shape),
        first.initializer.name,
        fan_in(first),
        f"{first.distribution.std:.4g}" if first.initializer.is_random else "",
        f"{tensor.n_elements:,}",
    )


def fan_in(part: PackedParameter) -> str:
    """Return the fan-in of a parameter, with the exact one if the two differ, or an empty text."""
    if part.fans is None or not part.initializer.needs_fans:
        return ""
    shown = f"{part.fans.fan_in:.10g}"
    if part.exact is not None and part.exact.fan_in != part.fans.fan_in:
        return f"{shown} (exact {part.exact.fan_in:.10g})"
    return shown


def of_plan(plan: Plan) -> Table:
    """Return the table of the tensors of a plan."""
    seed = "no seed yet" if plan.seed is None else f"seed {plan.seed}"
    title = (
        f"Plan: {len(plan.tensors):,} tensors, {plan.n_elements:,} weights, {format_nbytes(plan.nbytes)}, "
        f"{plan.framework}, fan rule {plan.fan_rule}, {seed}"
    )
    rows = tuple(tensor_row(tensor) for tensor in plan.tensors[:MOST_ROWS])
    return Table(title, TENSOR_COLUMNS, rows, len(plan.tensors))


def of_manifest(manifest: Manifest) -> Table:
    """Return the table of the tensors of a manifest, each with the first digits of its digest."""
    nbytes = sum(file.nbytes for file in manifest.files)
    files = ", ".join(file.name for file in manifest.files[:3]) + (", …" if len(manifest.files) > 3 else "")
    title = (
        f"Manifest of {files}: {len(manifest.tensors):,} tensors, {format_nbytes(nbytes)}, "
        f"{manifest.framework}, seed {manifest.seed}, lecun-init {manifest.version}"
    )
    rows = tuple((*tensor_row(entry.tensor), entry.sha256[:12]) for entry in manifest.tensors[:MOST_ROWS])
    return Table(title, (*TENSOR_COLUMNS, "sha256"), rows, len(manifest.tensors))


def of_spec(spec: Spec) -> Table:
    """Return the table of the layers of a spec, with the fields that the spec sets."""
    seed = "no seed" if spec.seed is None else f"seed {spec.seed}"
    title = f"Spec {spec.source}: {len(spec.layers):,} layers, {spec.framework}, {spec.dtype}, {seed}"
    rows = tuple(
        ("/".join(expanded.path), expanded.layer_type, _fields(expanded.layer))
        for expanded in spec.layers[:MOST_ROWS]
    )
    return Table(title, ("layer", "type", "fields"), rows, len(spec.layers))


def _fields(layer: object) -> str:
    fields_set: Iterable[str] = getattr(layer, "model_fields_set", ())
    shown = (name for name in type(layer).model_fields if name in fields_set)  # type: ignore[attr-defined]
    return ", ".join(
        f"{name} {_text(getattr(layer, name))}" for name in shown if name not in {"type", "name"}
    )


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return shape_text(value)
    return str(getattr(value, "name", value))


def to_rich(table: Table) -> RenderableType:
    """Convert a table for `rich.print` and consoles."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    rich_table = RichTable(title=table.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in table.columns:
        rich_table.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in table.rows:
        rich_table.add_row(*map(Text, row))
    if _more(table):
        rich_table.caption = _more(table)
    return rich_table


def to_html(table: Table) -> str:
    """Convert a table to HTML for notebooks."""
    head = "".join(_cell("th", name, name) for name in table.columns)
    body = "".join(
        "<tr>"
        + "".join(_cell("td", name, cell) for name, cell in zip(table.columns, row, strict=True))
        + "</tr>"
        for row in table.rows
    )
    caption = f"<p>{escape(_more(table))}</p>" if _more(table) else ""
    return (
        f"<div><p><b>{escape(table.title)}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{caption}</div>"
    )


def _cell(tag: str, column: str, text: str) -> str:
    side = "right" if column in RIGHT else "left"
    return f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'


def _more(table: Table) -> str:
    hidden = table.n_rows - len(table.rows)
    return f"… and {hidden:,} more" if hidden else ""
