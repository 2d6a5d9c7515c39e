"""One run with everything around it: its folder, its records, its end."""

import dataclasses
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from rnnexp import provenance, records
from rnnexp.device import import_tensorflow
from rnnexp.identity import former_identity, identity
from rnnexp.plan import Plan
from rnnexp.run_folder import RunFolder, unfinished
from rnnexp.signals import Interruption, interruption
from rnnexp.tracking import Tracker
from rnnexp.tracking.address import without_login

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrackingSettings:
    """Where the records go.

    Attributes:
        uri: Address of the MLflow store; None writes files into the run folder.
        experiment: Name of the MLflow experiment.
        every: Training steps between points of a curve.
        model: Whether the trained model is kept.
    """

    uri: str | None
    experiment: str
    every: int
    model: bool

    @property
    def store(self) -> str:
        """The address without a login, `"none"` without MLflow."""
        return "none" if self.uri is None else without_login(self.uri)


class Membership(NamedTuple):
    """The sweep that a job belongs to: its id, its folder, and its run in MLflow (None without MLflow)."""

    id: str
    folder: Path
    run_id: str | None


class Together(NamedTuple):
    """The command that a job shares with those trained beside it: what was typed, and its run in MLflow.

    The run is None without MLflow, and before it is opened.
    """

    replicas: int
    overrides: tuple[str, ...]
    run_id: str | None = None


@dataclasses.dataclass(frozen=True)
class Job:
    """A plan and how it is to be recorded.

    Attributes:
        plan: What to do.
        config: The resolved configuration, nested.
        choices: Group -> chosen name.
        overrides: What the user typed.
        name: Name of the run.
        project: Folder whose git state is recorded.
        output_dir: Folder of the run folders.
        tracking: Where the records go.
        resume: Alone: whether to go on with the newest unfinished run of this configuration. In a sweep:
            False runs what has finished again. None is the default, False alone and True in a sweep.
        sweep: What the runs of one sweep share; None outside a sweep.
        together: What the replicas of one command share; None of a job that is trained alone.
    """

    plan: Plan
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    overrides: tuple[str, ...]
    name: str
    project: Path
    output_dir: Path
    tracking: TrackingSettings
    resume: bool | None
    sweep: Membership | None = None
    together: Together | None = None

    @property
    def config_hash(self) -> str:
        """What identifies the configuration: paths, names and tracking left out."""
        return provenance.config_hash(identity(self.config))

    @property
    def hashes(self) -> tuple[str, str]:
        """`config_hash`, and what it was while it held module paths: earlier runs are found by both."""
        return self.config_hash, provenance.config_hash(former_identity(self.config))

    @property
    def group_hash(self) -> str:
        """What the repetitions of one experiment over seeds share."""
        return provenance.group_hash(identity(self.config))


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
        experiment = records.ensure_experiment(job)
        if found is None and _looks_back(job):
            found = unfinished(job.output_dir, job.hashes)
        folder = RunFolder.create(job.output_dir, job.name) if found is None else found
        with (
            folder.held(),
            records.log_file(folder.log),
            records.kept(job, experiment, folder, signals) as tracker,
        ):
            if opened is not None:
                opened(folder)
            resumed = found is not None and folder.checkpoint.is_file()
            _announce(job, folder, tracker, found, resumed)
            records.describe(job, folder, tracker)
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
    from rnnexp import conduct

    signals.check()
    conduct.conduct(job, folder, tracker, signals, resumed=resumed, started=started)
