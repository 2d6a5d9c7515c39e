"""Which earlier runs the replicas of a command go on with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rnnexp.runs.job import Job
from rnnexp.runs.resume import runs_below, runs_of
from rnnexp.runs.run_folder import RunFolder, unfinished


class Begun(NamedTuple):
    """A run that was begun before, and whether it has finished."""

    folder: RunFolder
    finished: bool


def begun(jobs: Sequence[Job]) -> list[Begun | None]:
    """Return for every replica the run to go on with, or that has finished; None: another begins.

    Without `resume`, and where no replica is left unfinished, all begin anew.
    """
    found: list[Begun | None] = [None] * len(jobs)
    if jobs[0].resume is True:
        runs = runs_below(jobs[0].output_dir)
        found = [_newest(job, runs) for job in jobs]
    return [None] * len(jobs) if all(run is None or run.finished for run in found) else found


def _newest(job: Job, runs: Mapping[str, Sequence[str]]) -> Begun | None:
    """Return the newest run of the configuration, unless it failed; then one that has a checkpoint."""
    for folder in runs_of(job.hashes, runs)[:1]:
        state = folder.state()
        if state.get("status") == "FINISHED" and state.get("store") == job.tracking.store:
            return Begun(folder, finished=True)
        if state.get("status") in ("RUNNING", "KILLED"):
            return Begun(folder, finished=False)
    left = unfinished(job.output_dir, job.hashes)
    return None if left is None else Begun(left, finished=False)
