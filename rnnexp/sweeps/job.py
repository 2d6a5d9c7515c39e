"""One job of a sweep, in its own process: decide whether to run it, run it, record its outcome."""

import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig

from rnnexp.runs import run_context
from rnnexp.runs.build import make_job
from rnnexp.runs.job import Job, Membership, check_machine
from rnnexp.runs.menu import Menu
from rnnexp.runs.resume import earlier_in_sweep
from rnnexp.runs.run import run_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runs.run_name import run_name
from rnnexp.runtime.checks import ArgumentError, one_line
from rnnexp.runtime.config_keys import key_of
from rnnexp.runtime.signals import Killed, interruption
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.outcome import NOT_SENT, Outcome
from rnnexp.sweeps.resources import cores, thread_limits
from rnnexp.tracking.sync import sync
from rnnexp.tracking.upload import awaits_upload, sent

CALL = "RNNEXP_SWEEP_CALL"
"""The environment variable that holds the id of the sweep's call, for jobs on other machines."""

_POLL = 0.25  # seconds
_GRACE = 3.0  # seconds: to close the records of a job that is to end at once
_TRIES = 2


def run_in_sweep(config: DictConfig, settings: Any) -> None:
    """Run the job that Hydra composed, in a process that the launcher of a cluster started.

    Raises:
        RuntimeError: It failed, and no supervisor of the sweep will report that.
    """
    folder = SweepFolder(Path(settings.sweep.dir), os.environ.get(CALL))
    state, overrides = folder.state.read(), settings.overrides.task
    if state.get("launcher") != "submitit":  # Slurm assigns the cores itself
        workers = state.get("workers", 1)
        workers = cores() if workers is None else workers  # a node of a Ray cluster runs a job on each core
        os.environ.update(thread_limits(cores(), workers, os.environ))
    do_job(folder, settings.job.num, overrides, lambda: member(folder, config, settings))
    raise_unseen(folder, settings.job.num)


def raise_unseen(folder: SweepFolder, number: int) -> None:
    """Raise RuntimeError if a job failed or was killed and no supervisor of the sweep will report that."""
    outcome = folder.outcome(number)
    if outcome is not None and outcome.bad and not folder.state.read():
        raise RuntimeError(f"{outcome.name or 'the job'} {outcome.status.lower()}: {outcome.note}")


def member(folder: SweepFolder, config: DictConfig, settings: Any) -> Job:
    """Return a job of the sweep; its output folder is relative to where the sweep was started.

    Raises:
        ArgumentError: A value is wrong; names its dotted key.
    """
    state = folder.state.read()
    membership = Membership(folder.id, folder.path.absolute(), state.get("run_id"))
    job = make_job(config, settings.runtime.choices, settings.overrides.task, membership, Menu.of(settings))
    check_machine(job)
    if job.config["dry_run"]:
        raise ArgumentError("dry_run", "one value for all jobs of a sweep", True)
    return dataclasses.replace(
        job,
        name=name_in_sweep(job, state.get("swept")),
        output_dir=Path(state.get("cwd", "")) / job.output_dir,
    )


def name_in_sweep(job: Job, swept: Collection[str] | None) -> str:
    """Return the name of a job, made of what the sweep varies; the configuration may name it, too."""
    if swept is None or job.config["name"] is not None:
        return job.name
    varied = [override for override in job.overrides if key_of(override) in swept]
    return run_name(job.plan.activation, job.plan.task.seq_len, job.plan.seed, varied)


def do_job(folder: SweepFolder, number: int, overrides: Sequence[str], make: Callable[[], Job]) -> None:
    """Run job `number` of a sweep and record its outcome; errors and signals are recorded, not raised.

    A job that has ended in this call of the sweep does not run again. A job whose process was killed runs a
    second time if the launcher starts it again, but not a third time.

    Args:
        folder: Of the sweep.
        number: Of the job.
        overrides: Its command line.
        make: Returns the job.
    """
    with folder.worker():
        before = folder.outcome(number)
        if folder.stopping or (before is not None and before.ended):
            return
        outcome = Outcome(number, tuple(overrides), tries=1 if before is None else before.tries + 1)
        if outcome.tries > _TRIES:
            note = f"its process was killed {_TRIES} times"
            folder.record(outcome._replace(status="KILLED", note=note))
        else:
            _RunningJob(folder, outcome).run(make)


