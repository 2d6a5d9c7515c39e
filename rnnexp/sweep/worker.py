"""One job of a sweep in the worker that Hydra's launcher gives it: decide, start, wait, write down."""

import dataclasses
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnexp.device import gpu_count
from rnnexp.job import Job, Membership
from rnnexp.run_folder import RunFolder
from rnnexp.sweep.earlier import Earlier, earlier
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import BAD, Outcome
from rnnexp.sweep.process import JobProcess, close_records
from rnnexp.sweep.processors import cores, limit_threads, own_gpu
from rnnexp.tracking import Status

_POLL = 0.1  # seconds
_TRIES = 2
_BY_URGENCY = {1: signal.SIGINT, 2: signal.SIGTERM}
_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


def do_job(
    folder: SweepFolder, number: int, overrides: Sequence[str], make: Callable[[Membership], Job]
) -> Outcome | None:
    """Do job `number` of a sweep and write down what became of it; return that, None where nothing was begun.

    Whatever happens to the job, this returns: the sweep goes on. A job that this attempt has ended already
    is not done again; one whose worker was killed is, once.

    Args:
        folder: Of the sweep.
        number: Of the job.
        overrides: Its command line.
        make: Makes the job.
    """
    with folder.worker():
        return _do_one(folder, number, overrides, make)


def _do_one(
    folder: SweepFolder, number: int, overrides: Sequence[str], make: Callable[[Membership], Job]
) -> Outcome | None:
    before = folder.outcome(number)
    if folder.stopping or (before is not None and before.ended):
        return None
    outcome = Outcome(number, tuple(overrides), tries=1 if before is None else before.tries + 1)
    if outcome.tries > _TRIES:
        outcome = dataclasses.replace(outcome, status="KILLED", note="the process of its worker was killed")
    else:
        outcome = _do(folder, outcome, make)
    folder.record(outcome)
    return outcome


def _do(folder: SweepFolder, outcome: Outcome, make: Callable[[Membership], Job]) -> Outcome:
    started = time.monotonic()
    folder.record(outcome)
    try:
        job = _make(folder, make)
        outcome = dataclasses.replace(outcome, name=job.name, config_hash=job.config_hash)
        outcome = _decide(folder, outcome, job)
    except Exception as error:
        note = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        outcome = dataclasses.replace(outcome, status="FAILED", note=note)
    return dataclasses.replace(outcome, seconds=round(time.monotonic() - started, 3))


def _make(folder: SweepFolder, make: Callable[[Membership], Job]) -> Job:
    """Make the job, with the folder of its runs where the sweep was started."""
    state = folder.state.read()
    job = make(Membership(folder.id, folder.path.absolute(), state.get("run_id")))
    return dataclasses.replace(job, output_dir=Path(state.get("cwd", "")) / job.output_dir)


def _decide(folder: SweepFolder, outcome: Outcome, job: Job) -> Outcome:
    found = _earlier(folder, job)
    if found.folder is not None and found.next in ("skip", "busy"):
        note = "another process is at work on it" if found.next == "busy" else ""
        skipped = dataclasses.replace(
            outcome, status="SKIPPED", note=note, run_folder=str(found.folder.path.absolute())
        )
        return skipped.of(found.folder.state())
    resumed = found.folder is not None and found.folder.checkpoint.is_file()
    outcome = dataclasses.replace(outcome, resumed=resumed)
    workers = _workers_here(folder.state.read())
    with folder.slot(workers) as place:
        environ = own_gpu(place, gpu_count(), workers, os.environ)
        process = JobProcess(job, found.folder, folder.console(outcome.number), environ)
        code = _wait(folder, outcome, process)
    return _judge(job, outcome, process.folder, code, process.error)


def _workers_here(state: Mapping[str, Any]) -> int:
    """Return how many workers a machine has at most, and give this one its share of the cores."""
    workers = state.get("workers", 1)
    here = cores() if workers is None else workers  # a node of Ray's takes a job for each core
    if state.get("launcher") != "submitit":  # there the share is the job's allocation
        limit_threads(here)
    return here


def _earlier(folder: SweepFolder, job: Job) -> Earlier:
    if job.resume is False:
        return Earlier("run")
    return earlier(folder.runs_of(job.config_hash, job.output_dir), job.tracking.uri)


def _wait(folder: SweepFolder, outcome: Outcome, process: JobProcess) -> int:
    """Wait for the process; hand on the wish to stop, and this process' end."""
    parent, told, announced = os.getppid(), 0, False
    while (code := process.wait(_POLL)) is None:
        if not announced and process.folder is not None:
            folder.record(_running(outcome, process.folder))
            announced = True
        urgency = max(folder.stopping, int(os.getppid() != parent))
        if urgency > told:
            process.send(_BY_URGENCY.get(urgency, signal.SIGKILL))
            told = urgency
    return code


def _running(outcome: Outcome, run: RunFolder) -> Outcome:
    return dataclasses.replace(outcome, status="RUNNING", run_folder=str(run.path.absolute()))


def _judge(job: Job, outcome: Outcome, run: RunFolder | None, code: int, error: str) -> Outcome:
    """Return what became of the job whose process ended with `code`."""
    status: Status = "FINISHED" if code == 0 else "KILLED" if code < 0 or code in _INTERRUPTED else "FAILED"
    note = error or _cause(code)
    if run is None:
        return dataclasses.replace(outcome, status=status, note=note)
    if run.state().get("status") == "RUNNING":
        close_records(job, run, status, note)
    outcome = _running(outcome, run).of(run.state())
    return dataclasses.replace(outcome, status=status, note=note if status in BAD else "")


def _cause(code: int) -> str:
    if code == 0:
        return ""
    number = -code if code < 0 else code - 128
    if code < 0 or code in _INTERRUPTED:
        name = signal.Signals(number).name
        hint = " (out of memory?)" if number == signal.SIGKILL else ""
        return f"stopped by {name}{hint}" if code > 0 else f"the process was ended by {name}{hint}"
    return f"the process ended with code {code}"
