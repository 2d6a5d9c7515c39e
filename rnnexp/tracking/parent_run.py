"""The run in MLflow under which the runs of one command are shown."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import clean
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.links import NOWHERE
from rnnexp.tracking.mlflow_tracker import MlflowTracker, open_run
from rnnexp.tracking.records import Status
from rnnexp.tracking.upload import put_below

_REPORT = "report"
_LONGEST = 300  # characters of what MLflow says
_POLL = 0.05  # seconds between two looks at whether somebody wants the command to stop
_HURRY = 2.0  # seconds that are left to it then
_logger = logging.getLogger(__name__)


class ParentRun:
    """Opens the parent of the runs of a command; without MLflow it does nothing.

    The run is ended at once: others nest under it all the same, and whatever happens none stays RUNNING.
    While MLflow is away there is none: the end of the command tries again, and tells the runs below it.

    Args:
        uri: The store, None without MLflow.
        experiment: Name of the MLflow experiment.
        name: Of the run.
        description: What MLflow's page shows of it.
        known: Ids of which the first that the store still has is gone on with.
        tags: Of a new run; a run that has them is gone on with, as its id may have been lost with a process.
        patience: Seconds that MLflow is waited for, at the start and at the end.
        told_to_stop: Whether somebody wants the command to stop, so that nothing is waited for.

    Attributes:
        name: As above.
        run_id: Its id; None without MLflow, and while that is away.
        place: Where it is; nowhere while the id is None.
        below: The folders of the runs below it.

    Raises:
        ArgumentError: MLflow answers that it cannot take the run.
    """

    def __init__(
        self,
        uri: str | None,
        experiment: str,
        name: str,
        description: str,
        known: Sequence[str | None] = (),
        tags: Mapping[str, str] | None = None,
        patience: float = 20.0,
        told_to_stop: Callable[[], bool] = lambda: False,
    ):
        self.name = name
        self.run_id: str | None = None
        self.place = NOWHERE
        self.below: list[Path] = []
        self._uri, self._experiment, self._known, self._found_by = uri, experiment, known, tags
        self._patience, self._told_to_stop = patience, told_to_stop
        self._description, self._tags = description, dict[str, object]()
        if uri is not None:
            self._try(lambda: self._open(uri).end("FINISHED"), "the run of the command is made at its end")

    def describe(self, description: str, tags: Mapping[str, object]) -> None:
        """Take what the end of the run is to say of its children."""
        self._description, self._tags = description, dict(tags)

    def end(self, status: Status, files: Sequence[Path] = ()) -> None:
        """Write down how the command ended; a store that is gone is no reason to fail now."""
        uri = self._uri
        if uri is not None:
            with contextlib.suppress(ArgumentError):
                self._try(lambda: self._write(uri, status, files), "the run of the command is not closed")

    @contextlib.contextmanager
    def ended(self, signals: Interruption) -> Iterator[None]:
        """End the run with the status that what happens inside means."""
        status: Status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except Killed:
            status = "KILLED"
            raise
        finally:
            with signals.deferred():
                self.end(status)

    def _try(self, work: Callable[[], object], otherwise: str) -> None:
        try:
            within(self._patience, work, self._told_to_stop)
        except ArgumentError:
            raise
        except Exception as error:
            reason = clean(f"{type(error).__name__}: {error}").partition("\n")[0][:_LONGEST]
            _logger.warning("MLflow is away, %s: %s", otherwise, reason)

    def _open(self, uri: str) -> MlflowTracker:
        known = self._known if self.run_id is None else [self.run_id]
        tracker = open_run(uri, self._experiment, self.name, known, self._found_by)
        tracker.tags(self._tags | {"mlflow.note.content": self._description})
        self.run_id, self.place = tracker.run_id, tracker.place
        return tracker

    def _write(self, uri: str, status: Status, files: Sequence[Path]) -> None:
        tracker = self._open(uri)
        for path in files:
            tracker.artifact(path)
        tracker.end(status)
        for folder in self.below:
            put_below(folder, tracker.run_id, uri)


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


def keep_with_parent(parents: Collection[object], files: Sequence[Path], uri: str | None) -> str | None:
    """Log `files` as artifacts of the one run that is parent to all; return its id.

    Where there is no such run, or the store does not take them, nothing is kept and None returned.

    Args:
        parents: The ids of the parents of all runs, each once.
        files: What is kept.
        uri: The store, None without MLflow.
    """
    (parent,) = parents if len(parents) == 1 else (None,)
    if uri is None or not isinstance(parent, str):
        return None
    from mlflow.exceptions import MlflowException

    try:
        with quietly():
            client = connect(uri)
            for path in files:
                client.log_artifact(parent, str(path), _REPORT)
    except (MlflowException, OSError):
        return None
    return parent
