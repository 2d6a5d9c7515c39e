"""Reads runs from their folders (`tracking=none`)."""

import io
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from rnnexp.analysis.run_record import RunRecord, is_run, is_solved
from rnnexp.runtime.checks import ArgumentError

_STATUS = "status.json"
_STATE = "run.json"
_WHOLE = "runs whose files are whole"


def read_folders(root: Path, sweep: str | None) -> list[RunRecord]:
    """Return the runs whose folders lie in `root`, at any depth, the oldest first.

    Args:
        root: A folder of runs, or that of one run.
        sweep: Id of a sweep. None: the newest one, or all runs where none belongs to a sweep.

    Raises:
        ArgumentError: There is no run, or no such sweep; or the runs are recorded in MLflow.
    """
    found = list(_run_folders(root))
    records = [read_folder(folder) for folder in found if (folder / _STATUS).is_file()]
    records = sorted((record for record in records if is_run(record.tags)), key=lambda record: record.start)
    if not records:
        raise ArgumentError("where", _expected(found), str(root))
    sweeps = [record.tags["sweep_id"] for record in records if "sweep_id" in record.tags]
    if sweep is None:
        sweep = sweeps[-1] if sweeps else None
    elif sweep not in sweeps:
        known = ", ".join(dict.fromkeys(reversed(sweeps))) or "none there"
        raise ArgumentError("sweep", f"a sweep in {root} (newest: {known})", sweep)
    return [record for record in records if sweep is None or record.tags.get("sweep_id") == sweep]


def _run_folders(root: Path) -> Iterator[Path]:
    for path, folders, files in os.walk(root):
        if _STATUS in files or _STATE in files:
            folders.clear()  # the folder of a run contains no other runs
            yield Path(path)
        folders.sort()  # by name, which holds the start time in microseconds


def _expected(folders: list[Path]) -> str:
    stores = {_json(folder / _STATE).get("store", "none") for folder in folders} - {"none"}
    if not stores:
        return "a folder that holds runs"
    return f"a folder of runs with tracking=none (these are recorded in {', '.join(sorted(stores))})"


def read_folder(folder: Path) -> RunRecord:
    """Return the run of a folder, which holds its files wherever else it is recorded."""
    status, tags = _json(folder / _STATUS), _json(folder / "tags.json")
    if not {"name", "status", "start_time"} <= status.keys():
        raise ArgumentError("where", _WHOLE, str(folder / _STATUS))
    history = _history(folder / "metrics.csv")
    errors = history[history["key"] == "val/error"] if is_solved(tags) else history[:0]
    return RunRecord(
        run_id=folder.name,
        run_name=status["name"],
        status=status["status"],
        start=status["start_time"],
        end=status.get("end_time"),
        params=_json(folder / "params.json"),
        tags=tags,
        metrics=dict(history.drop_duplicates("key", keep="last")[["key", "value"]].to_numpy().tolist()),
        artifacts=str(folder),
        link=None,
        errors=tuple(zip(errors["step"].tolist(), errors["value"].tolist(), strict=True)),
    )


def _history(path: Path) -> pd.DataFrame:
    """Return the points of a run in the order of steps, without a last line that a kill cut short."""
    lines = path.read_bytes() if path.is_file() else b""
    whole = lines[: lines.rfind(b"\n") + 1]
    if not whole:
        return pd.DataFrame({"key": [], "value": [], "step": []})
    try:
        return pd.read_csv(io.BytesIO(whole)).sort_values("step", kind="stable")
    except (KeyError, ValueError) as error:  # a header that is broken off, bytes that are no text
        raise ArgumentError("where", _WHOLE, str(path)) from error


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:  # no JSON, or not UTF-8
        raise ArgumentError("where", f"{_WHOLE} ({error})", str(path)) from error
    if not isinstance(found, dict):
        raise ArgumentError("where", _WHOLE, str(path))
    return found
