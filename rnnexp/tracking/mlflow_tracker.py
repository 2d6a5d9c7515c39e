"""The records of one run in MLflow."""

import getpass
import logging
import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from rnnexp.runtime import checks
from rnnexp.runtime.secrets import clean, without_login
from rnnexp.tracking.address import is_server, sqlite_path
from rnnexp.tracking.buffer import BATCH, Buffer, Record
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.flatten import TAG_LIMIT, as_text, cut, flatten
from rnnexp.tracking.links import LOCAL_PAGES, run_page, verdicts_page
from rnnexp.tracking.model_artifact import log_model, remove_models
from rnnexp.tracking.tracker import STATUSES, Point, Status

_PARAMS_PER_CALL = 100
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
        self._ended = False
        self._reopened = run_id is not None
        self._written = {metric.key: metric.step for metric in run.data.to_proto().metrics}
        self._buffer = Buffer(self._send, self._written)

    @property
    def run_id(self) -> str:
        """Return MLflow's id of the run."""
        return self._info.run_id

    @property
    def where(self) -> str:
        """Return the page of the run on its server, or its store, name and id."""
        if is_server(self._uri):
            return run_page(without_login(self._uri), self._info.experiment_id, self.run_id)
        store = sqlite_path(self._uri) or without_login(self._uri)
        return f"{store}, run {self._info.run_name} ({self.run_id})"

    @property
    def open_command(self) -> str | None:
        """Return the command that serves MLflow's pages of this store, or None for a server."""
        if is_server(self._uri):
            return None
        return f"mlflow ui --backend-store-uri {shlex.quote(without_login(self._uri))}"

    @property
    def page(self) -> str:
        """Return the address of the verdicts of the experiment, where the pages of this store are served."""
        pages = without_login(self._uri) if is_server(self._uri) else LOCAL_PAGES
        return verdicts_page(pages, self._info.experiment_id)

    @property
    def dropped(self) -> int:
        """Return how many points were not kept because their value is not finite."""
        return self._buffer.dropped

    @property
    def complete(self) -> bool:
        """Return whether the run has ended."""
        return self._ended

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
        """Take points; they are written in batches, the finite ones only."""
        self._buffer.add(points)

    def records(self, records: Sequence[Record]) -> None:
        """Write points with the times at which they were taken, but none that the run has already."""
        fresh = [record for record in records if record.step > self._written.get(record.key, -1)]
        for batch in _batches(fresh, BATCH):
            self._send(batch)

    def flush(self) -> None:
        """Write the points that wait."""
        self._buffer.flush()

    def last_step(self, key: str) -> int | None:
        """Return the largest step taken under `key`, by this attempt or an earlier one; None without any."""
        return self._buffer.last_step(key)

    def artifact(self, path: Path, folder: str = "") -> None:
        """Upload a file or folder into `folder` of the run's artifacts."""
        self._client.log_artifact(self.run_id, str(path), folder)

    def text(self, name: str, content: str) -> None:
        """Upload `content` as the artifact `name`."""
        self._client.log_text(self.run_id, clean(content), name)

    def model(self, model: Any) -> None:
        """Log the Keras model (see `log_model`)."""
        with quietly():
            if self._reopened:
                remove_models(self._client, self._info.experiment_id, self.run_id)
            log_model(self._client, self._info.experiment_id, self.run_id, model)

    def end(self, status: Status) -> None:
        """Write what waits and close the run; only the first call that succeeds counts."""
        checks.choice("status", status, STATUSES)
        if self._ended:
            return
        try:
            self.flush()
        finally:
            self._client.set_terminated(self.run_id, status)
        self._ended = True

    def _send(self, records: Sequence[Record]) -> None:
        from mlflow.entities import Metric

        metrics = [Metric(record.key, record.value, record.timestamp, record.step) for record in records]
        self._client.log_batch(self.run_id, metrics=metrics)


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
