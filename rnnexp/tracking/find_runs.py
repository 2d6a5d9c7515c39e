"""Runs of a store that are looked up: the active one, one by its id, one by its tags."""

from collections.abc import Mapping
from typing import NamedTuple

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.records import STATUSES, Status


class FoundRun(NamedTuple):
    """Where a run is, its id, and how it ended (None while it goes on)."""

    uri: str
    run_id: str
    ended: Status | None


def find_run(run_id: str | None = None, uri: str | None = None) -> FoundRun:
    """Return the run that is meant: `run_id`, else the one that `mlflow.start_run` opened in this thread.

    Args:
        run_id: Id of a run, or None.
        uri: The store, or None for the one that MLflow is set to (`mlflow.set_tracking_uri`, else
            MLFLOW_TRACKING_URI, else MLflow's default).

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
    info = connect(uri).get_run(run_id).info
    return FoundRun(uri, run_id, info.status if info.status in STATUSES else None)


def run_with_tags(uri: str, experiment_id: str, tags: Mapping[str, str]) -> str | None:
    """Return the id of the newest run of an experiment that has all these tags, None where none has.

    Raises:
        MlflowException: The store does not answer.
    """
    query = " and ".join(f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items())
    found = connect(uri).search_runs([experiment_id], query, max_results=1)
    return found[0].info.run_id if found else None


def _quoted(value: str) -> str:
    """Return the value in the quotes that it does not hold: those of MLflow's filters know no escape."""
    quote = '"' if "'" in value else "'"
    return f"{quote}{value}{quote}"
