"""The records of a run folder, sent to MLflow: what has arrived is not sent again."""

import time
import zipfile
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.client import connect
from rnnexp.tracking.mlflow_tracker import MlflowTracker, open_run
from rnnexp.tracking.model_artifact import load_model
from rnnexp.tracking.records import ARTIFACTS, METRICS, MODEL, PARAMS, STATUS, STATUSES, TAGS, records_in

UNSENT = 3
"""The exit code of a command that did its work and whose records MLflow did not take."""

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow's pages show a run below another."""

_SENT = "upload.json"


class Upload:
    """Sends what a `Tracker` wrote into a folder, as often as it is asked to and as far as it is written.

    How far it came is written into the folder (`upload.json`), so that another process goes on from there.
    Sending twice changes nothing: MLflow keeps a tag, a parameter and a point (key, step, value, time) once.
    It never tries again by itself: `Mirror` does, every few seconds of a run, and `rnnexp sync`.

    Args:
        folder: The folder of the run.
        uri: Address of the store, with a login where it needs one.
        experiment: Name of the experiment.
        name: Name of the run.

    Attributes:
        remote: The run in MLflow; None before MLflow has answered.
        progress: When the last part arrived, as `time.monotonic` tells it.
    """

    def __init__(self, folder: Path, uri: str, experiment: str, name: str):
        self._folder, self._uri, self._experiment, self._name = folder, uri, experiment, name
        self.remote: MlflowTracker | None = None
        self.progress = time.monotonic()
        self._offset = 0  # bytes of the metrics that were read
        self._params: dict[str, Any] = {}
        self._tags: dict[str, Any] = {}

    @classmethod
    def noted(cls, folder: Path, uri: str | None = None) -> "Upload":
        """Return the upload that `note` wrote into the folder, to `uri` where another is given.

        Raises:
            ArgumentError: The folder holds no run that is meant for MLflow.
        """
        found = sent(folder)
        if not {"store", "experiment", "name"} <= found.keys():
            raise ArgumentError("folder", "the folder of a run with tracking=mlflow", str(folder))
        return cls(folder, uri or found["store"], found["experiment"], found["name"])

    def note(self) -> None:
        """Write into the folder where its records go, without a login, and that they have not all arrived."""
        store = without_login(self._uri)
        update(self._folder, store=store, experiment=self._experiment, name=self._name, status=None)

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run, by an earlier process too; None before MLflow has answered."""
        return sent(self._folder).get("run_id")

    def push(self) -> None:
        """Send what is new: parameters, tags, points, artifacts, the model, and the end of the run.

        Raises:
            ArgumentError: The experiment has been deleted in MLflow, or the model is cut short.
            Exception: Of MLflow, its server or its database; the next call begins where this one failed.
        """
        remote = self.remote = self.remote or self._open()
        # Read first: what the run wrote until its end goes before the end.
        status = self._read(STATUS).get("status")
        parts = (self._send_params, self._send_tags, self._send_points, self._send_artifacts)
        for send in (*parts, self._send_model):
            send(remote)
            self.progress = time.monotonic()
        if status in STATUSES:
            remote.end(status)
            update(self._folder, status=status)

    def _open(self) -> MlflowTracker:
        """Open the run: the one that the folder names, one that says it is of this folder, else a new one."""
        where = {"run_folder": str(self._folder.resolve())}
        remote = open_run(self._uri, self._experiment, self._name, [self.run_id], where)
        if remote.run_id != self.run_id:  # what another run has, such as one that was deleted, this one lacks
            update(self._folder, run_id=remote.run_id, artifacts=0, model=None, status=None)
        return remote

    def _read(self, name: str) -> dict[str, Any]:
        return StateFile(self._folder / name).read()

    def _send_params(self, remote: MlflowTracker) -> None:
        params = self._read(PARAMS)
        if params != self._params:
            remote.params(params)
            self._params = params

    def _send_tags(self, remote: MlflowTracker) -> None:
        tags = self._read(TAGS)
        fresh = {key: value for key, value in tags.items() if self._tags.get(key) != value}
        if fresh:
            remote.tags(fresh)
            self._tags = tags

    def _send_points(self, remote: MlflowTracker) -> None:
        path = self._folder / METRICS
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._offset)
            read = file.read()
        whole = read[: read.rfind(b"\n") + 1]
        remote.records(records_in(whole.decode("utf-8")))
        self._offset += len(whole)

    def _send_artifacts(self, remote: MlflowTracker) -> None:
        listed = self._read(ARTIFACTS).get("files", [])
        for number in range(sent(self._folder).get("artifacts", 0), len(listed)):
            name, folder = listed[number]
            if (self._folder / name).exists():
                remote.artifact(self._folder / name, folder)
            update(self._folder, artifacts=number + 1)
            self.progress = time.monotonic()

    def _send_model(self, remote: MlflowTracker) -> None:
        path = self._folder / MODEL
        written = path.stat().st_mtime_ns if path.is_file() else None
        if written is not None and sent(self._folder).get("model") != written:
            model = _whole_model(path)
            if model is None:
                remote.artifact(path)
            else:
                remote.model(model)
            update(self._folder, model=written)


def sent(folder: Path) -> dict[str, Any]:
    """Return what is known of the upload of a folder: where to, the id of the run, what has arrived."""
    return StateFile(folder / _SENT).read()


def update(folder: Path, **values: object) -> None:
    """Note what is known of the upload of a folder."""
    StateFile(folder / _SENT).update(**values)


def put_below(folder: Path, parent: str, uri: str) -> None:
    """Show the run of a folder below its parent, which came later than the run did.

    Where the run itself is not in MLflow yet, its records bring the parent with them.
    """
    if PARENT in StateFile(folder / TAGS).read():
        return
    run_id = sent(folder).get("run_id")
    if run_id is not None:
        connect(uri).set_tag(run_id, PARENT, parent)
    StateFile(folder / TAGS).update(**{PARENT: parent})


def awaits_upload(folder: Path) -> bool:
    """Return whether MLflow has not taken all records of a run that has ended and was meant for it."""
    ended = StateFile(folder / STATUS).read().get("status") in STATUSES
    return ended and "store" in sent(folder) and not is_sent(folder)


def is_sent(folder: Path) -> bool:
    """Return whether MLflow has all records of a run that has ended."""
    status = StateFile(folder / STATUS).read().get("status")
    return status in STATUSES and sent(folder).get("status") == status


def _whole_model(path: Path) -> Any:
    """Return the model; None where it is whole, and Keras does not know the user's own parts of it."""
    try:
        return load_model(path)
    except Exception as error:  # of Keras, zipfile, h5py
        if isinstance(error, TypeError) and _is_whole(path):
            return None
        expected = f"a whole Keras model, such as the run left it ({type(error).__name__})"
        raise ArgumentError(MODEL, expected, str(path)) from error


def _is_whole(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return file.testzip() is None
