"""A tidy table over runs: one row a run."""

import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from rnnexp.analysis.columns import Value, typed
from rnnexp.analysis.folder_reader import read_folder, read_folders
from rnnexp.analysis.mlflow_reader import read_store
from rnnexp.analysis.run_record import RunRecord
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import data_folder
from rnnexp.tasks import CATALOGUE
from rnnexp.tracking import resolve

_TYPED_TAGS = ("budget_exhausted", "diverged_at", "git.dirty")
_VERDICTS = ("verdict.gradient", "verdict.learning", "budget_exhausted")
_WORDS = "mlflow.note.content"
_PARENT = "mlflow.parentRunId"
_MIRRORS = ("with/", "cfg/")


def load_runs(
    where: str | os.PathLike | None = None, sweep: str | None = None, filter: str | None = None
) -> pd.DataFrame:
    """Return a table with one row per run, the oldest first.

    Columns: `run_id`, `run_name`, `status`, `start` (UTC), `seconds`, `run_folder`, `artifacts`, `link` (its
    page in MLflow, where `mlflow ui` shows it), `parent_id`; every key of the configuration under its dotted
    name and every chosen group (`activation`, `clip.threshold`, `clip`); the tags (`verdict.learning`,
    `group_hash`, `sweep_id`, `git.sha`, ...), `words` (the verdict in words); the last value of every metric
    (`grad/rate`, `val/loss`, ...); and `steps_to_solve`, the first validation whose error is under the task's
    criterion, of runs that solved it (with `stop=solved`, `train/steps_to_criterion`). What a run does not
    have is missing.

    Args:
        where: A tracking address, a SQLite file, or a folder of runs with `tracking=none`. None: the store
            of MLFLOW_TRACKING_URI, or else `mlflow.db`: beside `run.py` in a checkout, else in the working
            folder.
        sweep: Id of a sweep. None: the newest one; every run where there is a filter, or no sweep at all.
        filter: An MLflow filter, such as `params.activation = 'relu'`; empty: every run. Stores only.

    Raises:
        ArgumentError: `where` cannot be read, or nothing in it is meant.
    """
    records = _records(where, sweep, filter)
    if not records:
        expected = (
            "a store that holds runs of this project" if not filter else f"a store with runs where {filter}"
        )
        raise ArgumentError("where", expected, "the default store" if where is None else str(where))
    return pd.DataFrame([_row(record) for record in records])


def table_of(folders: Iterable[Path]) -> pd.DataFrame:
    """Return the table of `load_runs` over the runs of these folders, in their order."""
    return pd.DataFrame([_row(read_folder(folder)) for folder in folders])


def store_address(where: str | os.PathLike | None = None) -> str | None:
    """Return the tracking address that `where` means (see `load_runs`), None for a folder.

    Raises:
        ArgumentError: It is neither an address nor a path that is there.
    """
    if where is None:
        return resolve(None, os.environ, data_folder())
    if isinstance(where, str) and "://" in where:
        return _named_where(where)
    path = Path(where).expanduser()
    if path.is_file():
        return _named_where(f"sqlite:///{path.resolve()}")
    if path.is_dir():
        return None
    raise ArgumentError("where", "a tracking address, a SQLite file or a folder that is there", str(where))


def _records(where: str | os.PathLike | None, sweep: str | None, filter: str | None) -> list[RunRecord]:
    address = store_address(where)
    if address is not None:
        return read_store(address, sweep, filter)
    if filter:
        raise ArgumentError(
            "filter", "no filter for a folder (a sweep id, or load_runs().query(...))", filter
        )
    return read_folders(Path(str(where)).expanduser(), sweep)


def _named_where(uri: str) -> str:
    try:
        return resolve(uri, {}, Path.cwd())
    except ArgumentError as error:
        raise ArgumentError("where", error.expected, error.received) from None


def _row(record: RunRecord) -> dict[str, object]:
    params = {key: typed(text) for key, text in record.params.items()}
    return {
        "run_id": record.run_id,
        "run_name": record.run_name,
        "status": record.status,
        "start": pd.Timestamp(record.start, unit="ms", tz="UTC"),
        "seconds": math.nan if record.end is None else (record.end - record.start) / 1000,
        "run_folder": record.tags.get("run_folder"),
        "artifacts": record.artifacts,
        "link": record.link,
        "parent_id": record.tags.get(_PARENT),
        **params,
        **_tags(record.tags),
        **_both_names(record.metrics),
        "steps_to_solve": _steps_to_solve(params.get("task"), record),
    }


def _both_names(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics, with the numbers of the configuration under today's name (`with/`) and the former.

    Runs were recorded with the one or the other; who reads a table finds both.
    """
    numbers = {key.partition("/")[2]: value for key, value in metrics.items() if key.startswith(_MIRRORS)}
    both = {f"{prefix}{name}": value for prefix in _MIRRORS for name, value in numbers.items()}
    return {**metrics, **both}


def _tags(tags: Mapping[str, str]) -> dict[str, Value]:
    kept = {key: text for key, text in tags.items() if not key.startswith("mlflow.")}
    values = {key: typed(text) if key in _TYPED_TAGS else text for key, text in kept.items()}
    return dict.fromkeys(_VERDICTS) | values | {"words": tags.get(_WORDS)}


def _steps_to_solve(task: Value, record: RunRecord) -> float | None:
    recorded = record.metrics.get("train/steps_to_criterion")
    if recorded is not None:
        return recorded
    criterion = CATALOGUE[task].criterion if isinstance(task, str) and task in CATALOGUE else None
    if criterion is None:
        return None
    return next((step for step, error in record.errors if error < criterion), None)
