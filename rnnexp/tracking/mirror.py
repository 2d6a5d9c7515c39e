"""The thread that sends the records of a run to MLflow while it trains: no run waits for a server."""

import logging
import threading
import time
from collections.abc import Callable

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import clean
from rnnexp.tracking.upload import Upload

_logger = logging.getLogger(__name__)

_EVERY = 5.0  # seconds between two uploads
_POLL = 0.1  # seconds between two looks at whether somebody wants the run to stop
_AGAIN = 1.0  # seconds between two tries at the end
_HURRY = 2.0  # seconds without progress that a run that was told to stop waits for
_AWAY = 5.0  # seconds that the end waits for MLflow where that is known to be away


class Mirror:
    """Sends what a `Tracker` writes into the folder of a run, every few seconds and at its end.

    Where MLflow cannot be reached, one line says so, and one that it is back; the records stay in the folder,
    and `rnnexp.tracking.sync` sends them later.

    Args:
        upload: What is sent, and where to.
        told_to_stop: Whether somebody wants the run to stop, so that nothing is waited for.
        patience: Seconds that the begin waits for MLflow, and the end of the run again; the end waits five at
            most where MLflow is known to be away.

    Attributes:
        upload: As above.
    """

    def __init__(
        self, upload: Upload, told_to_stop: Callable[[], bool] = lambda: False, patience: float = 20.0
    ):
        self.upload = upload
        self._told_to_stop = told_to_stop
        self._patience = patience
        self._refusal: ArgumentError | None = None
        self._away = False
        self._wake, self._opened, self._ending, self._done = (threading.Event() for _ in range(4))

    def begin(self) -> None:
        """Open the run in MLflow, and wait for that.

        Raises:
            ArgumentError: MLflow answers that it cannot take the run.
        """
        self.upload.note()
        threading.Thread(target=self._send, name="rnnexp-upload", daemon=True).start()
        self._wait_for(self._opened)
        if self._refusal is not None:
            raise self._refusal
        if self.upload.remote is None and not self._away:
            self._say_away("it does not answer")

    def wake(self) -> None:
        """Send what is new now."""
        self._wake.set()

    def end(self) -> None:
        """Send what is left of a run that has ended, and wait for MLflow as long as that makes sense."""
        self._ending.set()
        self._wake.set()
        self._wait_for(self._done)
        self._done.set()
        self._wake.set()

    def _wait_for(self, event: threading.Event) -> None:
        """Wait for what the thread does, shortly where the run is to stop or MLflow is away."""
        began = time.monotonic()
        while not event.wait(_POLL):
            patience = min(self._patience, _AWAY) if self._away else self._patience
            if self._told_to_stop():
                patience = min(patience, _HURRY)
            if time.monotonic() - max(began, self.upload.progress) > patience:
                return

    def _send(self) -> None:
        while not self._done.is_set():
            last = self._ending.is_set()
            try:
                self.upload.push()
            except ArgumentError as error:
                self._refusal = error
                self._done.set()
            except Exception as error:
                self._say_away(f"{type(error).__name__}: {error}")
            else:
                self._say_back()
                if last:
                    self._done.set()
            self._opened.set()
            self._wake.wait(_AGAIN if last else _EVERY)
            self._wake.clear()

    def _say_away(self, reason: str) -> None:
        if not self._away:
            self._away = True
            # The first line of what MLflow or a database says at length.
            said = clean(reason.strip().partition("\n")[0])[:300]
            _logger.warning("MLflow is away, the run goes on and keeps its records: %s", said)

    def _say_back(self) -> None:
        if self._away:
            self._away = False
            _logger.warning("MLflow is back: it has all records up to now")
