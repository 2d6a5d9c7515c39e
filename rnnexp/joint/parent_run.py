"""The run of several replicas in MLflow, under which each of them is shown."""

import contextlib
import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence

from rnnexp import tracking
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking.find_runs import is_known

_logger = logging.getLogger(__name__)


class JointRun:
    """Makes the parent of the replicas' runs; without MLflow it does nothing.

    The run is ended at once: others nest under it all the same, and whatever happens none stays RUNNING.

    Args:
        jobs: Of the replicas.
        experiment: Id of the MLflow experiment, None without MLflow.
        earlier: Folders of runs that go on; their parent does too.

    Attributes:
        name: What is common to the names of the replicas, and their seeds.
        run_id: Its id; None without MLflow.
        where: For a human, where it is; None without MLflow.
        open_command: The command that shows it, None where there is none.
    """

    def __init__(self, jobs: Sequence[Job], experiment: str | None, earlier: Sequence[RunFolder]):
        self.name = _name(jobs)
        self.run_id: str | None = None
        self.where: str | None = None
        self.open_command: str | None = None
        self._uri, self._experiment = jobs[0].tracking.uri, experiment
        together = jobs[0].together
        self._typed = jobs[0].overrides if together is None else together.overrides
        self._tags: dict[str, object] = {}
        self._table = ""
        if self._uri is not None and experiment is not None:
            parents = [folder.state().get("parent") for folder in earlier]
            known = [parent for parent in parents if parent and is_known(self._uri, parent)]
            self._open(self._uri, experiment, known[0] if known else None)

    @contextlib.contextmanager
    def kept(self, signals: Interruption) -> Iterator[None]:
        """Write down how the replicas ended; a store that is gone is no reason to fail now."""
        status: tracking.Status = "FAILED"
        try:
            yield
            status = "FINISHED"
        except Killed:
            status = "KILLED"
            raise
        finally:
            with signals.deferred():
                self._end(status)

    def found(self, tags: Mapping[str, object], table: str) -> None:
        """Take what the replicas found, as tags and as a table in Markdown for the description."""
        self._tags, self._table = dict(tags), table

    def _open(self, uri: str, experiment: str, known: str | None) -> None:
        tracker = tracking.MlflowTracker(uri, experiment, self.name, run_id=known)
        tracker.tags({"mlflow.note.content": self._description()})
        tracker.end("FINISHED")
        self.run_id, self.where, self.open_command = tracker.run_id, tracker.where, tracker.open_command

    def _end(self, status: tracking.Status) -> None:
        if self._uri is None or self._experiment is None:
            return
        try:
            tracker = tracking.MlflowTracker(self._uri, self._experiment, self.name, run_id=self.run_id)
            tracker.tags(self._tags | {"mlflow.note.content": self._description()})
            tracker.end(status)
        except Exception as error:
            _logger.warning("the run of all replicas could not be closed: %s", error)

    def _description(self) -> str:
        return f"`python run.py {shlex.join(self._typed)}`\n\n{self._table}".rstrip()


def _name(jobs: Sequence[Job]) -> str:
    """Return the name of the first with the last seed: `tanh-T100-s0..3`; or the name that all share."""
    first, last = jobs[0].name, jobs[-1].plan.seed
    return first if first == jobs[-1].name else f"{first}..{last}"
