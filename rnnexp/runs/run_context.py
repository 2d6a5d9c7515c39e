"""Open, describe and close the records of a run, with the right status whatever happens."""

import contextlib
import contextvars
import logging
import os
import shlex
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from rnnexp import tracking
from rnnexp.runs import heuristics
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime import provenance
from rnnexp.runtime.checks import ArgumentError, one_line
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.places import COMMAND
from rnnexp.runtime.secrets import clean
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tracking import Tracker
from rnnexp.tracking.records import TAGS
from rnnexp.tracking.upload import PARENT

if TYPE_CHECKING:
    from rnnexp.runs.job import Job
    from rnnexp.training.config import Plan

NO_REMEDY = "there is no checkpoint to go on from"
"""The remedy for a run that was stopped before its first checkpoint."""

_logger = logging.getLogger(__name__)
_log: contextvars.ContextVar[Path | None] = contextvars.ContextVar("log", default=None)


class OpenRun(NamedTuple):
    """A run while its records are open.

    Attributes:
        job: Of the run.
        folder: Of the run.
        tracker: Of the run.
        resumed: Whether it resumes from its checkpoint.
        records: The open records; closing them finishes the run.
    """

    job: "Job"
    folder: RunFolder
    tracker: Tracker
    resumed: bool
    records: contextlib.ExitStack


def describe(job: "Job", folder: RunFolder, tracker: Tracker) -> None:
    """Record what is known before training: configuration, source, packages."""
    git = provenance.git_state(job.project)
    texts = {
        "config.yaml": yaml.safe_dump(dict(job.config), sort_keys=False),
        "overrides.yaml": yaml.safe_dump(list(job.overrides)),
        "environment.txt": provenance.environment(),
        "git.diff": git.diff if git.dirty and job.tracking.diff else "",
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
            "group_hash": job.group_hash,
            "git.sha": git.sha,
            "git.dirty": git.dirty,
            "run_folder": folder.path.resolve(),
            "threads": os.environ.get("TF_NUM_INTRAOP_THREADS") or os.cpu_count(),
            **_belonging(job),
            **{f"version.{name}": version for name, version in provenance.versions().items()},
        }
    )


def _belonging(job: "Job") -> dict[str, Any]:
    """Return the tags that link a run to its sweep or to the command of its replicas."""
    sweep, shared = job.sweep, job.sweep or job.together
    if shared is None:
        return {}
    parent = {} if shared.run_id is None else {PARENT: shared.run_id}
    return parent if sweep is None else {"sweep_id": sweep.id, "sweep_folder": sweep.folder, **parent}


def belongs_to(folder: Path, sweep: str) -> bool:
    """Return whether the run of that folder was recorded as one of that sweep."""
    return StateFile(folder / TAGS).read().get("sweep_id") == sweep


