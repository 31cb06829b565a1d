"""Tests of code that signals must not interrupt: they are recorded, and delivered at safe points."""

# ruff: noqa: PT012 - what is tested is a whole block

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

import pytest

from lecun_cli import signals
from lecun_cli.signals import Terminated, handle_signals, hold_signals

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore the handlers of this process after the test."""
    before = {number: signal.getsignal(number) for number in signals.SIGNALS}
    yield
    after = {number: signal.getsignal(number) for number in signals.SIGNALS}
    for number, handler in before.items():
        signal.signal(number, handler)
    signals._stop.number = None
    assert all(handler is not signals._note for handler in after.values())


class TestHeld:
    def test_a_signal_is_raised_when_the_block_ends(self) -> None:
        done = []
        with pytest.raises(KeyboardInterrupt), hold_signals():
            signal.raise_signal(signal.SIGINT)
            done.append(1)
        assert done == [1]

    def test_a_safe_point_raises_the_signal(self) -> None:
        done = []
        with pytest.raises(KeyboardInterrupt), hold_signals() as hold:
            hold.check()
            signal.raise_signal(signal.SIGINT)
            assert hold.pending
            done.append(1)
            hold.check()
            done.append(2)
        assert done == [1]

    def test_an_inner_block_leaves_the_signal_to_the_outer_one(self) -> None:
        done = []
        with pytest.raises(KeyboardInterrupt), hold_signals():
            with hold_signals():
                signal.raise_signal(signal.SIGINT)
            done.append(1)
        assert done == [1]

    def test_an_inner_safe_point_raises_the_signal_through_both(self) -> None:
        with pytest.raises(KeyboardInterrupt), hold_signals(), hold_signals() as hold:
            signal.raise_signal(signal.SIGINT)
            hold.check()
        with hold_signals():
            pass  # nothing is left of it

    def test_a_signal_replaces_an_error_of_the_block(self) -> None:
        with pytest.raises(KeyboardInterrupt) as caught, hold_signals():
            signal.raise_signal(signal.SIGINT)
            raise ValueError("first")
        assert isinstance(caught.value.__context__, ValueError)

    def test_handlers_are_as_before(self) -> None:
        before = signal.getsignal(signal.SIGINT)
        with hold_signals():
            assert signal.getsignal(signal.SIGINT) is not before
        assert signal.getsignal(signal.SIGINT) is before

    def test_the_handler_of_the_host_program_is_called(self) -> None:
        calls = []
        signal.signal(signal.SIGTERM, lambda number, _: calls.append(number))
        with hold_signals():
            signal.raise_signal(signal.SIGTERM)
            assert calls == []
        assert calls == [signal.SIGTERM]

    def test_a_signal_that_is_ignored_stays_ignored(self) -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with hold_signals():
            signal.raise_signal(signal.SIGHUP)

    def test_a_late_signal_names_the_complete_files(self) -> None:
        with pytest.raises(KeyboardInterrupt) as caught, hold_signals() as hold:
            hold.completed("w is complete")
            signal.raise_signal(signal.SIGINT)
        assert caught.value.__notes__ == ["w is complete"]

    def test_other_threads_do_not_hold_signals(self) -> None:
        pending = []

        def work() -> None:
            with hold_signals() as hold:
                hold.check()
                pending.append(hold.pending)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert pending == [False]


class TestHandlers:
    @pytest.mark.parametrize(
        ("number", "error"),
        [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, Terminated), (signal.SIGHUP, Terminated)],
    )
    def test_each_signal_is_an_interrupt(self, number: int, error: type[BaseException]) -> None:
        handle_signals()
        with pytest.raises(error):
            signal.raise_signal(number)

    def test_a_second_signal_does_not_cut_the_cleanup_short(self) -> None:
        handle_signals()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    def test_a_later_signal_still_works(self, monkeypatch: pytest.MonkeyPatch) -> None:
        handle_signals()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        later = time.monotonic() + signals.GRACE_SECONDS
        monkeypatch.setattr(time, "monotonic", lambda: later)
        with pytest.raises(Terminated):
            signal.raise_signal(signal.SIGTERM)

    def test_a_signal_that_foreign_code_swallowed_is_raised_at_the_next_safe_point(self) -> None:
        handle_signals()
        signals.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signals.check()
        with pytest.raises(KeyboardInterrupt), hold_signals() as hold:
            hold.check()
