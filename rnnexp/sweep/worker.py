"""One job of a sweep in the worker that Hydra's launcher gives it: decide, start, wait, write down."""

import dataclasses
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnexp.runs.job import Job, Membership
from rnnexp.runs.resume import Earlier, earlier_in_sweep
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.device import gpu_count
from rnnexp.sweep import left
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.left import Place
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.process import JobProcess
from rnnexp.sweep.resources import cores, limit_threads, own_gpu
from rnnexp.sweep.underway import Underway

_POLL = 0.1  # seconds
_TRIES = 2


def do_job(
    folder: SweepFolder, number: int, overrides: Sequence[str], make: Callable[[Membership], Job]
) -> Outcome | None:
    """Do job `number` of a sweep and write down what became of it.

    Whatever happens to the job, this returns: the sweep goes on. A job that this attempt has ended already
    is not done again; one whose worker was killed is, once. Where `rnnexp.sweep.left` has a place, and the
    driver offers no GPU, a job that waits for its figures alone is left there.

    Args:
        folder: Of the sweep.
        number: Of the job.
        overrides: Its command line.
        make: Makes the job.

    Returns:
        What became of it; None where nothing was begun, or where it was left.
    """
    with folder.worker():
        return _do_one(folder, number, overrides, make)


def _do_one(
    folder: SweepFolder, number: int, overrides: Sequence[str], make: Callable[[Membership], Job]
) -> Outcome | None:
    before = folder.outcome(number)
    if folder.stopping or (before is not None and before.ended):
        return None
    begun = Outcome(number, tuple(overrides), tries=1 if before is None else before.tries + 1)
    if begun.tries > _TRIES:
        note = "the process of its worker was killed"
        outcome: Outcome | None = dataclasses.replace(begun, status="KILLED", note=note)
    else:
        outcome = _do(folder, begun, make)
    if outcome is not None:
        folder.record(outcome)
    return outcome


def _do(folder: SweepFolder, outcome: Outcome, make: Callable[[Membership], Job]) -> Outcome | None:
    started = time.monotonic()
    folder.record(outcome)
    try:
        job = _make(folder, make)
        outcome = dataclasses.replace(outcome, name=job.name, config_hash=job.config_hash)
        found = _earlier(folder, job)
        place = left.place()
        if found.next == "busy" and place is not None:  # with the job that was left, perhaps
            place.settle()
            found = _earlier(folder, job)
        if found.folder is None or found.next not in ("skip", "busy"):
            return _run(folder, outcome, job, found.folder, started)
        outcome = _skipped(outcome, found.folder, found.next)
    except Exception as error:
        outcome = outcome.failed(error)
    return dataclasses.replace(outcome, seconds=round(time.monotonic() - started, 3))


def _make(folder: SweepFolder, make: Callable[[Membership], Job]) -> Job:
    """Make the job, with the folder of its runs where the sweep was started."""
    state = folder.state.read()
    job = make(Membership(folder.id, folder.path.absolute(), state.get("run_id")))
    return dataclasses.replace(job, output_dir=Path(state.get("cwd", "")) / job.output_dir)


def _skipped(outcome: Outcome, run: RunFolder, why: str) -> Outcome:
    note = "another process is at work on it" if why == "busy" else ""
    skipped = dataclasses.replace(outcome, status="SKIPPED", note=note, run_folder=str(run.path.absolute()))
    return skipped.of(run.state())


def _run(
    folder: SweepFolder, outcome: Outcome, job: Job, found: RunFolder | None, started: float
) -> Outcome | None:
    """Run the job until it has ended, or is left (None)."""
    resumed = found is not None and found.checkpoint.is_file()
    outcome = dataclasses.replace(outcome, resumed=resumed)
    workers, gpus = _workers_here(folder.state.read()), gpu_count()
    with folder.slot(workers) as slot:
        environ = own_gpu(slot, gpus, workers, os.environ)
        process = JobProcess(job, found, folder.console(outcome.number), environ)
        at_work = Underway(folder, outcome, job, process, started)
        # Two jobs have no room on a GPU.
        return _wait(at_work, left.place() if gpus == 0 else None)


def _wait(at_work: Underway, place: Place | None) -> Outcome | None:
    while (outcome := at_work.watch(_POLL)) is None:
        if place is None:
            continue
        place.look()
        if at_work.finishing and place.free:
            place.leave(at_work)
            return None
    return outcome


def _workers_here(state: Mapping[str, Any]) -> int:
    """Return how many workers a machine has at most, and give this one its share of the cores."""
    workers = state.get("workers", 1)
    here = cores() if workers is None else workers  # a node of Ray's takes a job for each core
    if state.get("launcher") != "submitit":  # there the share is the job's allocation
        limit_threads(here)
    return here


def _earlier(folder: SweepFolder, job: Job) -> Earlier:
    return earlier_in_sweep(job, folder.runs_of(job.hashes, job.output_dir))
