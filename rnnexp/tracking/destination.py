"""Where in MLflow the records of a run folder go."""

import dataclasses
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.find_runs import is_known, run_with_tags
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.store import ensure_store

_SENT = "upload.json"


@dataclasses.dataclass(frozen=True)
class Destination:
    """A run in MLflow, and the folder whose records it takes.

    Attributes:
        folder: The folder of the run.
        uri: Address of the store, with a login where it needs one.
        experiment: Name of the experiment.
        name: Name of the run.
    """

    folder: Path
    uri: str
    experiment: str
    name: str

    @classmethod
    def noted(cls, folder: Path, uri: str | None = None) -> "Destination":
        """Return the destination that `note` wrote into the folder, at `uri` where another is given.

        Raises:
            ArgumentError: The folder holds no run that is meant for MLflow.
        """
        found = sent(folder)
        if not {"store", "experiment", "name"} <= found.keys():
            raise ArgumentError("folder", "the folder of a run with tracking=mlflow", str(folder))
        return cls(folder, uri or found["store"], found["experiment"], found["name"])

    def note(self) -> None:
        """Write into the folder where its records go, without a login, and that they have not all arrived."""
        store = without_login(self.uri)
        update(self.folder, store=store, experiment=self.experiment, name=self.name, status=None)

    def open(self) -> MlflowTracker:
        """Open the run: the one that the folder names, one that says it is of this folder, else a new one.

        Raises:
            ArgumentError: The experiment has been deleted in MLflow.
            MlflowException: The store does not answer.
        """
        experiment_id = ensure_store(self.uri, self.experiment)
        where = {"run_folder": str(self.folder.resolve())}
        run_id = sent(self.folder).get("run_id")
        if run_id is not None and not is_known(self.uri, run_id):
            run_id = None
            update(self.folder, run_id=None, artifacts=0, model=None, status=None)
        run_id = run_id or run_with_tags(self.uri, experiment_id, where)
        tracker = MlflowTracker(self.uri, experiment_id, self.name, run_id=run_id, tags=where)
        update(self.folder, run_id=tracker.run_id)
        return tracker


def sent(folder: Path) -> dict[str, Any]:
    """Return what is known of the upload of a folder: destination, id of the run, what has arrived."""
    return StateFile(folder / _SENT).read()


def update(folder: Path, **values: object) -> None:
    """Note what is known of the upload of a folder."""
    StateFile(folder / _SENT).update(**values)
