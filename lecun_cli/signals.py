"""Signal handlers, and a way to keep signals from interrupting critical code.

A Python signal handler may raise an exception between any two instructions. That is fine in a computation,
but not in two places: between the renames that publish a set of files, and in a callback from a C library,
which may swallow the exception and continue with half of its work. Such code runs inside `hold_signals()`:
a signal is then recorded only, and delivered when the code calls `Hold.check` or leaves the block.

    with hold_signals() as hold:
        for dataset in datasets:
            hold.check()  # a safe point: raises KeyboardInterrupt if a signal has arrived
            create(dataset)
"""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType, TracebackType

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""The signals that end a run."""

GRACE_SECONDS = 1.0
"""A second signal within this time after the first is ignored, so that it does not cut the clean-up short."""


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP: ends a run like Ctrl-C, through every `finally`."""


class _Stop:
    """The handler of the command line: it raises once, then leaves time to clean up."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._raised_at = 0.0

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if self.number is not None and now - self._raised_at < GRACE_SECONDS:
            return
        self.number, self._raised_at = number, now
        raise _exception(number)

    def check(self) -> None:
        """Raise again if a signal has ended this run and the exception was swallowed on its way."""
        if self.number is not None:
            self._raised_at = time.monotonic()
            raise _exception(self.number)


_stop = _Stop()


def _exception(number: int) -> KeyboardInterrupt:
    return KeyboardInterrupt() if number == signal.SIGINT else Terminated()


def handle_signals() -> None:
    """Install the handlers of the command line; signals that the parent process ignores stay ignored."""
    global _stop  # noqa: PLW0603 - the state of the process: one run, one set of handlers
    _stop = _Stop()
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


def check() -> None:
    """Raise if a signal has ended this run and its exception was swallowed by foreign code.

    Call it from a loop of the normal path, never from clean-up code.

    Raises:
        KeyboardInterrupt: A signal has arrived.
    """
    _stop.check()


class _State:
    """The state of all `hold_signals()` blocks of the main thread, in which Python runs signal handlers."""

    depth = 0
    pending: int | None = None
    outcome: str | None = None
    previous: dict[int, Any] = {}  # noqa: RUF012 - one state for the process, on purpose


def _note(number: int, frame: FrameType | None) -> None:
    if _State.depth:
        _State.pending = number
    else:  # a signal that arrives while handlers are being exchanged
        _deliver(number, frame)


def _deliver(number: int, frame: FrameType | None = None) -> None:
    handler = _State.previous.get(number)
    if not callable(handler) or handler is _note:
        handler = signal.getsignal(number)
    if callable(handler) and handler is not _note:
        handler(number, frame)


class Hold:
    """A range of code in which signals are recorded, not raised. Use `hold_signals()`.

    Only signals with a Python handler are held; a signal that kills the process still does. In other
    threads than the main one, a hold does nothing, because Python raises signals in the main thread only.
    """

    def __init__(self) -> None:
        self._active = False

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        if _State.depth == 0:
            _State.pending = _State.outcome = None
        _State.depth += 1  # from here on, our handler only records signals
        self._active = True
        if _State.depth == 1:
            try:
                _install()
            except BaseException:  # a signal whose handler was not exchanged yet
                self._active = False
                _State.depth -= 1
                _restore()
                raise
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._active:
            return
        self._active = False
        if _State.depth > 1:
            _State.depth -= 1
            return
        try:
            _State.depth -= 1
            _restore()
            number, _State.pending = _State.pending, None
            if number is not None and not isinstance(error, KeyboardInterrupt):
                _deliver(number)
        except KeyboardInterrupt as interrupt:
            if _State.outcome is not None and error is None:
                interrupt.add_note(_State.outcome)
            raise

    def check(self) -> None:
        """Deliver a signal that has arrived. Call this at safe points.

        Raises:
            KeyboardInterrupt: A signal has arrived (or whatever its handler raises).
        """
        if not self._active:
            return
        number, _State.pending = _State.pending, None
        if number is not None:
            _deliver(number)
        _stop.check()

    @property
    def pending(self) -> bool:
        """If true, a signal has arrived and was not delivered yet."""
        return self._active and _State.pending is not None

    def completed(self, outcome: str) -> None:
        """Record the outcome of the block, which becomes a note of the exception of a late signal.

        Args:
            outcome: A clause such as `w.safetensors is complete`.
        """
        if self._active:
            _State.outcome = outcome


def hold_signals() -> Hold:
    """Return a context manager that holds signals; see `Hold`. Blocks may be nested."""
    return Hold()


def _install() -> None:
    for number in SIGNALS:
        handler = signal.getsignal(number)
        if callable(handler) and handler is not _note:
            _State.previous[number] = handler
            signal.signal(number, _note)


def _restore() -> None:
    # A signal may arrive in here; `_note` passes on those whose handlers are not restored yet.
    for number, handler in list(_State.previous.items()):
        if signal.getsignal(number) is _note:
            signal.signal(number, handler)
        _State.previous.pop(number, None)
