"""The second process of a sweep, in which Hydra and its launcher work."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from rnnexp.sweep.folder import SweepFolder

VARIABLE = "RNNEXP_SWEEP"
"""The environment variable that tells this process its sweep's folder."""

CALL = "RNNEXP_SWEEP_CALL"
"""The environment variable that tells the launcher's workers the call that they work for."""

_POLL = 0.25  # seconds


@contextlib.contextmanager
def launched(folder: Path) -> Iterator[None]:
    """Do the second process' part inside: hand on signals, and stop when the first one is gone."""
    sweep, first = SweepFolder(folder, os.environ.get(CALL)), os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sweep.stop(sweep.stopping + 1))

    def watch() -> None:
        while os.getppid() == first:
            time.sleep(_POLL)
        sweep.stop(max(1, sweep.stopping))

    threading.Thread(target=watch, daemon=True).start()
    yield
