"""The run of a sweep in MLflow, under which its jobs are shown."""

import logging
import shlex

from rnnexp import tracking
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.request import Request
from rnnexp.sweep.table import Ending
from rnnexp.tracking.find_runs import is_known

_logger = logging.getLogger(__name__)


class ParentRun:
    """Makes store, experiment and parent run before the first job; without MLflow it does nothing.

    The run is ended at once: jobs nest under it all the same, and whatever happens none stays RUNNING.

    Args:
        request: The sweep.
        folder: Of the sweep; the run's id is written there, and a run that is named there goes on.
    """

    def __init__(self, request: Request, folder: SweepFolder):
        self._settings = request.first.tracking
        self._name, self._typed, self._folder = request.name, request.typed, folder
        self._run_id: str | None = None
        self._where: tuple[str | None, str | None] = None, None
        if self._settings.uri is not None:
            experiment = tracking.ensure_store(self._settings.uri, self._settings.experiment)
            self._open(self._settings.uri, experiment)

    @property
    def where(self) -> str | None:
        """Return, for a human, where the run is; None without MLflow."""
        return self._where[0]

    @property
    def open_command(self) -> str | None:
        """Return the command that shows it, None where there is none."""
        return self._where[1]

    def end(self, ending: Ending) -> None:
        """Write down how the sweep ended; a store that is gone is no reason to fail now."""
        if self._settings.uri is None:
            return
        counts = ending.counts()
        bad = counts["failed"] + counts["killed"] + counts["waiting"]
        try:
            tracker = self._tracker(self._settings.uri, "", self._run_id)
            tracker.tags({f"sweep.{name}": count for name, count in counts.items()})
            tracker.tags({"mlflow.note.content": _description(self._typed, counts)})
            tracker.artifact(self._folder.save_table(ending.outcomes))
            tracker.end("FAILED" if bad else "FINISHED")
        except Exception as error:
            _logger.warning("the sweep's own run could not be closed: %s", error)

    def _open(self, uri: str, experiment: str) -> None:
        mine = {"sweep_id": self._folder.id, "sweep_folder": str(self._folder.path.absolute())}
        known = self._folder.state.read().get("run_id")
        if known is None:
            # A call that was killed may have opened it. No job was begun without the id, so it is no job's.
            known = tracking.run_with_tags(uri, experiment, mine)
        elif not is_known(uri, known):
            known = None
        tracker = self._tracker(uri, experiment, known, mine)
        tracker.tags({"mlflow.note.content": _description(self._typed, {})})
        tracker.end("FINISHED")
        self._run_id = tracker.run_id
        self._where = tracker.where, tracker.open_command
        self._folder.state.update(run_id=tracker.run_id)

    def _tracker(
        self, uri: str, experiment: str, run_id: str | None, tags: dict[str, str] | None = None
    ) -> tracking.MlflowTracker:
        return tracking.MlflowTracker(uri, experiment, self._name, run_id=run_id, tags=tags)


def _description(typed: tuple[str, ...], counts: dict[str, int]) -> str:
    found = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    return f"`python run.py -m {shlex.join(typed)}`\n\n{found}".rstrip()
