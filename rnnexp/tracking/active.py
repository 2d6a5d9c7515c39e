"""The MLflow run that somebody else started."""

from typing import NamedTuple

from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking.client import connect, quietly
from rnnexp.tracking.tracker import STATUSES, Status


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
