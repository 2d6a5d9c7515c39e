"""Reads runs from an MLflow store."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from rnnexp.analysis.run_record import RunRecord, is_run, is_solved
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.address import sqlite_path
from rnnexp.tracking.client import connect
from rnnexp.tracking.links import pages_of, run_page
from rnnexp.tracking.store_check import check_store

_PAGE = 1000
_IN_A_SWEEP = "tags.sweep_id != '' and tags.config_hash != ''"
_LISTED = 5


def read_store(uri: str, sweep: str | None, filter: str | None) -> list[RunRecord]:
    """Return the runs of the store at `uri`, the oldest first.

    Args:
        uri: An address from `tracking.resolve`.
        sweep: Id of a sweep. None: the newest one, unless there is a filter or the store holds no sweep.
        filter: An MLflow filter such as `params.activation = 'relu'`; empty: every run.

    Raises:
        ArgumentError: The store cannot be read, the filter is not valid, or there is no such sweep.
    """
    _check(uri)
    client = connect(uri)
    experiments = [experiment.experiment_id for experiment in _pages(client.search_experiments)]
    if sweep is None and filter is None:
        sweep = next(iter(_sweeps(client, experiments, 1)), None)
    found = [run for run in _search(client, experiments, _clauses(sweep, filter)) if is_run(run.data.tags)]
    if sweep is not None and not found:
        known = ", ".join(_sweeps(client, experiments, _LISTED)) or "none there"
        raise ArgumentError("sweep", f"a sweep with runs in {without_login(uri)} (newest: {known})", sweep)
    return [_record(client, uri, run) for run in reversed(found)]


def _check(uri: str) -> None:
    path = sqlite_path(uri)
    if path is not None and not path.is_file():
        raise ArgumentError("where", "a store that holds runs; this file is not there", str(path))
    try:
        check_store(uri)
    except ArgumentError as error:
        raise ArgumentError("where", error.expected, error.received) from error


def _clauses(sweep: str | None, filter: str | None) -> str:
    if sweep is not None and "'" in sweep:
        raise ArgumentError("sweep", "an id without quotes", sweep)
    clauses = [] if sweep is None else [f"tags.sweep_id = '{sweep}'"]
    return " and ".join([*clauses, *([filter] if filter else [])])


def _pages(search: Callable[..., Any]) -> Iterator[Any]:
    """Yield all that a search of MLflow's finds, which comes a page at a time."""
    token = None
    while True:
        page = search(page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _search(client: Any, experiments: Sequence[str], filter: str, page_size: int = _PAGE) -> Iterator[Any]:
    """Yield the runs that match, the newest first."""
    from mlflow.exceptions import MlflowException

    order = ["start_time DESC"]
    try:
        yield from _pages(
            partial(client.search_runs, experiments, filter, max_results=page_size, order_by=order)
        )
    except MlflowException as error:
        expected = f"an MLflow filter ({str(error).partition(chr(10))[0]})"
        raise ArgumentError("filter", expected, filter) from error


def _sweeps(client: Any, experiments: Sequence[str], most: int) -> list[str]:
    """Return the ids of the newest sweeps that have runs, `most` at most."""
    found: list[str] = []
    for run in _search(client, experiments, _IN_A_SWEEP, 1 if most == 1 else _PAGE):
        sweep = run.data.tags["sweep_id"]
        if sweep not in found:
            found.append(sweep)
        if len(found) == most:
            break
    return found


def _record(client: Any, uri: str, run: Any) -> RunRecord:
    info, data = run.info, run.data
    history = client.get_metric_history(info.run_id, "val/error") if is_solved(data.tags) else []
    return RunRecord(
        run_id=info.run_id,
        run_name=info.run_name,
        status=info.status,
        start=info.start_time,
        end=info.end_time,
        params=data.params,
        tags=data.tags,
        metrics=data.metrics,
        artifacts=info.artifact_uri,
        link=run_page(pages_of(uri), info.experiment_id, info.run_id),
        errors=tuple(sorted((metric.step, metric.value) for metric in history)),
    )
