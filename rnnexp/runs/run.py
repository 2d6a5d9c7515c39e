"""Run the jobs of one command: open their records, train, close the records, print the results."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rnnexp.runs import run_context
from rnnexp.runs.job import Job
from rnnexp.runs.resume import Earlier, earlier_of
from rnnexp.runs.run_context import OpenRun
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import one_line
from rnnexp.runtime.device import import_tensorflow
from rnnexp.runtime.signals import Interruption, Killed, interruption
from rnnexp.tracking import ParentRun, Tracker

if TYPE_CHECKING:
    from rnnexp.report.terminal import Summary

_logger = logging.getLogger(__name__)


Train = Callable[[Sequence[OpenRun], Interruption, float], "list[Summary]"]
"""Trains the runs and closes their records. Arguments: runs, signals, start time (`time.perf_counter`)."""


def run_job(
    job: Job,
    found: RunFolder | None = None,
    opened: Callable[[RunFolder], object] = lambda folder: None,
    train: Train | None = None,
) -> list[RunFolder]:
    """Run one job, as `run_jobs` does; for a job of a sweep the caller has applied the resume rule already.

    Args:
        job: The job.
        found: The unfinished run to resume, from its checkpoint or else from its start; None: a new run.
        opened: Called with the run's folder as soon as its records are open.
        train: As for `run_jobs`.
    """
    known = None
    if job.sweep is not None or found is not None:
        known = [Earlier("run") if found is None else Earlier("resume", found)]
    return run_jobs([job], known, opened, train)


def run_jobs(
    jobs: Sequence[Job],
    known: Sequence[Earlier] | None = None,
    opened: Callable[[RunFolder], object] = lambda folder: None,
    train: Train | None = None,
    show: bool = True,
) -> list[RunFolder]:
    """Run the jobs of one command to their end, record them and print their results.

    A diverged run is a result: it ends FINISHED and does not affect the others. A signal ends all unfinished
    runs as KILLED, an exception as FAILED; both keep the records so far. If the records cannot be opened, no
    folder remains.

    Args:
        jobs: At least one; several are replicas of one command (`Job.together`) and differ in the seed.
        known: What earlier runs mean for each job; None: by the rule of `rnnexp.runs.resume`.
        opened: Called with the folder of each run as soon as its records are open.
        train: The function that trains them; None: `train_with_tensorflow`.
        show: Whether to print the results at the end.

    Returns:
        The folders of runs whose records are not completely in MLflow.

    Raises:
        Killed: A signal came.
        ArgumentError: A run to be resumed is at work in another process, or was recorded elsewhere.
    """
    started = time.perf_counter()
    with interruption() as signals, contextlib.ExitStack() as held:
        known = earlier_of(jobs) if known is None else known
        for job, run in _to_do(jobs, known):
            if run.folder is not None:
                run_context.check_store(job, run.folder)
                held.enter_context(run.folder.held())
        with signals.deferred():
            parent = _parent(jobs, known, signals)
        with parent.ended(signals):
            below = [_below(parent, job) for job in jobs]
            with _opened(_to_do(below, known), signals, opened) as runs:
                parent.below = [run.folder.path for run in runs]
                found = (train or train_with_tensorflow)(runs, signals, started)
            done = [(job, run.folder) for job, run in zip(jobs, known, strict=True) if run.next == "skip"]
            found += [_earlier(job, folder) for job, folder in done if folder is not None]
            _show(found, parent, jobs[0], started, show)
        signals.check()
    return [run.folder for run in runs if not run.tracker.complete]


def _to_do(jobs: Sequence[Job], known: Sequence[Earlier]) -> list[tuple[Job, Earlier]]:
    return [(job, run) for job, run in zip(jobs, known, strict=True) if run.next != "skip"]


def _parent(jobs: Sequence[Job], known: Sequence[Earlier], signals: Interruption) -> ParentRun:
    """Return the parent run of several runs; resumed runs keep theirs, and a single run has none."""
    first, last = jobs[0], jobs[-1]
    uri = None if first.together is None else first.tracking.uri
    name = first.name if first.name == last.name else f"{first.name}..{last.plan.seed}"
    parents = [run.folder.state().get("parent") for run in known if run.folder is not None]
    return ParentRun(
        uri,
        first.tracking.experiment,
        name,
        _command(first),
        parents,
        patience=first.tracking.patience,
        told_to_stop=lambda: signals.pending,
    )


def _command(job: Job) -> str:
    typed = job.overrides if job.together is None else job.together.overrides
    return f"`{job.command(typed)}`"


def _below(parent: ParentRun, job: Job) -> Job:
    together = job.together
    return dataclasses.replace(job, together=together and together._replace(run_id=parent.run_id))


@contextlib.contextmanager
def _opened(
    jobs: Sequence[tuple[Job, Earlier]],
    signals: Interruption,
    opened: Callable[[RunFolder], object],
) -> Iterator[list[OpenRun]]:
    """Open the records of the runs, and close those that are still open at the end.

    An error or signal that ends several runs appears once on the console, and in the log of each.
    """
    runs: list[OpenRun] = []
    try:
        with contextlib.ExitStack() as whole:
            for job, known in jobs:
                stack = whole.enter_context(contextlib.ExitStack())
                runs.append(_open(job, known, signals, stack, opened))
            yield runs
    except Killed as killed:
        if len(jobs) > 1:
            remedies = [run_context.remedy(*run[:2]) for run in runs if run.folder.checkpoint.is_file()]
            _logger.warning("%s; %s", killed, remedies[0] if remedies else run_context.NO_REMEDY)
        raise
    except Exception as error:
        if len(jobs) > 1:
            _logger.error("the runs failed: %s", one_line(error))
        raise


def _open(
    job: Job,
    known: Earlier,
    signals: Interruption,
    stack: contextlib.ExitStack,
    opened: Callable[[RunFolder], object],
) -> OpenRun:
    folder = known.folder
    if folder is None:
        folder = RunFolder.create(job.output_dir, job.name)
        stack.enter_context(folder.held())
    stack.enter_context(run_context.log_file(folder.log))
    tracker = stack.enter_context(run_context.kept(job, folder, signals))
    opened(folder)
    if job.together is not None:
        folder.update(replicas=job.together.replicas, parent=job.together.run_id)
    # A signal during a call of the store could leave its session unable to close the run.
    with run_context.said_in(folder.log), signals.deferred():
        _announce(job, folder, tracker, known)
        run_context.describe(job, folder, tracker)
    signals.check()
    return OpenRun(job, folder, tracker, known.has_checkpoint, stack)


def _announce(job: Job, folder: RunFolder, tracker: Tracker, known: Earlier) -> None:
    _logger.info("%s, configuration %s, stored in %s", job.name, job.config_hash, tracker.place.where)
    if known.has_checkpoint:
        _logger.warning("going on with %s", folder.path)
    elif known.folder is not None:
        _logger.warning("%s was interrupted before its first checkpoint: beginning anew in it", folder.path)
    elif job.resume is True and job.sweep is None:
        _logger.warning("no unfinished run of %s in %s: beginning anew", job.name, job.output_dir)


def train_with_tensorflow(runs: Sequence[OpenRun], signals: Interruption, started: float) -> "list[Summary]":
    """Import TensorFlow and train the runs, as `rnnexp.runs.callbacks.train` does."""
    import_tensorflow(runs[0].job.plan.device)
    # Imported here, since it needs TensorFlow: a job that is refused before does not wait for it.
    from rnnexp.runs.callbacks import train

    signals.check()
    return train(runs, signals, started)


def _show(runs: "list[Summary]", parent: ParentRun, first: Job, started: float, show: bool) -> None:
    """Print the summary of a single run, or the table of several, which their parent run records too."""
    from rnnexp.report import terminal

    if first.together is None:
        if show:
            terminal.print_summary(runs[0])
        return
    found = terminal.SideBySide(
        parent.name,
        sorted(runs, key=lambda run: run.seed),
        time.perf_counter() - started,
        parent.place.labelled(),
    )
    if show:
        terminal.print_side_by_side(found)
    counts = {f"replicas.{verdict}": count for verdict, count in found.verdicts().items()}
    parent.describe(f"{_command(first)}\n\n{found.markdown()}", counts)


def _earlier(job: Job, folder: RunFolder) -> "Summary":
    """Return what is known of a replica that had finished in an earlier command."""
    from rnnexp.report.terminal import Summary

    verdicts = folder.state().get("verdicts", {})
    return Summary(
        configuration=job.name,
        seed=job.plan.seed,
        folder=folder.path,
        gradient_verdict=verdicts.get("verdict.gradient"),
        learning_verdict=verdicts.get("verdict.learning"),
        notes=("had finished earlier",),
    )
