"""The process of a job: its own from its first line to its last, and started in a moment.

A fork server (of Python's `multiprocessing`) has TensorFlow, Keras and MLflow imported, and has not used
them. A job is a fork of it: it shares nothing with the jobs before it, and what it does (an exception, a
leak, a signal 9) ends with it. On two cores it starts in 0.05 s, a fresh process in 5 s. A worker that does
one job after the other was measured too: 0.9 s faster a job, but it grows by 25 MB with each, and one that is
killed costs the import again.

Forking is safe as long as TensorFlow has not begun to work, when it has no threads that a fork would lose.
Off Linux, where system libraries do not allow it, each job is a fresh process.
"""

import contextlib
import faulthandler
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from rnnexp.runs import run_context
from rnnexp.runs.job import Job
from rnnexp.runs.run import run_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.signals import Killed
from rnnexp.sweep.folder import SweepFolder
from rnnexp.tracking import Status

_PRELOADED = [
    *("rnnexp.runs.callbacks", "rnnexp.runs.build"),
    *("PIL.PngImagePlugin", "PIL.JpegImagePlugin", "PIL.GifImagePlugin"),
    *("PIL.BmpImagePlugin", "PIL.PpmImagePlugin", "tensorflow.python.data.ops.range_op"),
    "tensorflow.python.data.ops.from_tensors_op",
]
_PRELOADED_FOR_MLFLOW = [
    *("mlflow.tensorflow", "mlflow.pyfunc", "mlflow.models.rag_signatures", "alembic.command"),
    *("mlflow.store.tracking.sqlalchemy_store", "mlflow.store.tracking.sqlalchemy_workspace_store"),
    *("sqlalchemy.dialects.sqlite", "importlib_metadata"),
]
_LAST = ["rnnexp.sweep.warm"]
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"}
_LONGEST = 2000


class JobProcess:
    """A process that runs a job.

    Args:
        job: The job.
        found: The folder of the unfinished run to go on with.
        console: The file that takes what it prints.
        environ: Environment variables of its own.
    """

    def __init__(self, job: Job, found: RunFolder | None, console: Path, environ: Mapping[str, str]):
        context = _context(job.tracking.uri is not None)
        self._messages, sender = context.Pipe(duplex=False)
        self._received: dict[str, str] = {}
        arguments = (job, found, console, dict(environ), sender)
        self._process = context.Process(target=_body, args=arguments)
        self._process.start()
        sender.close()

    def wait(self, seconds: float) -> int | None:
        """Wait up to `seconds` for its end, or until it tells something.

        Returns:
            The exit code, -N after signal N; None where the process is at work.
        """
        ends = [self._process.sentinel] + ([] if self._messages.closed else [self._messages])
        multiprocessing.connection.wait(ends, seconds)
        code = self._process.exitcode
        self._receive()  # after that: of one that has ended, everything is there
        return code

    def send(self, number: int) -> None:
        """Send a signal."""
        if self._process.pid is not None and self._process.exitcode is None:
            os.kill(self._process.pid, number)

    @property
    def folder(self) -> RunFolder | None:
        """The folder of the run, once it is open."""
        path = self._received.get("folder")
        return None if path is None else RunFolder(Path(path))

    @property
    def finishing(self) -> bool:
        """Whether the next job may begin beside this one; none does, as each draws its own figures."""
        return False

    @property
    def error(self) -> str:
        """What the job raised, in one line; "" if nothing."""
        return self._received.get("error", "")

    def _receive(self) -> None:
        try:
            while not self._messages.closed and self._messages.poll():
                self._received |= self._messages.recv()
        except (EOFError, OSError):
            self._messages.close()


def close_records(job: Job, folder: RunFolder, status: Status, note: str) -> None:
    """Close the records of a run whose process was killed, in a process that has MLflow imported."""
    context = _context(job.tracking.uri is not None)
    process = context.Process(target=run_context.end, args=(job, folder, status, note))
    process.start()
    process.join()


def _context(with_mlflow: bool) -> Any:
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*_PRELOADED, *(_PRELOADED_FOR_MLFLOW if with_mlflow else []), *_LAST])
    return context


def _body(
    job: Job, found: RunFolder | None, console: Path, environ: Mapping[str, str], sender: Connection
) -> None:
    os.environ.update(environ)
    _print_to(console)
    sys.argv = ["run.py", *job.overrides]
    threading.Thread(target=_end_with_worker, daemon=True).start()
    try:
        with _at_work(job):
            run_job(job, found, lambda folder: sender.send({"folder": str(folder.path)}))
    except Killed as killed:
        sys.exit(killed.exit_code)
    except Exception as error:
        sender.send({"error": _one_line(error)})
        raise


def _at_work(job: Job) -> contextlib.AbstractContextManager[None]:
    """Let the next call of the sweep wait for this process too, should its worker be killed."""
    return contextlib.nullcontext() if job.sweep is None else SweepFolder(job.sweep.folder).worker()


def _print_to(console: Path) -> None:
    """Send standard output and error, those of compiled code too, to a file."""
    file = os.open(console, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)
    faulthandler.enable()


def _end_with_worker() -> None:
    """End this process in order when the one that started it is gone."""
    worker = multiprocessing.parent_process()
    if worker is not None:
        worker.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    kind = "" if type(error).__name__ == "ArgumentError" else f"{type(error).__name__}: "
    return f"{kind}{text}"[:_LONGEST]