@contextlib.contextmanager
def log_file(path: Path) -> Iterator[None]:
    """Send what the package logs to `path` as well, from INFO on; not what is `said_in` another file."""
    logger = logging.getLogger("rnnexp")
    others = _log_files(logger)
    handler = _LogFile(path, encoding="utf-8")
    handler.level_before = others[0].level_before if others else logger.level
    handler.addFilter(lambda record: _log.get() in (None, path))
    handler.setFormatter(_Clean("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        if not _log_files(logger):
            logger.setLevel(handler.level_before)
        with contextlib.suppress(OSError):
            handler.close()


class _LogFile(logging.FileHandler):
    """A log is no part of the run: what a full disk does not take is lost."""

    level_before = logging.NOTSET
    """The level that the package's logger has while no log file is open."""

    def handleError(self, record: logging.LogRecord) -> None:
        return


class _Clean(logging.Formatter):
    """Passwords are taken out of what is said, of exceptions and tracebacks too."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record))


def _log_files(logger: logging.Logger) -> list[_LogFile]:
    return [handler for handler in logger.handlers if isinstance(handler, _LogFile)]


@contextlib.contextmanager
def said_in(path: Path | None) -> Iterator[None]:
    """Write the messages logged inside to the log file `path` alone; None: to all open log files."""
    token = _log.set(path)
    try:
        yield
    finally:
        _log.reset(token)


@contextlib.contextmanager
def kept(job: "Job", folder: RunFolder, signals: Interruption) -> Iterator[Tracker]:
    """Open the records of the run and close them with the right status, whatever happens inside.

    Signals are deferred while records are opened and closed, so that no run stays RUNNING in MLflow.
    """
    # The command of several replicas prints the reason once, instead of each replica.
    quiet = job.together is not None
    with signals.deferred(), said_in(folder.log):
        tracker = _open(job, folder, signals)
        status: tracking.Status = "FAILED"
        try:
            with signals.admitted(), said_in(None), signals.told():
                yield tracker
            status = "FINISHED"
        except Killed as killed:
            status = "KILLED"
            _logger.log(logging.INFO if quiet else logging.WARNING, "%s; %s", killed, remedy(job, folder))
            raise
        except Exception as error:
            level = logging.INFO if quiet else logging.ERROR
            _logger.log(level, "the run failed: %s", one_line(error))
            _logger.info("where it failed:", exc_info=True)
            raise
        finally:
            _close(folder, tracker, status)


def _open(job: "Job", folder: RunFolder, signals: Interruption) -> Tracker:
    """Open the run in its store; if that fails, remove the folder, unless it holds an earlier attempt."""
    check_store(job, folder)
    known = folder.state()
    try:
        # Written before the store knows of the run: a run that is killed in between is found by its folder.
        folder.update(
            name=job.name,
            config_hash=job.config_hash,
            store=job.tracking.store,
            status="RUNNING",
            attempts=known.get("attempts", 0) + 1,
            cost=round(_expected_seconds(job.plan), 3),
            pid=os.getpid(),
            host=socket.gethostname(),
        )
        tracker = _open_tracker(job, folder, lambda: signals.pending)
    except BaseException:
        if known:
            folder.update(status=known["status"])
        else:
            folder.remove()
        raise
    folder.update(run_id=tracker.run_id)
    return tracker


def check_store(job: "Job", folder: RunFolder) -> None:
    """Raise `ArgumentError` if the run of that folder is recorded in another store than the job's."""
    began_in = folder.state().get("store", job.tracking.store)
    if began_in != job.tracking.store:
        raise ArgumentError("tracking", f"{began_in}, where the run to be resumed began", job.tracking.store)


def _expected_seconds(plan: "Plan") -> float:
    size = (plan.units, plan.batch_size, plan.train_steps, plan.layers)
    return heuristics.expected_seconds(plan.task.seq_len, *size)


def _open_tracker(job: "Job", folder: RunFolder, told_to_stop: Callable[[], bool] = lambda: False) -> Tracker:
    settings, mirror = job.tracking, None
    if settings.uri is not None:
        upload = tracking.Upload(folder.path, settings.uri, settings.experiment, job.name)
        mirror = tracking.Mirror(upload, told_to_stop, settings.patience)
    return tracking.Tracker(folder.path, job.name, mirror)


def _close(folder: RunFolder, tracker: Tracker, status: tracking.Status) -> None:
    """Send arrays and log to the tracker and end the run; if that fails, it is FAILED in folder and store."""
    _logger.info("ended %s", status)
    try:
        for path in (folder.arrays, folder.log):
            if path.is_file():
                tracker.artifact(path)
        tracker.end(status)
    except BaseException as error:
        if status == "FINISHED":  # what was interrupted goes on, whatever became of its records
            status = "KILLED" if isinstance(error, Killed) else "FAILED"
        with contextlib.suppress(Exception):
            tracker.end(status)
        raise
    finally:
        folder.update(status=status, run_id=tracker.run_id)
    if status == "FINISHED":
        folder.remove_checkpoint()
    if not tracker.complete:
        _logger.warning("%s", unsent(folder))


def unsent(folder: RunFolder) -> str:
    """Return a sentence: how to send records that MLflow lacks."""
    place = shlex.quote(str(folder.path))
    return f"its records are in {place}; send them to MLflow with: {COMMAND} sync {place}"


def remedy(job: "Job", folder: RunFolder) -> str:
    """Return a sentence: how to resume a run that was stopped."""
    if not folder.checkpoint.is_file():
        return NO_REMEDY
    if job.sweep is not None:
        return "the command of the sweep goes on with it"
    overrides = job.overrides if job.together is None else job.together.overrides
    typed = [override for override in overrides if not override.startswith("resume=")]
    return f"go on with: {job.command([*typed, 'resume=true'])}"


def end(job: "Job", folder: RunFolder, status: tracking.Status, note: str) -> None:
    """Close the records of a run whose process has ended without doing so; `note` goes into its log."""
    with folder.held(), log_file(folder.log):
        _logger.error("%s", note)
        tracker = _open_tracker(job, folder)
        _close(folder, tracker, status)
