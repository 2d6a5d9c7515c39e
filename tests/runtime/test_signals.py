import contextlib
import os
import signal
import threading

import pytest

from rnnexp.runtime.signals import Interruption, Killed, interruption

SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])


@SIGNALS
def test_a_signal_is_raised_where_it_comes(number):
    with pytest.raises(Killed) as killed, interruption():
        os.kill(os.getpid(), number)
        pytest.fail("the signal was not raised")
    assert killed.value.number == number
    assert killed.value.exit_code == 128 + number
    assert str(killed.value) == f"stopped by {number.name}"


def test_an_except_clause_does_not_catch_it():
    assert not issubclass(Killed, Exception)


@SIGNALS
def test_the_handlers_found_are_put_back(number):
    found = signal.getsignal(number)
    with interruption() as signals:
        assert signal.getsignal(number) == signals.receive
    assert signal.getsignal(number) is found
    with pytest.raises(KeyError), interruption():
        raise KeyError
    assert signal.getsignal(number) is found


def test_a_deferred_signal_waits_for_the_check():
    reached = []
    with interruption() as signals, signals.deferred():
        signal.raise_signal(signal.SIGTERM)
        reached.append("after the signal")
        with pytest.raises(Killed, match="SIGTERM"):
            signals.check()
    assert reached == ["after the signal"]


def test_a_deferred_signal_is_still_there_after_the_block():
    with interruption() as signals:
        with signals.deferred():
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(Killed, match="SIGINT"):
            signals.check()


def test_what_is_raised_after_a_signal_follows_from_it():
    with pytest.raises(Killed, match="SIGINT") as killed, interruption():
        with contextlib.suppress(Killed):
            signal.raise_signal(signal.SIGINT)
        raise SystemError("returned a result with an exception set")
    assert isinstance(killed.value.__cause__, SystemError)


def test_what_nohup_ignores_stops_nothing():
    found = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruption():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, found)


def test_who_insists_is_obeyed():
    with interruption() as signals, signals.deferred():
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(Killed, match="SIGTERM"):
            signal.raise_signal(signal.SIGTERM)


def test_after_one_was_raised_the_next_is_held_again():
    with interruption() as signals:
        with pytest.raises(Killed):
            signal.raise_signal(signal.SIGINT)
        with signals.deferred():
            signal.raise_signal(signal.SIGINT)  # a second Ctrl-C, while records are closed
            with pytest.raises(Killed):
                signal.raise_signal(signal.SIGINT)


def test_admitted_raises_new_and_waiting_signals():
    with interruption() as signals, signals.deferred():
        with pytest.raises(Killed), signals.admitted():
            signal.raise_signal(signal.SIGTERM)
            pytest.fail("the signal was not raised")
        signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Killed), signals.admitted():
            pytest.fail("the signal that waited was not raised")


def test_blocks_inside_blocks():
    with interruption() as signals, signals.deferred():
        with signals.admitted():
            with signals.deferred():
                pass
            with pytest.raises(Killed):
                signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)


def test_check_raises_a_signal_whose_exception_was_lost():
    with interruption() as signals:
        # As in a library that is interrupted while it imports something.
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(Killed, match="SIGTERM"):
            signals.check()


def test_without_a_signal_nothing_happens():
    with interruption() as signals, signals.deferred(), signals.admitted():
        signals.check()


def test_another_thread_cannot_handle_signals_and_does_without():
    caught: list[Interruption] = []

    def work() -> None:
        with interruption() as signals, signals.deferred():
            signals.check()
            caught.append(signals)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(caught) == 1
