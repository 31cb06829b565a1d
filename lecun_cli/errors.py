"""Every error that a user can meet, each with its exit code.

    LecunInitError                1  anything of ours
    |-- UsageError                2  options that do not go together, a path that is not there
    |-- SpecError                 2  faults in a spec, each with its place
    |   `-- PlanError             2  a spec that reads well and cannot be laid out
    |-- DeriveError               2  a model or a checkpoint that no spec can be derived from
    |-- OutputError               1  the disk, the folder, the pipe
    |-- ManifestError             1  a manifest that cannot be read or does not hold together
    `-- WeightFileError           1  a weight file that cannot be read

A message says the rule, what was found, where, and what to do. Foreign exceptions are turned into
one of these where they arise.
"""

from __future__ import annotations

from dataclasses import dataclass


class LecunInitError(Exception):
    """Base of every error that lecun-init raises on purpose.

    Attributes:
        message: One sentence: the rule, what was found, and where.
        help: What to do about it, or None.
    """

    exit_code = 1

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\n  = help: {self.help}" if self.help else self.message


class UsageError(LecunInitError, ValueError):
    """Options or arguments that cannot be carried out."""

    exit_code = 2


@dataclass(frozen=True)
class Span:
    """A range of one line of a spec. Lines and columns count from 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Diagnostic:
    """One fault in a spec.

    Attributes:
        message: The rule and what was found.
        span: Where, if it has a place.
        help: What to do about it.
        related: A second place with a word about it ("first given here").
    """

    message: str
    span: Span | None = None
    help: str | None = None
    related: tuple[Span, str] | None = None


class SpecError(LecunInitError, ValueError):
    """One or more faults in a spec, each with its place.

    Attributes:
        diagnostics: Every fault found in one run, in the order of the text.
        source: The name of the spec as the user gave it.
    """

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...], *, source: str, text: str = "") -> None:
        self.diagnostics = diagnostics
        self.source = source
        lines = text.splitlines()
        super().__init__("\n".join(render(d, source, lines) for d in diagnostics))


class PlanError(SpecError):
    """A spec that reads well but cannot be laid out (duplicate names, sizes that overflow)."""


class DeriveError(LecunInitError, ValueError):
    """A model or a checkpoint that no spec can be derived from."""

    exit_code = 2


class OutputError(LecunInitError, OSError):
    """The output cannot be written: the fault is the machine's (disk, folder, pipe)."""


class ManifestError(LecunInitError, ValueError):
    """A manifest that cannot be read, or does not hold together."""


class WeightFileError(LecunInitError, ValueError):
    """A weight file that cannot be read."""


def render(diagnostic: Diagnostic, source: str, lines: list[str]) -> str:
    """One fault as text: `spec.yaml:12:14: message`, the source line, a caret, and what to do."""
    out = []
    span = diagnostic.span
    head = f"{source}:{span.line}:{span.column}" if span else source
    out.append(f"{head}: error: {diagnostic.message}")
    if span:
        out += _excerpt(span, lines)
    if diagnostic.related:
        note_span, note = diagnostic.related
        out.append(f"{source}:{note_span.line}:{note_span.column}: note: {note}")
        out += _excerpt(note_span, lines)
    if diagnostic.help:
        out.append(f"  = help: {diagnostic.help}")
    return "\n".join(out)


_WIDEST = 120


def _excerpt(span: Span, lines: list[str]) -> list[str]:
    if not 1 <= span.line <= len(lines):
        return []
    text = lines[span.line - 1].replace("\t", " ")
    first = max(0, span.column - 1 - _WIDEST // 2) if len(text) > _WIDEST else 0
    shown = text[first : first + _WIDEST].rstrip()
    column = span.column - 1 - first
    width = max(1, min(span.width, len(shown) - column))
    number = str(span.line)
    gutter = " " * len(number)
    return [f"{gutter} |", f"{number} | {shown}", f"{gutter} | {' ' * column}{'^' * width}"]


def describe(value: object) -> str:
    """A value and its type in words: `the string "64"`, `the number 0.5`, `no value`."""
    match value:
        case None:
            return "no value"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            text = repr(value)
            return f"the number {text if len(text) <= 40 else text[:37] + '...'}"
        case str():
            return f'the string "{value if len(value) <= 60 else value[:57] + "..."}"'
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"
