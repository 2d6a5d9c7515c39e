"""Writers for the measurements of a `GradientFlowMonitor`: any object with `write` and `close`."""

import csv
import os
import re
from pathlib import Path
from typing import Protocol

import tensorflow as tf

from rnnexp.diagnosis.keras_models.result import METRICS, GradientFlow
from rnnexp.tracking import MlflowTracker, Point, Status
from rnnexp.tracking.mlflow_tracker import open_meant


class Writer(Protocol):
    """Writes the measurements of one or several calls of `fit`."""

    def write(self, flow: GradientFlow, step: int, epoch: int) -> None:
        """Write the measurement after `step` updates, in the epoch of that number (0, 1, ...)."""

    def close(self) -> None:
        """Flush everything; called when `fit` ends. `write` may be called again."""


class CsvWriter:
    """One row a look and state: step, epoch, layer, state, rate, rate_low, rate_high, log10_ratio, verdict.

    Args:
        path: The file; it is replaced by the first look, and appended to afterwards.
    """

    COLUMNS = ("step", "epoch", "layer", "state", *METRICS, "verdict")

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._begun = False

    def write(self, flow: GradientFlow, step: int, epoch: int) -> None:
        """Append the rows of one look."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a" if self._begun else "w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            if not self._begun:
                rows.writerow(self.COLUMNS)
            for state in flow.states:
                numbers = state.metrics().values()
                rows.writerow([step, epoch, state.layer, state.state, *numbers, state.verdict])
        self._begun = True

    def close(self) -> None:
        """Do nothing: the file is closed after every look."""


class TensorBoardWriter:
    """Scalars <layer>/<state>/rate, rate_low, rate_high, log10_ratio, and the verdict as text.

    Writing needs TensorFlow only; TensorBoard, which shows the files, need not be installed.

    Args:
        logdir: The folder that TensorBoard is pointed at.
    """

    def __init__(self, logdir: str | os.PathLike):
        self._logdir = os.fspath(logdir)
        self._writer: tf.summary.SummaryWriter | None = None

    def write(self, flow: GradientFlow, step: int, epoch: int) -> None:
        """Write the events of one look."""
        del epoch
        if self._writer is None:
            self._writer = tf.summary.create_file_writer(self._logdir)
        with self._writer.as_default(step=step):
            for name, value in flow.metrics().items():
                tf.summary.write(name, tf.constant(value, tf.float32), metadata=_metadata("scalars", 1))
            for name, verdict in flow.verdicts().items():
                tf.summary.write(f"{name}/verdict", tf.constant(verdict), metadata=_metadata("text", 2))
        self._writer.flush()

    def close(self) -> None:
        """Flush what TensorFlow holds back."""
        if self._writer is not None:
            self._writer.flush()


class MlflowWriter:
    """Metrics <layer>/<state>/rate, ... of an MLflow run, and the verdict of the last look as a tag.

    An active run stays open; a run that had ended is ended again when `fit` ends. Points that are not finite
    are left out, and a run that is monitored again gets only steps beyond those that it has.

    Args:
        run_id: The run. None: the one that `mlflow.start_run` opened, looked up at the first look.
        uri: Its store, such as sqlite:////tmp/mlflow.db or http://host:5000. None: MLflow's current one.
    """

    def __init__(self, run_id: str | None = None, uri: str | None = None):
        self._run_id = run_id
        self._uri = uri
        self._tracker: MlflowTracker | None = None
        self._status: Status | None = None

    def write(self, flow: GradientFlow, step: int, epoch: int) -> None:
        """Log the metrics and tags of one look.

        Raises:
            ArgumentError: No run is given and none is active.
        """
        del epoch
        if self._tracker is None:
            self._tracker, self._status = open_meant(self._run_id, self._uri)
        self._tracker.metrics(Point(_key(name), value, step) for name, value in flow.metrics().items())
        self._tracker.tags({f"verdict/{_key(name)}": verdict for name, verdict in flow.verdicts().items()})

    def close(self) -> None:
        """End a run again if it had ended before; every measurement was sent when it was made."""
        if self._tracker is not None and self._status is not None:
            self._tracker.end(self._status)
            self._tracker = None


def _metadata(plugin: str, data_class: int) -> tf.compat.v1.SummaryMetadata:
    """Say which of TensorBoard's pages shows a value (data class 1: scalar, 2: tensor)."""
    metadata = tf.compat.v1.SummaryMetadata(data_class=data_class)
    metadata.plugin_data.plugin_name = plugin
    return metadata


def _key(name: str) -> str:
    """Replace the characters that MLflow does not take in names."""
    return re.sub(r"[^\w\-. :/]", "_", name, flags=re.ASCII)
