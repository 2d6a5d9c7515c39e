"""The local launcher: one process for each job, forked from a server that has imported TensorFlow already.

The server has imported TensorFlow, Keras and MLflow but has not used them, so that it runs no threads that a
fork would lose. On systems other than Linux, whose libraries do not allow such a fork, each job is a fresh
process.
"""

import faulthandler
import gc
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from omegaconf import DictConfig, open_dict
from pebble import ProcessExpired, ProcessPool

from rnnexp.runs.job import Job
from rnnexp.runtime import output
from rnnexp.runtime.device import gpu_count
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.job import CALL, close_records, do_job, member, raise_unseen
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.resources import cores, default_workers, own_gpu, thread_limits

PRELOADED = [
    "rnnexp.sweeps.launcher",
    "rnnexp.runs.callbacks",
    "rnnexp.plotting.run_figures",
    "PIL.PngImagePlugin",
]
"""The modules that the server imports."""

_PRELOADED_FOR_MLFLOW = [
    *("mlflow.tensorflow", "mlflow.pyfunc", "mlflow.models.rag_signatures", "alembic.command"),
    *("mlflow.store.tracking.sqlalchemy_store", "sqlalchemy.dialects.sqlite", "rnnexp.tracking.preloaded"),
]
_ROOT = Path(__file__).parents[2]
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
_POLL = 0.25  # seconds
_TRIES = 3  # processes that end before their job begins
_SPARE = 1  # processes beyond the workers: the next job starts while the process of the last one still exits


def launch(config: DictConfig, loader: Any, job_overrides: Sequence[Sequence[str]], first: int) -> None:
    """Run the jobs of a sweep, each in its own process (`_Jobs._schedule` starts them).

    Args:
        config: Of the sweep, Hydra's own included.
        loader: Hydra's, which composes the jobs.
        job_overrides: Of each job.
        first: Number of the first job.

    Raises:
        RuntimeError: A job failed or was killed, and no supervisor of the sweep will report that.
    """
    setup_globals()
    folder = SweepFolder(Path(config.hydra.sweep.dir), config.hydra.job.env_set.get(CALL))
    folder.path.mkdir(parents=True, exist_ok=True)
    gpus = gpu_count()
    workers = config.launcher.workers or default_workers(cores(), gpus, len(job_overrides))
    os.environ["PYTHONPATH"] = os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(
        os.pathsep
    )
    for name, value in (_QUIET | thread_limits(cores(), workers, os.environ)).items():
        os.environ.setdefault(name, value)
    jobs = _Jobs(folder, workers, gpus)
    try:
        for number, overrides in enumerate(job_overrides, first):
            jobs.begin(number, tuple(overrides), config, loader)
        jobs.settle(below=1)
    finally:
        jobs.end()
    for number in range(first, first + len(job_overrides)):
        raise_unseen(folder, number)


class _Scheduled(NamedTuple):
    """A job that has a process: the arguments of `in_process`, its place among the workers, its tries."""

    folder: SweepFolder
    number: int
    overrides: tuple[str, ...]
    job: Job
    environ: Mapping[str, str]
    place: int
    tries: int = 1


class _Jobs:
    """The jobs at work, `workers` at most."""

    def __init__(self, folder: SweepFolder, workers: int, gpus: int):
        self._folder, self._workers, self._gpus = folder, workers, gpus
        self._at_work: dict[Future[None], _Scheduled] = {}
        self._pool: ProcessPool | None = None

    def begin(self, number: int, overrides: tuple[str, ...], config: DictConfig, loader: Any) -> None:
        """Compose a job while others run, and start it as soon as a worker is free."""
        if self._folder.stopping:
            return
        try:
            composed = loader.load_sweep_config(config, list(overrides))
            with open_dict(composed):
                composed.hydra.job.id = composed.hydra.job.num = number
            HydraConfig.instance().set_config(composed)
            job = member(self._folder, composed, composed.hydra)
        except Exception as error:
            self._folder.record(Outcome(number, overrides).failed(error))
            return
        self.settle(below=self._workers)
        place = min(set(range(self._workers)) - {begun.place for begun in self._at_work.values()})
        environ = own_gpu(place, self._gpus, self._workers, os.environ)
        self._schedule(_Scheduled(self._folder, number, overrides, job, environ, place))

    def settle(self, below: int) -> None:
        """Wait until fewer than `below` jobs run; record the outcome of those whose process was killed."""
        while len(self._at_work) >= below:
            # With a timeout: a signal may reach another thread, but its handler runs when this thread wakes.
            for future in wait(self._at_work, _POLL, return_when=FIRST_COMPLETED).done:
                begun, error = self._at_work.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool) and begun.tries < _TRIES:
                    # The pool broke since the process of another job was killed.
                    self._schedule(begun._replace(tries=begun.tries + 1))
                elif error is not None:
                    code = error.exitcode if isinstance(error, ProcessExpired) else None
                    self._record_death(begun, code, f"{type(error).__name__}: {error}")

    def end(self) -> None:
        """Kill all processes; a job that still runs has had its time to stop."""
        self._end_pool()
        for begun in self._at_work.values():
            outcome = self._folder.outcome(begun.number)
            if outcome is not None and outcome.status == "RUNNING":
                self._record_death(begun, -signal.SIGKILL, "")

    def _schedule(self, begun: _Scheduled) -> None:
        """Start the process of a job."""
        if self._pool is None or not self._pool.active:
            self._end_pool()
            context = _context(begun.job.tracking.uri is not None)
            # Each process leads a session of its own, so that Ctrl-C reaches the supervising process alone.
            self._pool = ProcessPool(self._workers + _SPARE, 1, initializer=os.setsid, context=context)
        self._at_work[self._pool.schedule(in_process, begun)] = begun

    def _end_pool(self) -> None:
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()

    def _record_death(self, begun: _Scheduled, code: int | None, note: str) -> None:
        """Record the outcome of a job whose process ended without recording it itself."""
        outcome = self._folder.outcome(begun.number) or Outcome(begun.number, begun.overrides)
        if outcome.ended:
            return
        if code is not None:
            note = f"the process ended with code {code}" if code >= 0 else self._killed_by(-code)
        status: Any = "KILLED" if code is not None and code < 0 else "FAILED"
        close_records(self._folder, begun.job, outcome, status, note)

    def _killed_by(self, number: int) -> str:
        if self._folder.stopping:
            return "ended by force; the same command goes on with it"
        hint = " (out of memory? fewer launcher.workers take less)" if number == signal.SIGKILL else ""
        name = signal.Signals(number).name
        return f"the process was ended by {name}{hint}; the same command goes on with it"


def in_process(
    folder: SweepFolder, number: int, overrides: Sequence[str], job: Job, environ: Mapping[str, str], *_: int
) -> None:
    """Run a job of the sweep in this process; all output goes to a file, that of compiled code too."""
    os.environ.update(environ)
    console = os.open(folder.console(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(console, stream)
    output.protect()
    faulthandler.enable()
    sys.argv = ["run.py", *job.overrides]
    gc.freeze()  # spares each collection the half million objects of the imported modules
    do_job(folder, number, overrides, lambda: job)


def _context(with_mlflow: bool) -> Any:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED, *(_PRELOADED_FOR_MLFLOW if with_mlflow else [])])
    return context
