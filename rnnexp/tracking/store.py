"""Creation of the SQLite store and of the experiment, once, whoever comes first."""

import contextlib
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.address import artifacts_beside, sqlite_path
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.links import VIEW

_LOCK_SECONDS = 120
_UNSAFE = re.compile(r"[^\w. -]|^\.+")


def ensure_store(uri: str, experiment: str) -> str:
    """Return the id of `experiment` in the store at `uri`; create what is missing.

    MLflow's own creation of a SQLite store fails where two processes begin it together. Here it happens under
    a lock, in a file that takes its place when it is complete: nobody sees half a database, not even after a
    kill. Its artifacts lie beside it, in `mlartifacts/<experiment>`, so that `mlflow ui` in that
    folder shows everything.

    Args:
        uri: An address from `resolve`.
        experiment: The experiment's name.

    Raises:
        ArgumentError: The experiment has been deleted in MLflow.
    """
    path = sqlite_path(uri)
    if path is None:
        return _experiment(connect(uri), experiment, artifacts=None)
    path.parent.mkdir(parents=True, exist_ok=True)
    with _exclusive(path):
        if not path.exists() or path.stat().st_size == 0:
            _create(path)
        return _experiment(connect(uri), experiment, _artifacts(path, _UNSAFE.sub("_", experiment)))


@contextlib.contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    # SQLite's own lock: it ends with its process, and where it does not work the store does not work either.
    file = path.with_name(f".{path.name}.lock")
    with contextlib.closing(sqlite3.connect(file, timeout=_LOCK_SECONDS, isolation_level=None)) as lock:
        lock.execute("BEGIN EXCLUSIVE")
        yield


def _create(path: Path) -> None:
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with quietly():
        from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

        SqlAlchemyStore(f"sqlite:///{fresh}", _artifacts(path, "")).engine.dispose()
    fresh.replace(path)


def _experiment(client: Any, name: str, artifacts: str | None) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.create_experiment(name, artifact_location=artifacts, tags=view_tags())
        except MlflowException:
            # A server knows no lock of ours: another process may have been faster.
            found = client.get_experiment_by_name(name)
            if found is None:
                raise
    if found.lifecycle_stage == "deleted":
        command = f"mlflow experiments restore --experiment-id {found.experiment_id}"
        raise ArgumentError("tracking.experiment", f"one that is not deleted (`{command}` restores it)", name)
    return found.experiment_id


def _artifacts(path: Path, folder: str) -> str:
    return str(artifacts_beside(path) / folder)


_WIDTHS = {
    "attributes.`Run Name`": 160,
    "runDateAndNestInfo": 140,
    "tags.`verdict.gradient`": 124,
    "tags.`verdict.learning`": 156,
    "metrics.`grad/rate`": 78,
    "metrics.`val/error`": 78,
    "params.`activation`": 90,
    "params.`seq_len`": 70,
    "params.`clip`": 90,
    "duration": 80,
}
"""The columns of the view in their order, and their widths in pixels: both verdicts fit on a small screen."""

_COLUMNS = tuple(column for column in _WIDTHS if column.startswith(("tags.", "metrics.", "params.")))

# Any order but that of creation lists the runs of a sweep themselves, not folded under their parent.
_STATE = {
    "searchFilter": "tags.`verdict.learning` LIKE '%'",
    "orderByKey": "metrics.`grad/rate`",
    "orderByAsc": True,
    "startTime": "ALL",
    "selectedColumns": _COLUMNS,
    "columnOrder": list(_WIDTHS),
    "columnWidths": _WIDTHS,
}


def view_tags() -> dict[str, str]:
    """Return the tags of an experiment that set its kind and its saved view."""
    view = {"name": "Verdicts", "createdAt": 0, "updatedAt": 0, "state": json.dumps(_STATE)}
    return {
        "mlflow.experimentKind": "custom_model_development",
        f"mlflow.sharedViewState.{VIEW}": json.dumps(view),
    }
