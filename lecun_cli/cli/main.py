"""The entry point: signals, and errors turned into one message and an exit code."""

from __future__ import annotations

import gc
import os
import re
import sys
from typing import NoReturn

from lecun_cli.signals import Terminated, check, handle_signals

INTERRUPTED = 130


class Carried(Exception):  # noqa: N818 - it is no error of its own
    """An interruption or a closed pipe, carried past Typer, which would swallow both."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(repr(error))
        self.error = error


def main() -> NoReturn:
    """Run the command line and exit; never a traceback.

    Exit codes: 0 done, 1 failed, 2 bad usage or bad spec, 3 verification found a difference,
    130 interrupted.
    """
    # A plan is many small objects and no cycles: to look for some again and again is for nothing.
    gc.disable()
    sys.exit(run(sys.argv[1:]))


def run(args: list[str]) -> int:
    """Run the command line.

    Args:
        args: The arguments, without the program's name.

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
        return _say(f"{event}: {outcome}", INTERRUPTED)
    except BrokenPipeError:
        _drop_stdout()
        return _say("error: stdout was closed before everything was written", 1)
    except MemoryError:
        return _say(
            "error: not enough memory", 1, "give a smaller --chunk-size, or fewer --workers or --samples"
        )
    except Exception as error:
        return _report(error)


def _report(error: Exception) -> int:
    from typer._click.exceptions import ClickException

    from lecun_cli.errors import LecunInitError, SpecError

    if isinstance(error, ClickException):
        error.show()
        advice = _advice(error.format_message())
        return _say("", error.exit_code, advice) if advice else error.exit_code
    if isinstance(error, SpecError):
        return _say(str(error), error.exit_code)
    if isinstance(error, LecunInitError):
        message = "\n".join((f"error: {error.message}", *(f"  = note: {note}" for note in _notes(error))))
        return _say(message, error.exit_code, error.help)
    if os.environ.get("LECUN_INIT_DEBUG"):
        raise error
    text = " ".join(f"{type(error).__name__}: {error}".split())
    advice = "this is a fault of lecun-init; please report it (LECUN_INIT_DEBUG=1 shows where it happened)"
    return _say(f"internal error: {text}", 1, advice)


def _advice(message: str) -> str | None:
    """What to do about a fault of usage, where the parser does not say it."""
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, message)), None)


# What the parser says, and what to do.
_ADVICE = (
    ("Missing option '--output'", "give -o and a file: lecun-init SPEC -o weights.safetensors"),
    ("Missing argument 'SPEC'", "give a YAML or JSON file, or a sample: lecun-init samples lists them"),
    ("Missing argument 'TENSOR'", "lecun-init plan SPEC lists the tensors"),
    ("extra argument", "no more words go here, and an option takes one: --set a=1,b=2"),
    (r"No such option: -o\b", "this command writes no file with -o; generate and derive do"),
    (r"No such option: -\d", "a range that begins with a minus stands in brackets: [-1]"),
)


def _say(message: str, code: int, advice: str | None = None) -> int:
    line = f"{message}\n" if message else ""
    text = f"{line}  = help: {advice}\n" if advice else line
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # stderr is closed: the exit code is all that is left to say
    return code


def _notes(error: BaseException) -> list[str]:
    """Facts that clean-up code added on the way: what is complete, or what could not be removed."""
    return getattr(error, "__notes__", [])


def _drop_stdout() -> None:
    """Keep the interpreter from writing to the closed pipe once more when it exits."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.close(null)
