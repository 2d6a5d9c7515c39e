"""Something that talks to MLflow, done in a thread that is waited for so long and no longer."""

import threading
import time
from collections.abc import Callable

_POLL = 0.05  # seconds between two looks at whether somebody wants the command to stop
_HURRY = 2.0  # seconds that are left to it then


def within(
    seconds: float, work: Callable[[], object], told_to_stop: Callable[[], bool] = lambda: False
) -> None:
    """Do `work`, and wait for it.

    Args:
        seconds: The longest wait; the thread is left behind then, and may come to its end later.
        work: What is done.
        told_to_stop: Whether somebody wants the command to stop, which leaves two seconds.

    Raises:
        TimeoutError: It takes longer.
        Exception: What `work` raises.
    """
    failed: list[Exception] = []

    def attempt() -> None:
        try:
            work()
        except Exception as error:
            failed.append(error)

    thread, began = threading.Thread(target=attempt, daemon=True), time.monotonic()
    thread.start()
    while thread.is_alive():
        thread.join(_POLL)
        if time.monotonic() - began > (min(seconds, _HURRY) if told_to_stop() else seconds):
            raise TimeoutError(f"no answer in {seconds:g} s")
    if failed:
        raise failed[0]
