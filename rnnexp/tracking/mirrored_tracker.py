"""Records that are files first and in MLflow as soon as it can be: no run waits for a server."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import clean
from rnnexp.tracking.destination import Destination, sent
from rnnexp.tracking.file_tracker import FileTracker
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.tracker import Point, Status
from rnnexp.tracking.upload import Upload, is_sent

_logger = logging.getLogger(__name__)

_EVERY = 5.0  # seconds between two uploads
_POLL = 0.1  # seconds between two looks at whether somebody wants the run to stop
_AGAIN = 1.0  # seconds between two tries at the end
_HURRY = 2.0  # seconds without progress that a run that was told to stop waits for
_AWAY = 5.0  # seconds that the end waits for MLflow where that is known to be away


class MirroredTracker:
    """Writes the records of a run into its folder; a thread sends them to MLflow.

    Training never waits for MLflow. Where it cannot be reached, one line says so, and one that it is back;
    the records stay in the folder, and `rnnexp.tracking.sync` sends them later.

    Args:
        destination: Where in MLflow.
        load_model: Returns the trained model of a file `model.keras`.
        told_to_stop: Whether somebody wants the run to stop, so that nothing is waited for.
        patience: Seconds that the constructor waits for MLflow, and the end of the run again; the end waits
            five at most where MLflow is known to be away.

    Raises:
        ArgumentError: MLflow answers that it cannot take the run.
    """

    def __init__(
        self,
        destination: Destination,
        load_model: Callable[[Path], Any],
        told_to_stop: Callable[[], bool] = lambda: False,
        patience: float = 20.0,
    ):
        self._destination = destination
        self._files = FileTracker(destination.folder, destination.name)
        destination.note()
        self._load_model = load_model
        self._told_to_stop = told_to_stop
        self._patience = patience
        self._remote: MlflowTracker | None = None
        self._upload: Upload | None = None
        self._refusal: ArgumentError | None = None
        self._away = False
        self._wake, self._opened, self._ending = (threading.Event() for _ in range(3))
        self._done, self._given_up = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._send, name="rnnexp-upload", daemon=True)
        self._thread.start()
        self._wait_for(self._opened)
        if self._refusal is not None:
            raise self._refusal
        if self._remote is None and not self._away:
            self._say_away("it does not answer")

    @property
    def run_id(self) -> str | None:
        """Return MLflow's id of the run, None while MLflow has not answered."""
        return sent(self._destination.folder).get("run_id")

    @property
    def where(self) -> str:
        """Return where the run is in MLflow, or its folder while MLflow has not answered."""
        return self._files.where if self._remote is None else self._remote.where

    @property
    def open_command(self) -> str | None:
        """Return the command that serves MLflow's pages of the store, or None for a server."""
        return None if self._remote is None else self._remote.open_command

    @property
    def page(self) -> str | None:
        """Return the address of the verdicts in MLflow's pages, or None while MLflow has not answered."""
        return None if self._remote is None else self._remote.page

    @property
    def dropped(self) -> int:
        """Return how many points were not kept because their value is not finite."""
        return self._files.dropped

    @property
    def complete(self) -> bool:
        """Return whether MLflow has everything of a run that has ended."""
        return is_sent(self._destination.folder)

    def params(self, config: Mapping[str, Any]) -> None:
        """Record the leaves of `config`; what the run has already keeps its first value."""
        self._files.params(config)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record or replace tags."""
        self._files.tags(values)

    def metrics(self, points: Iterable[Point]) -> None:
        """Take points; they are written in batches, the finite ones only."""
        self._files.metrics(points)

    def flush(self) -> None:
        """Write the points that wait into the folder."""
        self._files.flush()
        self._wake.set()

    def last_step(self, key: str) -> int | None:
        """Return the largest step taken under `key`, by this attempt or an earlier one; None without any."""
        return self._files.last_step(key)

    def artifact(self, path: Path, folder: str = "") -> None:
        """Keep a file or folder, under `folder` of the run's artifacts."""
        self._files.artifact(path, folder)

    def text(self, name: str, content: str) -> None:
        """Keep `content` as the artifact `name`."""
        self._files.text(name, content)

    def model(self, model: Any) -> None:
        """Keep the Keras model."""
        self._files.model(model)

    def end(self, status: Status) -> None:
        """Close the run, and wait for MLflow as long as that makes sense."""
        self._files.end(status)
        self._ending.set()
        self._wake.set()
        self._wait_for(self._done)
        self._given_up.set()
        self._wake.set()

    def _wait_for(self, event: threading.Event) -> None:
        """Wait for what the thread does, shortly where the run is to stop or MLflow is away."""
        began = time.monotonic()
        while not event.wait(_POLL):
            arrived = began if self._upload is None else max(began, self._upload.progress)
            patience = min(self._patience, _AWAY) if self._away else self._patience
            if self._told_to_stop():
                patience = min(patience, _HURRY)
            if time.monotonic() - arrived > patience:
                return

    def _send(self) -> None:
        while not (self._done.is_set() or self._given_up.is_set()):
            last = self._ending.is_set()
            try:
                self._open().push()
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

    def _open(self) -> Upload:
        if self._upload is None:
            self._remote = self._destination.open()
            self._upload = Upload(self._destination.folder, self._remote, self._load_model)
        return self._upload

    def _say_away(self, reason: str) -> None:
        if not self._away:
            self._away = True
            _logger.warning("MLflow is away, the run goes on and keeps its records: %s", _first(reason))

    def _say_back(self) -> None:
        if self._away:
            self._away = False
            _logger.warning("MLflow is back: it has all records up to now")


def _first(text: str) -> str:
    """Return the first line of what MLflow or a database says at length."""
    return clean(text.strip().partition("\n")[0])[:300]
