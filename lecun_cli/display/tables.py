"""A Spec, Plan or Manifest at a glance: one line, a table for a terminal, or HTML for a notebook."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from lecun_cli.display.units import format_nbytes

if TYPE_CHECKING:
    from rich.console import RenderableType

    from lecun_cli.manifest.model import Manifest
    from lecun_cli.plan.types import Part, Plan, TensorPlan
    from lecun_cli.spec.load import Spec

MOST_ROWS = 40
"""Rows of an overview; a model has thousands, and a glance takes in fewer."""

Row = tuple[str, ...]

TENSOR_COLUMNS = ("tensor", "dtype", "shape", "initializer", "fan_in", "std", "weights")
RIGHT = frozenset({"fan_in", "std", "weights"})
"""Columns of numbers."""


@dataclass(frozen=True)
class Overview:
    """A table with a title.

    Attributes:
        title: One line.
        columns: The headings.
        rows: The first cells, as many as are shown.
        n_rows: How many there are in all.
    """

    title: str
    columns: Row
    rows: tuple[Row, ...]
    n_rows: int


class Shown:
    """Shown by its overview: in one line, by rich, and in notebooks."""

    def overview(self) -> Overview:
        """What is shown."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.overview().title}>"

    def __rich__(self) -> RenderableType:
        return to_rich(self.overview())

    def _repr_html_(self) -> str:
        return to_html(self.overview())


def tensor_row(tensor: TensorPlan) -> Row:
    """A planned tensor under `TENSOR_COLUMNS`."""
    first = tensor.parts[0]
    return (
        tensor.name,
        tensor.dtype,
        "x".join(map(str, tensor.shape)) or "scalar",
        first.initializer.name,
        fan_in(first),
        f"{first.law.std:.4g}" if first.initializer.is_random else "",
        f"{tensor.n_elements:,}",
    )


def fan_in(part: Part) -> str:
    """The fan-in in force, and the exact one beside it where the two differ."""
    if part.fans is None or not part.initializer.needs_fans:
        return ""
    shown = f"{part.fans.fan_in:.10g}"
    if part.exact is not None and part.exact.fan_in != part.fans.fan_in:
        return f"{shown} (exact {part.exact.fan_in:.10g})"
    return shown


def of_plan(plan: Plan) -> Overview:
    """A plan's tensors."""
    seed = "no seed yet" if plan.seed is None else f"seed {plan.seed}"
    title = (
        f"Plan: {len(plan.tensors):,} tensors, {plan.n_elements:,} weights, {format_nbytes(plan.nbytes)}, "
        f"{plan.framework}, fan rule {plan.fan_rule}, {seed}"
    )
    rows = tuple(tensor_row(tensor) for tensor in plan.tensors[:MOST_ROWS])
    return Overview(title, TENSOR_COLUMNS, rows, len(plan.tensors))


def of_manifest(manifest: Manifest) -> Overview:
    """A manifest's tensors, each with the beginning of its digest."""
    nbytes = sum(file.nbytes for file in manifest.files)
    files = ", ".join(file.name for file in manifest.files[:3]) + (", …" if len(manifest.files) > 3 else "")
    title = (
        f"Manifest of {files}: {len(manifest.tensors):,} tensors, {format_nbytes(nbytes)}, "
        f"{manifest.framework}, seed {manifest.seed}, lecun-init {manifest.version}"
    )
    rows = tuple((*tensor_row(entry.tensor), entry.sha256[:12]) for entry in manifest.tensors[:MOST_ROWS])
    return Overview(title, (*TENSOR_COLUMNS, "sha256"), rows, len(manifest.tensors))


def of_spec(spec: Spec) -> Overview:
    """A spec's layers, with the fields that were given."""
    seed = "no seed" if spec.seed is None else f"seed {spec.seed}"
    title = f"Spec {spec.source}: {len(spec.layers):,} layers, {spec.framework}, {spec.dtype}, {seed}"
    rows = tuple(
        ("/".join(placed.path), placed.kind, _fields(placed.layer)) for placed in spec.layers[:MOST_ROWS]
    )
    return Overview(title, ("layer", "kind", "fields"), rows, len(spec.layers))


def _fields(layer: object) -> str:
    given: Iterable[str] = getattr(layer, "model_fields_set", ())
    shown = (name for name in type(layer).model_fields if name in given)  # type: ignore[attr-defined]
    return ", ".join(
        f"{name} {_word(getattr(layer, name))}" for name in shown if name not in {"type", "name"}
    )


def _word(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "x".join(map(str, value)) or "scalar"
    return str(getattr(value, "name", value))


def to_rich(overview: Overview) -> RenderableType:
    """A table for `rich.print` and for consoles."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(title=overview.title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in overview.columns:
        made.add_column(heading, justify="right" if heading in RIGHT else "left")
    for row in overview.rows:
        made.add_row(*map(Text, row))
    if _more(overview):
        made.caption = _more(overview)
    return made


def to_html(overview: Overview) -> str:
    """A table for notebooks."""
    head = "".join(_cell("th", name, name) for name in overview.columns)
    body = "".join(
        "<tr>"
        + "".join(_cell("td", name, cell) for name, cell in zip(overview.columns, row, strict=True))
        + "</tr>"
        for row in overview.rows
    )
    caption = f"<p>{escape(_more(overview))}</p>" if _more(overview) else ""
    return (
        f"<div><p><b>{escape(overview.title)}</b></p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{caption}</div>"
    )


def _cell(tag: str, column: str, text: str) -> str:
    side = "right" if column in RIGHT else "left"
    return f'<{tag} style="text-align: {side}">{escape(text)}</{tag}>'


def _more(overview: Overview) -> str:
    hidden = overview.n_rows - len(overview.rows)
    return f"… and {hidden:,} more" if hidden else ""
