"""The resume rule: what earlier runs of a configuration mean for the next run of it (`earlier`).

It holds for a single run, for replicas and for a sweep: a finished run is skipped, a run that another process
is working on is left to that process, an interrupted run resumes in its folder; otherwise a new run begins.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rnnexp.runs.job import Job
from rnnexp.runs.run_context import check_store
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.secrets import without_login
from rnnexp.tracking.store_check import is_known

Next = Literal["skip", "busy", "resume", "run"]
_INTERRUPTED = ("RUNNING", "KILLED")


class Earlier(NamedTuple):
    """What to do with a job, and the folder of the earlier run that is the reason; None for a new run."""

    next: Next
    folder: RunFolder | None = None

    @property
    def has_checkpoint(self) -> bool:
        """Whether the run resumes from a checkpoint, and not from its start."""
        return self.folder is not None and self.folder.checkpoint.is_file()


def earlier(runs: Iterable[RunFolder], uri: str | None) -> Earlier:
    """Decide what to do with a configuration.

    A run that finished is not repeated. One that a process is at work on is left to it. Else the newest one
    that can go on does so in its folder: one that was interrupted, from its checkpoint or, where there is
    none yet, from its start, or one that failed, from its checkpoint.

    Args:
        runs: All runs of the configuration, the newest first.
        uri: The store that is to hold the run, None without MLflow. Runs of other stores, and runs that were
            deleted in this one, do not count.
    """
    states = [(run, state) for run in runs if _is_kept(state := run.state(), uri)]
    for run, state in states:
        if state.get("status") == "FINISHED":
            return Earlier("skip", run)
        if state.get("status") == "RUNNING" and run.is_held():
            return Earlier("busy", run)
    for run, state in states:
        if state.get("status") in _INTERRUPTED or run.checkpoint.is_file():
            return Earlier("resume", run)
    return Earlier("run")


def earlier_in_sweep(job: Job, runs: Iterable[RunFolder]) -> Earlier:
    """Decide what to do with a job of a sweep; `resume=false` always runs it anew."""
    return Earlier("run") if job.resume is False else earlier(runs, job.tracking.uri)


def earlier_of(jobs: Sequence[Job], runs: Mapping[str, Sequence[str]] | None = None) -> list[Earlier]:
    """Decide what to do with the jobs of a command that is not a sweep: one, or one for every replica.

    All run anew without `resume=true`, or if no earlier run can be resumed.

    Args:
        jobs: At least one; they differ in the seed only.
        runs: The earlier runs, as `runs_below` returns them; None: they are looked up.

    Raises:
        ArgumentError: The runs that could be resumed are recorded in another store.
    """
    if jobs[0].resume is not True:
        return [Earlier("run")] * len(jobs)
    runs = runs_below(jobs[0].output_dir) if runs is None else runs
    found = [earlier(runs_of(job.hashes, runs), job.tracking.uri) for job in jobs]
    if any(run.next in ("resume", "busy") for run in found):
        return [_as_typed(run, jobs[0].output_dir) for run in found]
    for job in jobs:
        for newest in runs_of(job.hashes, runs)[:1]:
            if newest.state().get("status") in _INTERRUPTED:
                check_store(job, newest)
    return [Earlier("run")] * len(jobs)


def _as_typed(run: Earlier, root: Path) -> Earlier:
    """Return the run with its folder below `root` as the user typed it."""
    if run.folder is None:
        return run
    return Earlier(run.next, RunFolder(root / run.folder.path.relative_to(root.absolute())))


def _is_kept(state: Mapping[str, Any], uri: str | None) -> bool:
    """Whether the store has the run; also true for a run that was killed before it wrote down its id."""
    store, run_id = "none" if uri is None else without_login(uri), state.get("run_id")
    return state.get("store") == store and (uri is None or run_id is None or is_known(uri, run_id))


def runs_below(root: Path) -> dict[str, list[str]]:
    """Return the run folders below `root` by the `config_hash` of their runs, the newest first.

    The paths are absolute, since workers of Ray or on other machines have another working folder.
    """
    found: dict[str, list[str]] = {}
    for path in sorted(root.absolute().glob("*/*/run.json"), reverse=True):
        folder = RunFolder(path.parent)
        found.setdefault(str(folder.state().get("config_hash", "")), []).append(str(folder.path))
    return found


def runs_of(hashes: Sequence[str], runs: Mapping[str, Sequence[str]]) -> list[RunFolder]:
    """Return the runs of a configuration, the newest first, of those that `runs_below` found.

    Args:
        hashes: The hashes of the configuration, as `Job.hashes`.
        runs: As `runs_below` returns them.
    """
    paths = {path for name in hashes for path in runs.get(name, ())}
    return [RunFolder(Path(path)) for path in sorted(paths, reverse=True)]