class _RunningJob:
    """A job that is running; every change of its outcome is recorded."""

    def __init__(self, folder: SweepFolder, outcome: Outcome):
        self._folder, self._outcome = folder, outcome
        self._run: RunFolder | None = None
        self._note_down()

    def run(self, make: Callable[[], Job]) -> None:
        started, note = time.monotonic(), ""
        status: Literal["WAITING", "FAILED"] = "FAILED"
        try:
            with interruption(), _signalled_by(self._folder):
                self._begin(make())
        except Killed as killed:
            status, note = "WAITING", str(killed)
        except Exception as error:
            traceback.print_exc()
            note = one_line(error)
        if self._outcome.status != "SKIPPED":
            # The status in the run's folder decides: the signal may have come after the run had finished.
            status = status if self._run is None else self._run.state()["status"]
            unsent = NOT_SENT if self._run is not None and awaits_upload(self._run.path) else ""
            self._note_down(status=status, note=unsent if status == "FINISHED" else note)
        self._note_down(seconds=round(time.monotonic() - started, 3))

    def _begin(self, job: Job) -> None:
        self._note_down(name=job.name, config_hash=job.config_hash)
        found = earlier_in_sweep(job, self._folder.runs_of(job.hashes, job.output_dir))
        if found.folder is not None and found.next in ("skip", "busy"):
            note = "another process is at work on it" if found.next == "busy" else late(job, found.folder)
            self._open(found.folder, status="SKIPPED", note=note)
            if found.next == "skip":
                found.folder.remove_checkpoint()  # left where a process was killed at its very end
        else:
            resumed = found.has_checkpoint
            run_job(job, found.folder, lambda run: self._open(run, status="RUNNING", resumed=resumed))

    def _open(self, run: RunFolder, **values: Any) -> None:
        self._run = run
        self._note_down(run_folder=str(run.path.absolute()), **values)

    def _note_down(self, **values: Any) -> None:
        self._outcome = self._outcome._replace(**values)
        if self._run is not None:
            self._outcome = self._outcome.of(self._run.state())
        self._folder.record(self._outcome)


def late(job: Job, run: RunFolder) -> str:
    """Send the records of a finished run that MLflow lacks; return a note on the result for the table."""
    if not awaits_upload(run.path):
        return ""
    try:
        sync(run.path, job.tracking.uri)
        run.update(run_id=sent(run.path)["run_id"])
    except Exception as error:  # MLflow's errors vary; the run has finished, and the next call tries again
        return f"{NOT_SENT} ({one_line(error)})"
    return "its records have been sent to MLflow now"


@contextlib.contextmanager
def _signalled_by(folder: SweepFolder) -> Iterator[None]:
    """Signal this process when the sweep is asked to stop, or when its parent process has been killed.

    The first request (SIGINT) leaves time for a checkpoint, the second (SIGTERM) for closing the records; the
    process kills itself if it outlasts that.
    """
    over, parent = threading.Event(), multiprocessing.parent_process()

    def watch() -> None:
        handled = 0
        while not over.wait(_POLL):
            orphaned = parent is not None and not parent.is_alive()
            requests = max(folder.stopping, int(orphaned))
            if requests > handled:
                os.kill(os.getpid(), signal.SIGINT if requests == 1 else signal.SIGTERM)
                handled = requests
            if handled > 1 and not over.wait(_GRACE):
                os.kill(os.getpid(), signal.SIGKILL)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def close_records(
    folder: SweepFolder, job: Job, outcome: Outcome, status: Literal["KILLED", "FAILED"], note: str
) -> None:
    """Close the records of a job whose process has ended without doing so, and record its outcome."""
    run = None if outcome.run_folder is None else RunFolder(Path(outcome.run_folder))
    if run is not None and run.state().get("status") == "RUNNING":
        try:
            run_context.end(job, run, status, note)
        except Exception as error:  # records that cannot be closed must not end the other jobs
            note = f"{note}; its records are not closed: {one_line(error)}"
    folder.record(outcome._replace(status=status, note=note))
