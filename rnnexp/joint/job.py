"""Several replicas with everything around them: each is a run of its own, with folder, records and end."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from rnnexp.joint.parent_run import JointRun
from rnnexp.joint.resume import Begun, begun
from rnnexp.runs import run_context as records
from rnnexp.runs.artist import Artist
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.device import import_tensorflow
from rnnexp.runtime.signals import Interruption, Killed, interruption
from rnnexp.tracking import Tracker

if TYPE_CHECKING:
    from rnnexp.report.terminal import Line

_logger = logging.getLogger(__name__)


class OpenRun(NamedTuple):
    """The run of one replica while its records are open.

    Attributes:
        job: What it does.
        folder: Of the run.
        tracker: Of the run.
        artist: Who draws its figures.
        resumed: Whether it goes on from its checkpoint.
        records: Closes what is open; with that, the run has finished.
    """

    job: Job
    folder: RunFolder
    tracker: Tracker
    artist: Artist
    resumed: bool
    records: contextlib.ExitStack


def run_together(jobs: Sequence[Job]) -> None:
    """Run the replicas of one command to their end, keep their records, print one table.

    Each leaves what `run_job` leaves of it alone. One that diverges is a result, and touches no other. A
    signal ends all that have not finished KILLED, an exception FAILED.

    With `resume`, each goes on with the newest run of its configuration that was interrupted. One whose
    newest run has finished is left as it is, unless all have: then all begin anew.

    Args:
        jobs: At least one, all of one command (`Job.together`); they differ in the seed only.

    Raises:
        Killed: A signal came.
        ArgumentError: A run to be resumed is at work in another process, or was recorded elsewhere.
    """
    started = time.perf_counter()
    with interruption() as signals, contextlib.ExitStack() as held:
        experiment = records.ensure_experiment(jobs[0])
        earlier = begun(jobs)
        for run in _unfinished(earlier):
            records.check_store(jobs[0], run.folder)
            held.enter_context(run.folder.held())
        with signals.deferred():
            parent = JointRun(jobs, experiment, [run.folder for run in earlier if run is not None])
        with parent.kept(signals):
            with _opened([_below(parent, job) for job in jobs], earlier, experiment, signals) as runs:
                _announce(runs, earlier)
                found = _conduct(runs, signals, started)
            before = [
                (job, run.folder) for job, run in zip(jobs, earlier, strict=True) if run and run.finished
            ]
            _show(found, before, parent, started)
        signals.check()


def _unfinished(earlier: Sequence[Begun | None]) -> list[Begun]:
    return [run for run in earlier if run is not None and not run.finished]


def _below(parent: JointRun, job: Job) -> Job:
    together = job.together
    return dataclasses.replace(job, together=together and together._replace(run_id=parent.run_id))


@contextlib.contextmanager
def _opened(
    jobs: Sequence[Job], earlier: Sequence[Begun | None], experiment: str | None, signals: Interruption
) -> Iterator[list[OpenRun]]:
    """Open the records of those that have not finished, and close those that are left open.

    What ended them early is told once; the log of each has it too.
    """
    runs: list[OpenRun] = []
    try:
        with contextlib.ExitStack() as whole:
            for job, run in zip(jobs, earlier, strict=True):
                if run is None or not run.finished:
                    stack = whole.enter_context(contextlib.ExitStack())
                    runs.append(_open(job, run, experiment, signals, stack))
            yield runs
    except Killed as killed:
        remedies = [records.remedy(run.job, run.folder) for run in runs if run.folder.checkpoint.is_file()]
        _logger.warning("%s; %s", killed, remedies[0] if remedies else records.NO_REMEDY)
        raise
    except Exception as error:
        _logger.error("the runs failed: %s: %s", type(error).__name__, error)
        raise


def _open(
    job: Job, run: Begun | None, experiment: str | None, signals: Interruption, stack: contextlib.ExitStack
) -> OpenRun:
    if run is None:
        folder = RunFolder.create(job.output_dir, job.name)
        stack.enter_context(folder.held())
    else:
        folder = run.folder
    stack.enter_context(records.log_file(folder.log))
    tracker = stack.enter_context(records.kept(job, experiment, folder, signals))
    together = job.together
    if together is not None:
        folder.update(replicas=together.replicas, parent=together.run_id)
    with records.said_in(folder.log):
        _logger.info("%s, configuration %s, stored in %s", job.name, job.config_hash, tracker.where)
        records.describe(job, folder, tracker)
    resumed = run is not None and folder.checkpoint.is_file()
    return OpenRun(job, folder, tracker, Artist(), resumed, stack)


def _announce(runs: Sequence[OpenRun], earlier: Sequence[Begun | None]) -> None:
    """Say which seeds go on and which begin; on the console only where `resume` leaves that open."""
    on, anew = ([run for run in runs if run.resumed is resumed] for resumed in (True, False))
    resume = runs[0].job.resume is True
    level = logging.WARNING if resume else logging.INFO
    if resume and not any(earlier):
        _logger.warning("no unfinished run of these seeds in %s: beginning anew", runs[0].job.output_dir)
        return
    for word, meant in (("going on with", on), ("beginning with", anew)):
        if meant:
            _logger.log(level, "%s %s", word, _seeds([run.job for run in meant]))


def _seeds(jobs: Sequence[Job]) -> str:
    numbers = [str(job.plan.seed) for job in jobs]
    return f"seed{'s' * (len(numbers) > 1)} {', '.join(numbers)}"


def _conduct(runs: Sequence[OpenRun], signals: Interruption, started: float) -> list["Line"]:
    import_tensorflow(runs[0].job.plan.device)
    # Only here, since it needs TensorFlow: replicas that are refused before have not waited for it.
    from rnnexp.joint import conduct

    signals.check()
    return conduct.conduct(runs, signals, started=started)


def _show(
    found: Sequence["Line"], before: Sequence[tuple[Job, RunFolder]], parent: JointRun, started: float
) -> None:
    from rnnexp.joint import ending

    ending.show(found, before, parent, time.perf_counter() - started)
