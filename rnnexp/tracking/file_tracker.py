"""The records of one run as plain files in its folder, for use without MLflow."""

import csv
import io
import json
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnexp.runtime import checks
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.secrets import clean, clean_all
from rnnexp.tracking.buffer import Buffer, Record
from rnnexp.tracking.flatten import TAG_LIMIT, as_text, cut, flatten
from rnnexp.tracking.tracker import STATUSES, Point, Status

PARAMS, TAGS, STATUS, ARTIFACTS = "params.json", "tags.json", "status.json", "artifacts.json"
METRICS, MODEL = "metrics.csv", "model.keras"


class FileTracker:
    """`params.json`, `tags.json`, `status.json`, `metrics.csv`, `model.keras`: what MLflow would hold.

    The columns of `metrics.csv` are key, value, step and timestamp (milliseconds since 1970).
    `artifacts.json` lists the other files of the run, each with the folder in which MLflow is to show it. A
    folder that holds such files already is a run that is resumed.

    Args:
        folder: The run's folder, made if it is absent.
        name: The run's name.
    """

    def __init__(self, folder: Path, name: str):
        self._folder = folder.resolve()
        self._folder.mkdir(parents=True, exist_ok=True)
        self._params = self._read(PARAMS)
        self._tags = self._read(TAGS)
        self._status = {"name": name, "start_time": _now()} | self._read(STATUS)
        self._status["status"] = "RUNNING"
        self._write(STATUS, self._status)
        self._artifacts = self._read(ARTIFACTS).get("files", [])
        self._ended = False
        self._metrics = self._folder / METRICS
        self._buffer = Buffer(self._send, _recover(self._metrics))

    @property
    def run_id(self) -> str:
        """Return the name of the run's folder."""
        return self._folder.name

    @property
    def where(self) -> str:
        """Return the run's folder."""
        return str(self._folder)

    @property
    def open_command(self) -> str | None:
        """Return None: files open as they are."""
        return None

    @property
    def page(self) -> None:
        """Return None: files have no page."""
        return None

    @property
    def dropped(self) -> int:
        """Return how many points were not kept because their value is not finite."""
        return self._buffer.dropped

    @property
    def complete(self) -> bool:
        """Return whether the run has ended: files are where they belong."""
        return self._ended

    def params(self, config: Mapping[str, Any]) -> None:
        """Record the leaves of `config`; what the run has already keeps its first value."""
        self._params = flatten(config) | self._params
        self._write(PARAMS, self._params)

    def tags(self, values: Mapping[str, Any]) -> None:
        """Record or replace tags."""
        self._tags |= {key: cut(as_text(value), TAG_LIMIT) for key, value in values.items()}
        self._write(TAGS, self._tags)

    def metrics(self, points: Iterable[Point]) -> None:
        """Take points; they are written in batches, the finite ones only."""
        self._buffer.add(points)

    def flush(self) -> None:
        """Write the points that wait."""
        self._buffer.flush()

    def last_step(self, key: str) -> int | None:
        """Return the largest step taken under `key`, by this attempt or an earlier one; None without any."""
        return self._buffer.last_step(key)

    def artifact(self, path: Path, folder: str = "") -> None:
        """Copy a file or folder into `folder` of the run's folder, unless it lies there already."""
        path = path.resolve()
        target = path
        if not path.is_relative_to(self._folder):
            target = self._folder / folder / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, target, dirs_exist_ok=True)
            else:
                shutil.copy2(path, target)
        self._list(target, folder)

    def text(self, name: str, content: str) -> None:
        """Write `content` to the file `name`."""
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(clean(content), encoding="utf-8")
        self._list(target, name.rpartition("/")[0])

    def model(self, model: Any) -> None:
        """Save the Keras model as `model.keras`."""
        model.save(self._folder / MODEL)

    def end(self, status: Status) -> None:
        """Write what waits and close the run; only the first call that succeeds counts."""
        checks.choice("status", status, STATUSES)
        if self._ended:
            return
        try:
            self.flush()
        finally:
            self._status |= {"status": status, "end_time": _now()}
            self._write(STATUS, self._status)
        self._ended = True

    def _list(self, path: Path, folder: str) -> None:
        self._artifacts.append([str(path.relative_to(self._folder)), folder])
        self._write(ARTIFACTS, {"files": self._artifacts})

    def _send(self, records: Sequence[Record]) -> None:
        # One write call: what a kill can leave is one broken last line, which `_recover` removes.
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(records)
        with self._metrics.open("a", encoding="utf-8") as file:
            file.write(lines.getvalue())

    def _read(self, name: str) -> dict[str, Any]:
        return StateFile(self._folder / name).read()

    def _write(self, name: str, values: Mapping[str, Any]) -> None:
        fresh = self._folder / f".{name}.new"
        fresh.write_text(json.dumps(clean_all(values), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        fresh.replace(self._folder / name)


def _recover(path: Path) -> dict[str, int]:
    """Make `path` end with a whole line, the header at least, and return the largest step of each key."""
    header = ",".join(Record._fields) + "\n"
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text or whole == "":
        whole = whole or header
        path.write_text(whole, encoding="utf-8")
    last: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(whole)):
        step = int(row["step"])
        last[row["key"]] = max(step, last.get(row["key"], step))
    return last


def _now() -> int:
    """Return the time in milliseconds since 1970, as MLflow writes it."""
    return time.time_ns() // 1_000_000
