"""One run with everything around it: its folder, its records, its end."""

import contextlib
import dataclasses
import logging
import shlex
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from rnnexp import provenance, tracking
from rnnexp.checks import ArgumentError
from rnnexp.device import import_tensorflow
from rnnexp.plan import Plan
from rnnexp.run_folder import RunFolder, unfinished
from rnnexp.signals import Interruption, Killed, interruption
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
        sweep_id: What the runs of one sweep share; None outside a sweep.
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
    sweep_id: str | None = None

    @property
    def config_hash(self) -> str:
        """What identifies the configuration: paths, names and tracking left out."""
        return provenance.config_hash(self.config)


def run_job(job: Job) -> None:
    """Run the job to its end, keep its records, print its summary.

    A diverged run is a result and ends FINISHED. A signal ends it KILLED, an exception FAILED, both with what
    there was. Where the records cannot even be opened, nothing is left.

    With `resume`, the newest unfinished run of the same `config_hash` goes on; without one, a run begins.

    Raises:
        Killed: A signal came.
        ArgumentError: The run to be resumed is at work in another process, or was recorded elsewhere.
    """
    started = time.perf_counter()
    with interruption() as signals:
        experiment = _ensure_experiment(job.tracking)
        found = unfinished(job.output_dir, job.config_hash) if job.resume else None
        folder = RunFolder.create(job.output_dir, job.name) if found is None else found
        with (
            folder.held(),
            _log_file(folder.log),
            _records(job, experiment, folder, signals) as tracker,
        ):
            _announce(job, folder, tracker)
            _describe(job, folder, tracker)
            _conduct(job, folder, tracker, signals, found is not None, started)
        signals.check()


def _ensure_experiment(settings: TrackingSettings) -> str | None:
    """Return the id of the MLflow experiment, made with its store if need be; None without MLflow."""
    return None if settings.uri is None else tracking.ensure_store(settings.uri, settings.experiment)


@contextlib.contextmanager
def _log_file(path: Path) -> Iterator[None]:
    """Send what the package logs to `path` as well, from INFO on."""
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("rnnexp")
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        handler.close()


@contextlib.contextmanager
def _records(job: Job, experiment: str | None, folder: RunFolder, signals: Interruption) -> Iterator[Tracker]:
    """Open the records of the run and close them with the right status, whatever happens inside.

    Signals wait while records are opened and closed, so that no run stays RUNNING in MLflow.
    """
    with signals.deferred():
        tracker = _open_records(job, experiment, folder)
        status: tracking.Status = "FAILED"
        try:
            with signals.admitted():
                yield tracker
            status = "FINISHED"
        except Killed as killed:
            status = "KILLED"
            _logger.warning("%s; %s", killed, _remedy(job, folder))
            raise
        except Exception as error:
            _logger.error("the run failed: %s: %s", type(error).__name__, error)
            _logger.info("where it failed:", exc_info=True)
            raise
        finally:
            _close_records(folder, tracker, status)


def _open_records(job: Job, experiment: str | None, folder: RunFolder) -> Tracker:
    """Open the run in its store; if that fails, take away a folder that was made for it."""
    known = folder.state()
    began_in = known.get("store", job.tracking.store)
    if began_in != job.tracking.store:
        raise ArgumentError("tracking", f"{began_in}, where the run to be resumed began", job.tracking.store)
    try:
        tracker = _open_tracker(job, experiment, folder, known.get("run_id"))
    except BaseException:
        if not known:
            folder.remove()
        raise
    folder.update(
        run_id=tracker.run_id, config_hash=job.config_hash, store=job.tracking.store, status="RUNNING"
    )
    return tracker


def _open_tracker(job: Job, experiment: str | None, folder: RunFolder, run_id: str | None) -> Tracker:
    if job.tracking.uri is None or experiment is None:
        return tracking.FileTracker(folder.path, job.name)
    return tracking.MlflowTracker(job.tracking.uri, experiment, job.name, run_id=run_id)


def _close_records(folder: RunFolder, tracker: Tracker, status: tracking.Status) -> None:
    """Hand over arrays and log and end the run; FAILED, here and there, if that fails."""
    _logger.info("ended %s", status)
    try:
        for path in (folder.arrays, folder.log):
            if path.is_file():
                tracker.artifact(path)
        tracker.end(status)
    except BaseException:
        status = "FAILED"
        with contextlib.suppress(Exception):
            tracker.end(status)
        raise
    finally:
        folder.update(status=status)
    if status == "FINISHED":
        folder.checkpoint.unlink(missing_ok=True)


def _remedy(job: Job, folder: RunFolder) -> str:
    if not folder.checkpoint.is_file():
        return "there is no checkpoint to go on from"
    typed = [override for override in job.overrides if not override.startswith("resume=")]
    return f"go on with: python run.py {shlex.join([*typed, 'resume=true'])}"


def _announce(job: Job, folder: RunFolder, tracker: Tracker) -> None:
    _logger.info("%s, configuration %s, stored in %s", job.name, job.config_hash, tracker.where)
    if job.resume and folder.checkpoint.is_file():
        _logger.warning("going on with %s", folder.path)
    elif job.resume:
        _logger.warning("no unfinished run of this configuration in %s: beginning anew", job.output_dir)


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
    tracker.params(job.config)
    tracker.params(job.choices)
    tracker.tags(
        {
            "config_hash": job.config_hash,
            "group_hash": provenance.group_hash(job.config),
            "git.sha": git.sha,
            "git.dirty": git.dirty,
            "run_folder": folder.path.resolve(),
            **({} if job.sweep_id is None else {"sweep_id": job.sweep_id}),
            **{f"version.{name}": version for name, version in provenance.versions().items()},
        }
    )


def _conduct(
    job: Job, folder: RunFolder, tracker: Tracker, signals: Interruption, resumed: bool, started: float
) -> None:
    import_tensorflow(job.plan.device)
    # Only here, since it needs TensorFlow: a job that is refused before has not waited for it.
    from rnnexp import conduct

    signals.check()
    conduct.conduct(job, folder, tracker, signals, resumed=resumed, started=started)
