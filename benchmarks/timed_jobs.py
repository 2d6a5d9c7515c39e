"""What `benchmarks.jobs` puts into `run.py`: stopwatches around its parts, which write down what they show.

In a sweep the fork server, which imports `benchmarks.timed_server` before it forks, notes when each job
begins and times the parts inside. A run alone times what has to do with tracking.
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
PERIOD, BEGUN = "period", "begun"
_MLFLOW = ("mlflow", "mlflow.store.tracking.sqlalchemy_store")


def sweep() -> None:
    """Be `run.py` with every job of its sweep timed."""
    from rnnexp.sweeps import launcher

    launcher.PRELOADED.append("benchmarks.timed_server")
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
    watch.watch(tracking, RECORDS, "ensure_store")
    methods = ("__init__", "params", "tags", "records", "artifact", "end")
    watch.watch(tracking.MlflowTracker, RECORDS, *methods)
    watch.watch(tracking.MlflowTracker, MODEL, "model")


def write_job(values: dict[str, float]) -> None:
    """Write down what the stopwatch of this process shows, `BEGUN` among it."""
    _write(f"{os.getpid()}.json", values)


def read(folder: Path) -> list[dict[str, float]]:
    """Return what was written of every job of a sweep but the last, in their order: parts, and `PERIOD`.

    The period is the time from the begin of a job to that of the next one.
    """
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("*.json")]
    jobs = sorted(found, key=lambda job: job[BEGUN])
    return [
        {name: seconds for name, seconds in job.items() if name != BEGUN}
        | {PERIOD: after[BEGUN] - job[BEGUN]}
        for job, after in itertools.pairwise(jobs)
    ]


def _run() -> None:
    runpy.run_path(str(ROOT / "run.py"), run_name="__main__")


def _write(name: str, values: dict[str, float]) -> None:
    Path(os.environ[FOLDER], name).write_text(json.dumps(values), encoding="utf-8")
