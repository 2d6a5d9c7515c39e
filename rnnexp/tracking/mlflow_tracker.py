"""The records of one run in MLflow."""

import getpass
import logging
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import clean, without_login
from rnnexp.tracking.address import is_server, sqlite_path
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.flatten import TAG_LIMIT, as_text, cut, flatten
from rnnexp.tracking.links import Place, open_command, pages_of, run_page, verdicts_page
from rnnexp.tracking.model_artifact import log_model, remove_models
from rnnexp.tracking.records import STATUSES, Point, Record, Status, taken
from rnnexp.tracking.store import ensure_store
from rnnexp.tracking.store_check import is_known

_PARAMS_PER_CALL = 100
_POINTS_PER_CALL = 1000
_logger = logging.getLogger(__name__)
_Item = TypeVar("_Item")


class MlflowTracker:
    """One MLflow run, by the client's interface only: no active run, nothing of another run in this process.

    Args:
        uri: An address from `resolve`.
        experiment_id: What `ensure_store` returned.
        name: The name of a new run.
        run_id: A run to reopen instead: it is RUNNING again, and takes only what it does not have.
        tags: Tags of a new run, which it has from its first moment.

    Raises:
        MlflowException: The store does not answer, or does not know `run_id`.
    """

    def __init__(
        self,
        uri: str,
        experiment_id: str,
        name: str,
        run_id: str | None = None,
        tags: Mapping[str, str] | None = None,
    ):
        self._uri = uri
        self._client = connect(uri)
        if run_id is None:
            run = self._client.create_run(
                experiment_id, run_name=clean(name), tags=_origin() | dict(tags or {})
            )
        else:
            self._client.update_run(run_id, status="RUNNING")
            run = self._client.get_run(run_id)
        self._info = run.info
        self._params = dict(run.data.params)
        self._reopened = run_id is not None
        self._written = {metric.key: metric.step for metric in run.data.to_proto().metrics}

    @property
    def run_id(self) -> str:
        """MLflow's id of the run."""
        return self._info.run_id

    @property
    def place(self) -> Place:
        """The page of the run on its server, or its store, name and id."""
        pages, experiment = pages_of(self._uri), self._info.experiment_id
        if is_server(self._uri):
            where = run_page(pages, experiment, self.run_id)
        else:
            store = sqlite_path(self._uri) or without_login(self._uri)
            where = f"{store}, run {self._info.run_name} ({self.run_id})"
        return Place(where, open_command(self._uri), verdicts_page(pages, experiment))

    def params(self, config: Mapping[str, Any]) -> None:
        """Record the leaves of `config`; what the run has already keeps its first value."""
        from mlflow.entities import Param

        flat = flatten(config)
        changed = [key for key, value in flat.items() if self._params.get(key, value) != value]
        if changed:
            _logger.info("The run keeps its first value of %s.", ", ".join(changed))
        fresh = [Param(key, value) for key, value in flat.items() if key not in self._params]
        for batch in _batches(fresh, _PARAMS_PER_CALL):
            self._client.log_batch(self.run_id, params=batch)
        self._params = flat | self._params

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record or replace tags."""
        from mlflow.entities import RunTag

        tags = [RunTag(key, cut(as_text(value), TAG_LIMIT)) for key, value in values.items()]
        for batch in _batches(tags, _PARAMS_PER_CALL):
            self._client.log_batch(self.run_id, tags=batch)

    def metrics(self, points: Iterable[Point]) -> None:
        """Write the finite ones of points that are taken now."""
        self.records(taken(points))

    def records(self, records: Sequence[Record]) -> None:
        """Write points with the times at which they were taken, but none that the run has already."""
        from mlflow.entities import Metric

        fresh = [record for record in records if record.step > self._written.get(record.key, -math.inf)]
        metrics = [Metric(record.key, record.value, record.timestamp, record.step) for record in fresh]
        for batch in _batches(metrics, _POINTS_PER_CALL):
            self._client.log_batch(self.run_id, metrics=batch)

    def artifact(self, path: Path, folder: str = "") -> None:
        """Upload a file or folder into `folder` of the run's artifacts."""
        self._client.log_artifact(self.run_id, str(path), folder)

    def model(self, model: Any) -> None:
        """Log the Keras model (see `log_model`)."""
        with quietly():
            if self._reopened:
                remove_models(self._client, self._info.experiment_id, self.run_id)
            log_model(self._client, self._info.experiment_id, self.run_id, model)

    def end(self, status: Status) -> None:
        """Close the run."""
        self._client.set_terminated(self.run_id, status)


def open_run(
    uri: str,
    experiment: str,
    name: str,
    known: Sequence[str | None] = (),
    tags: Mapping[str, str] | None = None,
) -> MlflowTracker:
    """Open the first known run that the store still has, else the newest one with these tags, else a new one.

    Args:
        uri: An address from `resolve`.
        experiment: Name of the experiment, which is made if it is absent.
        name: Of a new run.
        known: Ids of runs; None is none.
        tags: Of a new run, by which its id is found again where that was lost with a process.

    Raises:
        ArgumentError: The experiment has been deleted in MLflow.
        MlflowException: The store does not answer.
    """
    experiment_id = ensure_store(uri, experiment)
    run_id = next((run_id for run_id in known if run_id is not None and is_known(uri, run_id)), None)
    if run_id is None and tags:
        run_id = _with_tags(uri, experiment_id, tags)
    return MlflowTracker(uri, experiment_id, name, run_id=run_id, tags=tags)


def open_meant(run_id: str | None = None, uri: str | None = None) -> tuple[MlflowTracker, Status | None]:
    """Open the run that is meant: `run_id`, else the one that `mlflow.start_run` opened in this thread.

    Args:
        run_id: Id of a run, or None.
        uri: The store, or None for the one that MLflow is set to (`mlflow.set_tracking_uri`, else
            MLFLOW_TRACKING_URI, else MLflow's default).

    Returns:
        The run, and how it had ended; None where it goes on.

    Raises:
        ArgumentError: `run_id` is None and no run is active.
        MlflowException: The store does not answer, or does not know `run_id`.
    """
    with quietly():
        import mlflow

        uri = mlflow.get_tracking_uri() if uri is None else uri
        if run_id is None:
            active = mlflow.active_run()
            run_id = None if active is None else active.info.run_id
    if run_id is None:
        raise ArgumentError("run_id", "the id of an MLflow run, or an active run", None)
    status = connect(uri).get_run(run_id).info.status
    return MlflowTracker(uri, "", "", run_id=run_id), status if status in STATUSES else None


def _with_tags(uri: str, experiment_id: str, tags: Mapping[str, str]) -> str | None:
    """Return the id of the newest run of an experiment that has all these tags, None where none has."""
    query = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    found = connect(uri).search_runs([experiment_id], query, max_results=1)
    return found[0].info.run_id if found else None


def _quoted(value: str) -> str:
    """Return the value in the quotes that it does not hold: those of MLflow's filters know no escape."""
    quote = '"' if "'" in value else "'"
    return f"{quote}{value}{quote}"


def _origin() -> dict[str, str]:
    """Return the tags from which MLflow fills its columns User and Source."""
    tags = {"mlflow.source.name": Path(sys.argv[0]).name, "mlflow.source.type": "LOCAL"}
    try:
        tags["mlflow.user"] = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        tags["mlflow.user"] = "unknown"
    return tags


def _batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
