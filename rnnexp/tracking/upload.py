"""The records of a run folder, sent to MLflow: what has arrived is not sent again."""

import csv
import io
import time
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.tracking.buffer import Record
from rnnexp.tracking.client import connect
from rnnexp.tracking.destination import sent, update
from rnnexp.tracking.file_tracker import ARTIFACTS, METRICS, MODEL, PARAMS, STATUS, TAGS
from rnnexp.tracking.mlflow_tracker import MlflowTracker
from rnnexp.tracking.tracker import STATUSES

UNSENT = 3
"""The exit code of a command that did its work and whose records MLflow did not take."""

PARENT = "mlflow.parentRunId"
"""The tag by which MLflow's pages show a run below another."""


class Upload:
    """Sends what a `FileTracker` wrote into a folder, as often as it is asked to and as far as it is written.

    How far it came is written into the folder (`upload.json`), so that another process goes on from there.
    Sending twice changes nothing: MLflow keeps a tag, a parameter and a point (key, step, value, time) once.
    It never tries again by itself: `MirroredTracker` does, every few seconds of a run, and whoever types
    `rnnexp sync`.

    Args:
        folder: The folder.
        remote: The run in MLflow.
        load_model: Returns the trained model of the run's `model.keras`.

    Attributes:
        progress: When the last part arrived, as `time.monotonic` tells it.
    """

    def __init__(self, folder: Path, remote: MlflowTracker, load_model: Callable[[Path], Any]):
        self._folder = folder
        self._remote = remote
        self._load_model = load_model
        self.progress = time.monotonic()
        self._offset = 0  # bytes of the metrics that were read
        self._params: dict[str, Any] = {}
        self._tags: dict[str, Any] = {}

    def push(self) -> None:
        """Send what is new: parameters, tags, points, artifacts, the model, and the end of the run.

        Raises:
            Exception: Of MLflow, its server or its database; the next call begins where this one failed.
        """
        # Read first: what the run wrote until its end goes before the end.
        status = StateFile(self._folder / STATUS).read().get("status")
        parts = (self._send_params, self._send_tags, self._send_points, self._send_artifacts)
        for send in (*parts, self._send_model):
            send()
            self.progress = time.monotonic()
        if status in STATUSES:
            self._remote.end(status)
            update(self._folder, status=status)

    def _send_params(self) -> None:
        params = StateFile(self._folder / PARAMS).read()
        if params != self._params:
            self._remote.params(params)
            self._params = params

    def _send_tags(self) -> None:
        tags = StateFile(self._folder / TAGS).read()
        fresh = {key: value for key, value in tags.items() if self._tags.get(key) != value}
        if fresh:
            self._remote.tags(fresh)
            self._tags = tags

    def _send_points(self) -> None:
        path = self._folder / METRICS
        if not path.is_file():
            return
        with path.open("rb") as file:
            file.seek(self._offset)
            read = file.read()
        whole = read[: read.rfind(b"\n") + 1]
        self._remote.records(_records(whole.decode("utf-8")))
        self._offset += len(whole)

    def _send_artifacts(self) -> None:
        listed = StateFile(self._folder / ARTIFACTS).read().get("files", [])
        for number in range(sent(self._folder).get("artifacts", 0), len(listed)):
            name, folder = listed[number]
            if (self._folder / name).exists():
                self._remote.artifact(self._folder / name, folder)
            update(self._folder, artifacts=number + 1)
            self.progress = time.monotonic()

    def _send_model(self) -> None:
        path = self._folder / MODEL
        written = path.stat().st_mtime_ns if path.is_file() else None
        if written is not None and sent(self._folder).get("model") != written:
            model = self._whole_model(path)
            if model is None:
                self._remote.artifact(path)
            else:
                self._remote.model(model)
            update(self._folder, model=written)

    def _whole_model(self, path: Path) -> Any:
        """Return the model; None where it is whole, and Keras does not know the user's own parts of it."""
        try:
            return self._load_model(path)
        except Exception as error:  # of Keras, zipfile, h5py
            if isinstance(error, TypeError) and _is_whole(path):
                return None
            expected = f"a whole Keras model, such as the run left it ({type(error).__name__})"
            raise ArgumentError(MODEL, expected, str(path)) from error


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


def _is_whole(path: Path) -> bool:
    with zipfile.ZipFile(path) as file:
        return file.testzip() is None


def _records(lines: str) -> Sequence[Record]:
    rows = [row for row in csv.reader(io.StringIO(lines)) if row != list(Record._fields)]
    return [Record(key, float(value), int(step), int(timestamp)) for key, value, step, timestamp in rows]
