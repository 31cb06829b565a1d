"""The entry point: handle signals, and turn every error into one message and an exit code."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from typing import NoReturn

from lecun_cli.signals import Terminated, check, handle_signals

INTERRUPTED = 130


class Carried(Exception):  # noqa: N818 - a carrier, not an error
    """An interruption or a closed pipe on its way past Typer, which would swallow both."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


def main() -> NoReturn:
    """Run the command line and exit, without a traceback.

    Exit codes: 0 success, 1 failure, 2 incorrect usage or an invalid spec, 3 a difference or a problem was
    found (`verify`, `inspect --check`), 130 interrupted.
    """
    # A plan consists of many small objects without cycles: the cyclic garbage collector only costs time.
    gc.disable()
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run the command line.

    Args:
        args: The arguments, without the name of the program.

    Returns:
        The exit code.
    """
    try:
        try:
            handle_signals()
            from lecun_cli.cli.app import app

            code = app(args, prog_name="lecun-init", standalone_mode=False)
            check()  # Typer turns an interrupt while it parses arguments into an exit code
            sys.stdout.flush()
            return int(code or 0)
        except Carried as carried:
            raise carried.error from None
        except Exception:
            check()  # foreign code may turn an interrupt into an error of its own (CPython's compiler does)
            raise
    except KeyboardInterrupt as error:
        event = "terminated" if isinstance(error, Terminated) else "interrupted"
        outcome = "; ".join(_notes(error)) or "no partial file is left"
        return _print_error(f"{event}: {outcome}", INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()
        return _print_error("error: stdout was closed before everything was written", 1)
    except MemoryError:
        return _print_error("error: not enough memory", 1, "reduce --chunk-size, --workers or --samples")
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    from typer._click.exceptions import ClickException

    from lecun_cli.errors import LecunInitError, SpecError

    if isinstance(error, ClickException):
        error.show()
        advice = _advice(error.format_message())
        return _print_error("", error.exit_code, advice) if advice else error.exit_code
    if isinstance(error, SpecError):
        return _print_error(str(error), error.exit_code)
    if isinstance(error, LecunInitError):
        message = "\n".join((f"error: {error.message}", *(f"  = note: {note}" for note in _notes(error))))
        return _print_error(message, error.exit_code, error.help)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        from lecun_cli.display.text import quote

        return _print_error(f"error: the path {quote(str(error.filename))} is too long", 2)
    if os.environ.get("LECUN_INIT_DEBUG"):
        raise error
    text = " ".join(f"{type(error).__name__}: {error}".split())
    advice = "this is a bug in lecun-init; please report it (LECUN_INIT_DEBUG=1 shows the traceback)"
    return _print_error(f"internal error: {text}", 1, advice)


def _advice(message: str) -> str | None:
    """Return advice about a usage error that the parser reports without advice."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, message)), None)


_ADVICE = (
    ("Missing option '--output'", "name the weight file: lecun-init SPEC -o weights.safetensors"),
    (
        "Missing argument 'SPEC'",
        "give a YAML or JSON file, or the name of a sample; lecun-init samples lists them",
    ),
    ("Missing argument 'TENSOR'", "lecun-init plan SPEC lists the tensors"),
    ("extra argument", "an option takes one value; separate several with commas: --set a=1,b=2"),
    (r"No such option: -o\b", "only generate and derive write a file with -o"),
    (r"No such option: -\d", "put a range that begins with a minus sign in brackets: [-1]"),
)
"""A pattern of a message of the parser, and the advice for it."""


def _print_error(message: str, code: int, advice: str | None = None) -> int:
    line = f"{message}\n" if message else ""
    text = f"{line}  = help: {advice}\n" if advice else line
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # stderr is closed: only the exit code is left
    return code


def _notes(error: BaseException) -> list[str]:
    """Return the notes that clean-up code added: what is complete, or what could not be removed."""
    return getattr(error, "__notes__", [])


def _drop_stdout() -> None:
    """Keep the interpreter from writing to the closed pipe again when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
