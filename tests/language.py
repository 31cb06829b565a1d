"""Check the language of the project: `python -m tests.language [--counts] [ROOT]`.

The project is written in plain American English (see `.github/CONTRIBUTING.md`). This script finds the
habits that make its prose hard to read, in code, comments, documentation and sample specs. It prints one line
per match, `path:line: rule: text`, and exits with 1 if there is any. With `--counts`, it prints the number of
matches of each rule instead, with those of `TRENDS`, which also match good English and do not fail the check.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = (
    "*.md",
    "*.toml",
    "*.yaml",
    "Makefile",
    ".github/**/*",
    "lecun_cli/**/*.py",
    "lecun_cli/**/*.pyi",
    "lecun_cli/**/*.[ch]",
    "lecun_cli/**/*.md",
    "lecun_cli/**/*.yaml",
    "sample_specs/*.yaml",
    "tests/**/*.py",
    "tests/**/*.[ch]",
    "tests/**/*.md",
)

BRITISH = (
    r"\w*(?:recogni|initiali|normali|standardi|optimi|seriali|vectori|regulari|summari|organi|generali|minimi|"
    r"maximi|utili|reali|speciali|customi|prioriti|parametri|tokeni|quanti|synchroni|finali)s(?:e|ed|es|er|ers|"
    r"ing|ation|ations)\b|\b(?:un)?(?:colour|behaviour|favour|honour|neighbour|flavour|harbour)\w*|\bcentr(?:e|es|"
    r"ed|ing)\b|\bjudgement\w*|\bgrey\w*|\b(?:label|level|travel|model|signal)l(?:ed|ing)\b|\banaly(?:se|sed|"
    r"sing)\b|\blearnt\b|\bcatalogue\w*|\blicences?\b|\bartefact\w*|\bwhilst\b"
)

RULES = {
    "'is no' (write 'is not a')": r"(?<!there )\b(?:is|are|was|were) no\b(?! (?:longer|more than|less than))",
    "'there is none'": r"\bthere (?:is|are|was|were) (?:none|not)\b|\bhas none\b|\bhave none\b",
    "'which there is not'": r"\bwhich there (?:is|are) not\b",
    "'told'": r"\btold\b(?! apart)",
    "'hold against'": r"\b(?:hold|holds|held|holding)\b[^.;]{0,40}\bagainst\b",
    "'stands' for 'is'": r"\bstands?\b(?![ -](?:alone|for|in for|out)\b)|\bstood\b",
    "'anew'": r"\banew\b",
    "'of use'": r"\bof (?:no )?use\b(?=[ ]*[.,;:)\"]|$)",
    "'anybody' (write 'anyone')": r"\banybody\w*|\bsomebody\w*|\bnobody\w*",
    "British spelling": BRITISH,
}

TRENDS = {
    "'there is no'": r"\bthere (?:is|are|was|were) no\b",
    "'none' as a pronoun": r"(?<![\w`\"'=.:/|-])none(?![\w`\"'=(|]|-| of\b)",
    "'lies' for 'is'": r"\blies?\b(?! (?:in|between|on|below|above|outside|inside|within|past)\b)",
}

OPENINGS = re.compile(r"What\b|Whether there\b|Told\b|Of what\b|Where there\b")
"""Docstrings must not begin with these: they hide the subject of the sentence."""

LOCALS = frozenset({"found", "made", "said", "told"})
"""Names that say how a value arose, not what it is."""

ALLOWED: tuple[tuple[str, str, str], ...] = (
    # (path, part of the line, reason)
    (".github/CONTRIBUTING.md", '- Write "is not a"', "quotes the habits"),
    ("lecun_cli/propagation/signal_verdict.py", "said: str", "a key of the output of propagate --json"),
    ("CHANGELOG.md", "`off centre`", "the name of a verdict of 0.1.0"),
)


@dataclass(frozen=True)
class Match:
    """A place where the language breaks a rule."""

    path: str
    line: int
    rule: str
    text: str


def main(arguments: list[str]) -> int:
    """Print the matches, or their counts; return the exit status."""
    counts_only = "--counts" in arguments
    roots = [argument for argument in arguments if argument != "--counts"]
    root = Path(roots[0] if roots else ".")
    matches = sorted(set(find(root)), key=lambda match: (match.path, match.line, match.rule))
    if counts_only:
        counts = Counter(match.rule for match in matches)
        for rule in (*RULES, "opening of a docstring", "name of a local", *TRENDS):
            print(f"{counts[rule]:5d}  {rule}")
        print(f"{len(matches):5d}  in all")
        return 0
    matches = [match for match in matches if match.rule not in TRENDS]
    for match in matches:
        print(f"{match.path}:{match.line}: {match.rule}: {match.text}")
    return 1 if matches else 0


def find(root: Path) -> Iterator[Match]:
    """Yield every match in the files below a folder."""
    paths = {path.resolve() for pattern in SOURCES for path in root.glob(pattern) if path.is_file()}
    for path in sorted(paths - {Path(__file__).resolve()}):
        name = path.relative_to(root.resolve()).as_posix()
        text = path.read_text(encoding="utf-8")
        lines = text.splitlines()
        for number, rule in _in_lines(lines):
            if not _is_allowed(name, lines[number - 1]):
                yield Match(name, number, rule, lines[number - 1].strip())
        if path.suffix == ".py":
            for number, rule in _in_syntax(ast.parse(text), check_locals=name.startswith("lecun_cli/")):
                if not _is_allowed(name, lines[number - 1]):
                    yield Match(name, number, rule, lines[number - 1].strip())


def _in_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(lines, 1):
        for rule, pattern in _PATTERNS.items():
            if pattern.search(line):
                yield number, rule


def _in_syntax(tree: ast.Module, *, check_locals: bool) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
            and OPENINGS.match(node.value.value.strip())
        ):
            yield node.lineno, "opening of a docstring"
        if check_locals and (
            (isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in LOCALS)
            or (isinstance(node, ast.arg) and node.arg in LOCALS)
        ):
            yield node.lineno, "name of a local"


def _is_allowed(path: str, line: str) -> bool:
    return any(path == allowed and part in line for allowed, part, _ in ALLOWED)


_PATTERNS = {
    rule: re.compile(pattern, 0 if "pronoun" in rule else re.IGNORECASE)
    for rule, pattern in {**RULES, **TRENDS}.items()
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
