"""One run from its first record to its last."""

import logging
import time
from collections.abc import Callable

from rnnexp.runs import run_context
from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder, unfinished
from rnnexp.runtime.device import import_tensorflow
from rnnexp.runtime.signals import Interruption, interruption
from rnnexp.tracking import Tracker

_logger = logging.getLogger(__name__)


def run_job(
    job: Job, found: RunFolder | None = None, opened: Callable[[RunFolder], object] | None = None
) -> None:
    """Run the job to its end, keep its records, print its summary.

    A diverged run is a result and ends FINISHED. A signal ends it KILLED, an exception FAILED, both with what
    there was. Where the records cannot even be opened, nothing is left.

    Outside a sweep and with `resume`, the newest unfinished run of the same `config_hash` goes on; without
    one, a run begins.

    Args:
        job: What to do.
        found: The unfinished run to go on with, from its checkpoint; without one, from its start.
        opened: Told of the run's folder as soon as its records are open.

    Raises:
        Killed: A signal came.
        ArgumentError: The run to be resumed is at work in another process, or was recorded elsewhere.
    """
    started = time.perf_counter()
    with interruption() as signals:
        experiment = run_context.ensure_experiment(job)
        if found is None and _looks_back(job):
            found = unfinished(job.output_dir, job.hashes)
        folder = RunFolder.create(job.output_dir, job.name) if found is None else found
        with (
            folder.held(),
            run_context.log_file(folder.log),
            run_context.kept(job, experiment, folder, signals) as tracker,
        ):
            if opened is not None:
                opened(folder)
            resumed = found is not None and folder.checkpoint.is_file()
            _announce(job, folder, tracker, found, resumed)
            run_context.describe(job, folder, tracker)
            _conduct(job, folder, tracker, signals, resumed, started)
        signals.check()


def _looks_back(job: Job) -> bool:
    """Whether an unfinished run is looked for here; in a sweep that was done before."""
    return job.resume is True and job.sweep is None


def _announce(job: Job, folder: RunFolder, tracker: Tracker, found: RunFolder | None, resumed: bool) -> None:
    _logger.info("%s, configuration %s, stored in %s", job.name, job.config_hash, tracker.where)
    if resumed:
        _logger.warning("going on with %s", folder.path)
    elif found is not None:
        _logger.warning("%s was interrupted before its first checkpoint: beginning anew in it", folder.path)
    elif _looks_back(job):
        _logger.warning("no unfinished run of this configuration in %s: beginning anew", job.output_dir)


def _conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, resumed: bool, started: float
) -> None:
    import_tensorflow(job.plan.device)
    # Only here, since it needs TensorFlow: a job that is refused before has not waited for it.
    from rnnexp.runs import callbacks

    signals.check()
    callbacks.conduct(job, folder, tracker, signals, resumed=resumed, started=started)
