"""One run with everything around it: its folder, its records, its end."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rnnexp import provenance, tracking
from rnnexp.device import import_tensorflow
from rnnexp.plan import Plan
from rnnexp.run_folder import RunFolder, unfinished
from rnnexp.signals import Interruption, Killed, interruption
from rnnexp.tracking import Tracker

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
        resume: Whether to go on with the newest unfinished run of this configuration.
    """

    plan: Plan
    config: Mapping[str, Any]
    choices: Mapping[str, str]
    overrides: tuple[str, ...]
    name: str
    project: Path
    output_dir: Path
    tracking: TrackingSettings
    resume: bool

    @property
    def config_hash(self) -> str:
        """What identifies the configuration: paths, names and tracking left out."""
        return provenance.config_hash(self.config)


def run_job(job: Job) -> None:
    """Run the job to its end, keep its records, print its summary.

    A diverged run is a result and ends FINISHED. A signal ends it KILLED, an exception FAILED, both with what
    there was.

    Raises:
        Killed: A signal came.
        ArgumentError: The run to be resumed is at work in another process.
    """
    started = time.perf_counter()
    with interruption() as signals:
        folder = unfinished(job.output_dir, job.config_hash) if job.resume else None
        resumed = folder is not None
        if folder is None:
            folder = RunFolder.create(job.output_dir, job.name)
        with folder.held(), _log_file(folder.path / "run.log"):
            tracker = _open_tracker(job, folder)
            with _ending(folder, tracker):
                _describe(job, folder, tracker)
                _conduct(job, folder, tracker, signals, resumed, started)


def _open_tracker(job: Job, folder: RunFolder) -> Tracker:
    known = folder.state().get("run_id")
    if job.tracking.uri is None:
        tracker: Tracker = tracking.FileTracker(folder.path, job.name)
    else:
        experiment = tracking.ensure_store(job.tracking.uri, job.tracking.experiment)
        tracker = tracking.MlflowTracker(job.tracking.uri, experiment, job.name, run_id=known)
    folder.update(run_id=tracker.run_id, config_hash=job.config_hash, status="RUNNING")
    return tracker


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Send what the package logs to `path` as well."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("rnnexp")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextlib.contextmanager
def _ending(folder: RunFolder, tracker: Tracker) -> Iterator[None]:
    """Close folder and records with the right status, whatever happens inside."""
    status: tracking.Status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except Killed as killed:
        status = "KILLED"
        _logger.warning("%s", killed)
        raise
    except Exception:
        _logger.exception("the run failed")
        raise
    finally:
        folder.update(status=status)
        for path in (folder.path / "gradient_flow.npz", folder.path / "run.log"):
            if path.is_file():
                tracker.artifact(path)
        tracker.end(status)


def _describe(job: Job, folder: RunFolder, tracker: Tracker) -> None:
    """Record what is known before training: configuration, source, packages."""
    git = provenance.git_state(job.project)
    texts = {
        "config.yaml": yaml.safe_dump(dict(job.config), sort_keys=False),
        "overrides.yaml": yaml.safe_dump(list(job.overrides)),
        "environment.txt": provenance.environment(),
        "git.diff": git.diff if git.dirty else "",
    }
    for name, content in texts.items():
        if content:
            (folder.path / name).write_text(content, encoding="utf-8")
            tracker.artifact(folder.path / name)
    tracker.params({**job.config, **{f"group.{k}": v for k, v in job.choices.items()}})
    tracker.tags(
        {
            "config_hash": job.config_hash,
            "group_hash": provenance.group_hash(job.config),
            "git.sha": git.sha,
            "git.dirty": str(git.dirty).lower(),
            "run_folder": str(folder.path),
            **{f"version.{name}": version for name, version in provenance.versions().items()},
        }
    )


def _conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, resumed: bool, started: float
) -> None:
    import_tensorflow(job.plan.device)
    # Only here, since it needs TensorFlow: a job that is refused before has not waited for it.
    from rnnexp import conduct

    conduct.conduct(job, folder, tracker, signals, resumed=resumed, started=started)
