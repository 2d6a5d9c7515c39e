"""The run in MLflow under which the runs of one command are shown."""

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.find_runs import is_known, run_with_tags
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.tracker import Status

_REPORT = "report"
_logger = logging.getLogger(__name__)


class ParentRun:
    """Opens the parent of the runs of a command; without MLflow it does nothing.

    The run is ended at once: others nest under it all the same, and whatever happens none stays RUNNING.

    Args:
        uri: The store, None without MLflow.
        experiment: Id of the MLflow experiment, None without MLflow.
        name: Of the run.
        description: What MLflow's page shows of it.
        known: Ids of which the first that the store still has is gone on with.
        tags: Of a new run; a run that has them is gone on with, as its id may have been lost with a process.

    Attributes:
        name: As above.
        run_id: Its id; None without MLflow.
        where: For a human, where it is; None without MLflow.
        open_command: The command that shows it, None where there is none.
        page: The address that lists the verdicts of its runs, None without MLflow.
    """

    def __init__(
        self,
        uri: str | None,
        experiment: str | None,
        name: str,
        description: str,
        known: Sequence[str | None] = (),
        tags: Mapping[str, str] | None = None,
    ):
        self.name = name
        self.run_id: str | None = None
        self.where: str | None = None
        self.open_command: str | None = None
        self.page: str | None = None
        self._uri, self._experiment = uri, experiment
        self._description, self._tags = description, dict[str, object]()
        if uri is not None and experiment is not None:
            self._open(uri, experiment, [run_id for run_id in known if run_id is not None], tags or {})

    def describe(self, description: str, tags: Mapping[str, object]) -> None:
        """Take what the end of the run is to say of its children."""
        self._description, self._tags = description, dict(tags)

    def end(self, status: Status, files: Sequence[Path] = ()) -> None:
        """Write down how the command ended; a store that is gone is no reason to fail now."""
        if self._uri is None or self.run_id is None:
            return
        try:
            tracker = MlflowTracker(self._uri, self._experiment or "", self.name, run_id=self.run_id)
            tracker.tags(self._tags | {"mlflow.note.content": self._description})
            for path in files:
                tracker.artifact(path)
            tracker.end(status)
        except Exception as error:
            _logger.warning("the parent run in MLflow could not be closed: %s", error)

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

    def _open(self, uri: str, experiment: str, known: Sequence[str], tags: Mapping[str, str]) -> None:
        run_id = next((run_id for run_id in known if is_known(uri, run_id)), None)
        if run_id is None and tags:
            run_id = run_with_tags(uri, experiment, tags)
        tracker = MlflowTracker(uri, experiment, self.name, run_id=run_id, tags=tags)
        tracker.tags({"mlflow.note.content": self._description})
        tracker.end("FINISHED")
        self.run_id, self.where, self.open_command = tracker.run_id, tracker.where, tracker.open_command
        self.page = tracker.page


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
