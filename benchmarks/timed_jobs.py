"""What `benchmarks.jobs` puts into `run.py`: stopwatches around its parts, which write down what they show.

In a sweep the launcher notes when each job begins, and the fork server, which imports
`benchmarks.timed_server` before it forks, times the parts inside. A run alone times what has to do with
tracking.
"""

import atexit
import importlib
import itertools
import json
import os
import runpy
import time
from pathlib import Path
from typing import Any

from benchmarks.stopwatch import Stopwatch

FOLDER = "RNNEXP_TIMED"
"""The environment variable that names the folder of what is written down."""

ROOT = Path(__file__).parents[1]
RECORDS, MODEL, IMPORT = "records in MLflow", "the saved model", "importing MLflow"
PERIOD = "period"
_MLFLOW = ("mlflow", "mlflow.store.tracking.sqlalchemy_store")


def sweep() -> None:
    """Be `run.py` with every job of its sweep timed."""
    from rnnexp.sweep import process

    process._LAST.insert(0, "benchmarks.timed_server")
    _time_processes(process.JobProcess)
    _run()


def alone() -> None:
    """Be `run.py` with all that has to do with tracking timed, the import of MLflow too."""
    from rnnexp import tracking
    from rnnexp.tracking import client

    watch = Stopwatch()
    started = time.perf_counter()
    with client.quietly():
        for name in _MLFLOW:
            importlib.import_module(name)
    watch.seconds[IMPORT] = time.perf_counter() - started
    watch_tracking(watch, tracking)
    watch.watch(tracking, RECORDS, "check_store")
    atexit.register(lambda: _write("alone.json", watch.seconds))
    _run()


def watch_tracking(watch: Stopwatch, tracking: Any) -> None:
    """Time the store and the tracker of MLflow."""
    watch.watch(tracking, RECORDS, "ensure_store", "run_with_tags")
    methods = ("__init__", "params", "tags", "metrics", "flush", "artifact", "text", "end")
    watch.watch(tracking.MlflowTracker, RECORDS, *methods)
    watch.watch(tracking.MlflowTracker, MODEL, "model")


def write_job(values: dict[str, float]) -> None:
    """Write down what the stopwatch of this process shows."""
    _write(f"{os.getpid()}.json", values)


def read(folder: Path) -> list[dict[str, float]]:
    """Return what was written of every job of a sweep but the last, in their order: parts, and `PERIOD`.

    The period is the time from the begin of a job to that of the next one.
    """
    begins = [json.loads(line) for line in (folder / "begins.txt").read_text("utf-8").splitlines()]
    jobs = [json.loads((folder / f"{begin['pid']}.json").read_text("utf-8")) for begin in begins]
    pairs = zip(jobs, itertools.pairwise(begin["seconds"] for begin in begins), strict=False)
    return [job | {PERIOD: after - before} for job, (before, after) in pairs]


def _run() -> None:
    runpy.run_path(str(ROOT / "run.py"), run_name="__main__")


def _write(name: str, values: dict[str, float]) -> None:
    Path(os.environ[FOLDER], name).write_text(json.dumps(values), encoding="utf-8")


def _time_processes(process: Any) -> None:
    """Write down when every job begins, before its fork."""
    begin = process.__init__

    def timed_begin(self: Any, *args: Any) -> None:
        seconds = time.perf_counter()
        begin(self, *args)
        line = json.dumps({"pid": self._process.pid, "seconds": seconds})
        with Path(os.environ[FOLDER], "begins.txt").open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")

    process.__init__ = timed_begin
