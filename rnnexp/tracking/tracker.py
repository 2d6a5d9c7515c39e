"""The records of one run: files in its folder, with or without MLflow."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from rnnexp.runtime import checks
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.secrets import clean_all
from rnnexp.tracking import records
from rnnexp.tracking.flatten import TAG_LIMIT, as_text, cut, flatten
from rnnexp.tracking.links import Place
from rnnexp.tracking.metrics_file import MetricsFile
from rnnexp.tracking.mirror import Mirror
from rnnexp.tracking.records import Point, Status
from rnnexp.tracking.upload import is_sent


class Tracker:
    """`params.json`, `tags.json`, `status.json`, `metrics.csv`, `model.keras`: what MLflow holds of it.

    The columns of `metrics.csv` are key, value, step and timestamp (milliseconds since 1970).
    `artifacts.json` lists the other files of the run, each with the folder in which MLflow is to show it. A
    folder that holds such files already is a run that is resumed: a parameter keeps its first value, and no
    step of a metric counts twice.

    Args:
        folder: The run's folder, made if it is absent.
        name: The run's name.
        mirror: Sends the files to MLflow; None without MLflow.

    Raises:
        ArgumentError: MLflow answers that it cannot take the run.
    """

    def __init__(self, folder: Path, name: str, mirror: Mirror | None = None):
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._params = self._read(records.PARAMS)
        self._tags = self._read(records.TAGS)
        self._status = {"name": name, "start_time": records.now()} | self._read(records.STATUS)
        self._status["status"] = "RUNNING"
        self._write(records.STATUS, self._status)
        self._artifacts = self._read(records.ARTIFACTS).get("files", [])
        self._ended = False
        self._metrics = MetricsFile(self._folder / records.METRICS)
        self._mirror = mirror
        if mirror is not None:
            mirror.begin()

    @property
    def run_id(self) -> str | None:
        """MLflow's id of the run, None while MLflow has not answered; without MLflow the folder's name."""
        return self._folder.name if self._mirror is None else self._mirror.upload.run_id

    @property
    def place(self) -> Place:
        """Where the run is: in MLflow, or its folder without MLflow and while that has not answered."""
        remote = None if self._mirror is None else self._mirror.upload.remote
        return Place(str(self._folder)) if remote is None else remote.place

    @property
    def complete(self) -> bool:
        """Whether the records of the run, which has ended, are where they belong."""
        return self._ended if self._mirror is None else is_sent(self._folder)

    def params(self, config: Mapping[str, Any]) -> None:
        """Record the leaves of `config` (see `flatten`); what the run has already keeps its first value."""
        self._params = flatten(config) | self._params
        self._write(records.PARAMS, self._params)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record or replace tags."""
        self._tags |= {key: cut(as_text(value), TAG_LIMIT) for key, value in values.items()}
        self._write(records.TAGS, self._tags)

    def metrics(self, points: Iterable[Point]) -> None:
        """Take points; they are written in batches, the finite ones only."""
        self._metrics.add(points)

    def flush(self) -> None:
        """Write the points that wait."""
        self._metrics.flush()
        if self._mirror is not None:
            self._mirror.wake()

    def artifact(self, path: Path, folder: str = "") -> None:
        """List a file of the run's folder, to be shown in `folder` by MLflow."""
        self._artifacts.append([str(path.resolve().relative_to(self._folder)), folder])
        self._write(records.ARTIFACTS, {"files": self._artifacts})

    def model(self, model: Any) -> None:
        """Save the Keras model as `model.keras`."""
        # In its place when it is whole: a kill leaves no half of it, and the mirror reads none.
        fresh = self._folder / f"partial.{records.MODEL}"
        model.save(fresh)
        fresh.replace(self._folder / records.MODEL)

    def end(self, status: Status) -> None:
        """Write what waits and close the run; only the first call that succeeds counts.

        MLflow is waited for as long as that makes sense.
        """
        checks.choice("status", status, records.STATUSES)
        if not self._ended:
            try:
                self._metrics.flush()
            finally:
                self._status |= {"status": status, "end_time": records.now()}
                self._write(records.STATUS, self._status)
            self._ended = True
        if self._mirror is not None:
            self._mirror.end()

    def _read(self, name: str) -> dict[str, Any]:
        return StateFile(self._folder / name).read()

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        fresh = self._folder / f".{name}.new"
        fresh.write_text(json.dumps(clean_all(values), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(self._folder / name)
