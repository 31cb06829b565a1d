"""Errors that a user can cause, each with its exit code.

    LecunInitError                1  base of all errors
    |-- UsageError                2  contradicting options, a missing path
    |-- SpecError                 2  diagnostics about a spec, each with its span
    |   `-- PlanError             2  a valid spec that cannot be laid out
    |-- DeriveError               2  a model or a checkpoint without a spec
    |-- OutputError               1  the disk, the folder, the pipe
    |-- ManifestError             1  an unreadable or inconsistent manifest
    `-- WeightFileError           1  an unreadable weight file

A message has the form `<what is wrong>: expected <rule>, got <value>`, and `help` says what to do. Foreign
exceptions are converted to one of these where they arise.
"""

from __future__ import annotations

from dataclasses import dataclass


class LecunInitError(Exception):
    """Base of every error that lecun-init raises on purpose.

    Attributes:
        message: One sentence: what is wrong, the rule, and the value.
        help: Advice for the user, or None.
    """

    exit_code = 1

    def __init__(self, message: str, *, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help

    def __str__(self) -> str:
        return f"{self.message}\n  = help: {self.help}" if self.help else self.message


class UsageError(LecunInitError, ValueError):
    """Invalid or contradicting options or arguments."""

    exit_code = 2


@dataclass(frozen=True)
class Span:
    """Range of characters in one line of a spec. Lines and columns count from 1."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Diagnostic:
    """One error in a spec.

    Attributes:
        message: The rule and the value.
        span: Location in the text, or None.
        help: Advice for the user, or None.
        related: A second location with a note about it ("first given here"), or None.
    """

    message: str
    span: Span | None = None
    help: str | None = None
    related: tuple[Span, str] | None = None


class SpecError(LecunInitError, ValueError):
    """One or more errors in a spec, each with its location.

    Attributes:
        diagnostics: All diagnostics of one run, in the order of the text.
        source: Name of the spec, as the user gave it.
    """

    exit_code = 2

    def __init__(self, diagnostics: tuple[Diagnostic, ...], *, source: str, text: str = "") -> None:
        self.diagnostics = diagnostics
        self.source = source
        lines = text.splitlines()
        super().__init__("\n".join(render(d, source, lines) for d in diagnostics))


class PlanError(SpecError):
    """A valid spec that cannot be laid out (duplicate names, sizes that overflow)."""


class DeriveError(LecunInitError, ValueError):
    """A model or a checkpoint from which a spec cannot be derived."""

    exit_code = 2


class OutputError(LecunInitError, OSError):
    """Output that the machine cannot write (disk, folder, pipe)."""


class ManifestError(LecunInitError, ValueError):
    """An unreadable or inconsistent manifest."""


class WeightFileError(LecunInitError, ValueError):
    """An unreadable weight file."""


def render(diagnostic: Diagnostic, source: str, lines: list[str]) -> str:
    """Return a diagnostic as text: `spec.yaml:12:14: error: message`, the line, carets, and the help."""
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
    """Return a value with its type, for messages: `the string "64"`, `the number 0.5`, `no value`."""
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
