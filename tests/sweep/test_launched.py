import os
import signal
import time
from pathlib import Path

from rnnexp.sweep import launched as module
from rnnexp.sweep.folder import SweepFolder


def test_the_second_process_hands_signals_on_and_notices_that_it_is_alone(monkeypatch):
    folder = SweepFolder.create(Path("outputs"))
    monkeypatch.setattr(module, "_POLL", 0.01)
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    parent = [os.getppid()]
    monkeypatch.setattr(module.os, "getppid", lambda: parent[0])
    try:
        with module.launched(folder.path):
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
            assert folder.stopping == 2
            folder.stop(0)
            parent[0] = 1
            deadline = time.monotonic() + 30
            while not folder.stopping and time.monotonic() < deadline:
                time.sleep(0.01)
            assert folder.stopping == 1
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)
