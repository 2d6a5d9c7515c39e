"""The command line of `run.py`: checked first, then executed as a run, a sweep or a preview."""

import contextlib
import dataclasses
import itertools
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnexp.runs.arguments import Arguments, read_arguments
from rnnexp.runs.build import alone, compose_job, compose_jobs, make_job, make_jobs
from rnnexp.runs.composition import axes, compose, one_by_one, parse
from rnnexp.runs.job import Job, check_job
from rnnexp.runs.menu import Menu
from rnnexp.runs.run import run_jobs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.config_keys import key_of
from rnnexp.runtime.device import gpu_count
from rnnexp.runtime.places import COMMAND, CONF, PROGRAM
from rnnexp.runtime.secrets import as_handed_over, handed_over, without_login
from rnnexp.runtime.signals import Killed
from rnnexp.sweeps.job import run_in_sweep
from rnnexp.sweeps.request import Request
from rnnexp.sweeps.resources import cores, default_workers
from rnnexp.tracking.address import sqlite_path
from rnnexp.tracking.upload import UNSENT
from rnnexp.treat import report

_LONGEST_ERROR = 300  # characters


def main(arguments: Sequence[str]) -> None:
    """Do what a command line asks for."""
    start(arguments, hydra.main(version_base="1.3", config_path=str(CONF), config_name="config")(run))


def start(arguments: Sequence[str], main: Callable[[], object]) -> None:
    """Check a command line, then execute it; `main` is Hydra's entry point, which calls `run`."""
    request = check(arguments)
    if request is not None and request.first.config["dry_run"]:
        _preview(request)
    else:
        with handed_over(None if request is None else _configured_address(request.first)):
            if request is not None and request.sweeping:
                _supervise(request, main)
            asked = read_arguments(arguments)
            typed = dataclasses.replace(asked, overrides=tuple(as_handed_over(asked.overrides))).typed
            named = [f"hydra.help.app_name='{COMMAND}'"] if asked.shown == "help" else []
            sys.argv[1:] = [*typed, *named]
            main()


def _configured_address(job: Job) -> str | None:
    """Return the address of the store if the configuration names it: Hydra may write that down."""
    return job.tracking.uri if job.config["tracking"].get("uri") is not None else None


# Modules that print are imported inside the functions, so that a refused command line does not wait for them.


def _preview(request: Request) -> None:
    from rnnexp.sweeps.preview import preview

    with _one_sentence():
        preview(request, lambda overrides: compose_job(overrides, request.menu))


def _supervise(request: Request, main: Callable[[], object]) -> NoReturn:
    from rnnexp.sweeps.supervision import supervise

    with _one_sentence():
        try:
            sys.exit(supervise(request, main))
        except KeyboardInterrupt:
            sys.exit(128 + signal.SIGINT)


def check(arguments: Sequence[str]) -> Request | None:
    """Check a command line before anything is created; exit 2 with one sentence if it is wrong.

    Every value of a sweep is checked, together with the first value of every other key. A configuration that
    Hydra only shows (`--help`, `--cfg`, `--info`) is checked too.

    Returns:
        The requested run or sweep; None if Hydra only shows something.
    """
    with _one_sentence():
        asked = read_arguments(arguments)
        if asked.shown is None:
            return request_of(asked)
        _check_shown(asked)
    return None


def _check_shown(asked: Arguments) -> None:
    """Check a configuration that Hydra only shows: Hydra composes it, and sets up its logging."""
    if asked.shown == "shell_completion" or not (asked.overrides or asked.menu.flags or asked.shown == "cfg"):
        return
    listed = axes([parse(argument) for argument in asked.overrides], asked.sweeping, asked.menu)
    first = [axis[0] for axis in listed]
    if asked.shown in ("cfg", "info"):
        compose_jobs(first, asked.menu)
    else:
        compose(first, asked.menu)


def request_of(asked: Arguments) -> Request:
    """Return the run or sweep that is asked for, all values of all keys checked.

    Raises:
        ArgumentError: One is wrong.
    """
    overrides = [parse(argument) for argument in asked.overrides]
    config = compose([axis[0] for axis in axes(overrides, True, asked.menu)], asked.menu)
    sweeping = asked.sweeping or config.hydra.mode is RunMode.MULTIRUN
    params = config.hydra.sweeper.get("params") or {}
    if params and not sweeping:
        expected = f"{COMMAND} -m, as it sweeps {', '.join(params)}"
        raise ArgumentError("experiment", expected, config.hydra.runtime.choices.get("experiment"))
    listed = axes(
        [*(parse(f"{key}={value}") for key, value in params.items()), *overrides], sweeping, asked.menu
    )
    if sweeping:
        if params:  # their first values are part of the first job
            config = compose([axis[0] for axis in listed], asked.menu)
        jobs = _check_jobs(listed, config, asked.menu)
        command_lines = list(itertools.product(*listed))
    else:
        (one,) = itertools.product(*listed)
        jobs = make_jobs(config, config.hydra.runtime.choices, one, asked.menu)
        check_job(jobs[0])
        command_lines = [one] if len(jobs) == 1 else [alone(one, job.plan.seed) for job in jobs]
    if jobs[0].config["treat"] and len(command_lines) + sweeping > 1:
        raise ArgumentError("treat", "false for a sweep or several replicas", True)
    _check_machines(config, jobs[0])
    return _request(asked, command_lines, config, jobs[0], sweeping)


def _check_jobs(listed: Sequence[Sequence[str]], first: DictConfig, menu: Menu) -> list[Job]:
    """Return checked jobs in which every value of a sweep occurs at least once; `first` is composed already.

    Raises:
        ArgumentError: One is wrong, or two values of a key make the same run.
    """
    combinations = one_by_one(listed)
    jobs = [make_job(first, first.hydra.runtime.choices, next(combinations), menu=menu)]
    jobs += [compose_job(combination, menu) for combination in combinations]
    for job in jobs:
        check_job(job)
    if len({job.config["dry_run"] for job in jobs}) > 1:
        raise ArgumentError("dry_run", "one value for all jobs of a sweep", "both")
    others = iter(jobs[1:])
    for axis in listed:
        if key_of(axis[0]) == "tracking.uri" and len(axis) > 1 and axis != [*map(without_login, axis)]:
            raise ArgumentError("tracking.uri", "one address, as it has a login", ",".join(axis))
        _check_distinct(axis, [jobs[0], *itertools.islice(others, len(axis) - 1)])
    return jobs


def _check_distinct(axis: Sequence[str], jobs: Sequence[Job]) -> None:
    """Raise `ArgumentError` if two values of a key make the same run."""
    runs = {(job.config_hash, job.tracking.store) for job in jobs}
    if len(runs) < len(jobs) and jobs[0].resume is not False:
        expected = "values that make different runs, as the same run is done once (resume=false repeats it)"
        raise ArgumentError(key_of(axis[0]), expected, ",".join(one.partition("=")[2] for one in axis))


def _request(
    asked: Arguments, jobs: Sequence[tuple[str, ...]], config: DictConfig, first: Job, sweeping: bool
) -> Request:
    launcher = config.hydra.runtime.choices.get("launcher", "basic")
    named = any(override.startswith("hydra.sweep.dir=") for override in asked.overrides)
    return Request(
        sweeping=sweeping,
        typed=asked.overrides,
        jobs=tuple(jobs),
        first=first,
        launcher=launcher,
        workers=_workers(config.launcher, launcher, len(jobs)),
        folder=str(config.hydra.sweep.dir) if named else None,
        menu=asked.menu,
    )


def _workers(settings: DictConfig, launcher: str, jobs: int) -> int | None:
    """Return how many jobs run at the same time; None if a cluster decides that."""
    given = settings.workers
    if launcher == "basic" and given not in (None, 1):
        raise ArgumentError("launcher.workers", "1 with launcher=basic (launcher=joblib takes more)", given)
    if settings.get("address") is not None:
        if given is not None:
            expected = "null with launcher.address, as the nodes of the cluster say how many jobs they take"
            raise ArgumentError("launcher.workers", expected, given)
        return None
    if given is not None:
        return min(given, jobs)
    return default_workers(cores(), gpu_count(), jobs) if launcher in ("joblib", "ray") else 1


def _check_machines(config: DictConfig, job: Job) -> None:
    """Refuse a SQLite store for jobs on several machines, since its locks work on one machine only."""
    launcher = config.hydra.launcher
    kind = launcher["_target_"].rpartition(".")[2]
    several = kind == "SlurmLauncher" or (
        kind == "RayLauncher" and launcher.ray.init.get("address") is not None
    )
    address = _configured_address(job)
    if kind == "RayLauncher" and several and address is not None and without_login(address) != address:
        expected = (
            "an address without a login, which the nodes take from MLFLOW_TRACKING_USERNAME and _PASSWORD"
        )
        raise ArgumentError("tracking.uri", expected, address)
    if several and job.tracking.uri is not None and sqlite_path(job.tracking.uri) is not None:
        expected = "the address of a server, as the jobs run on several machines and a SQLite file serves one"
        raise ArgumentError("tracking.uri", expected, job.tracking.uri)


def run(config: DictConfig) -> None:
    """Run the job that Hydra composed.

    Exits 1 where the machine failed, 2 on a wrong value, 3 where MLflow did not take all records,
    128 + signal number when killed.
    """
    settings = HydraConfig.get()
    if settings.mode is RunMode.MULTIRUN:
        run_in_sweep(config, settings)
        return
    with _one_sentence():
        jobs = make_jobs(config, settings.runtime.choices, settings.overrides.task, Menu.of(settings))
        check_job(jobs[0])
        folders: list[RunFolder] = []
        unsent = [] if jobs[0].config["dry_run"] else run_jobs(jobs, opened=folders.append)
        if jobs[0].config["treat"]:
            report(folders)
        if unsent:
            sys.exit(UNSENT)


@contextlib.contextmanager
def _one_sentence() -> Iterator[None]:
    """Tell an error that the user can mend in one sentence, and end with its exit code."""
    try:
        yield
    except Killed as killed:  # the run has said it
        sys.exit(killed.exit_code)
    except ArgumentError as error:
        said, code = str(error), 2
    except OSError as error:  # a full disk, say
        place = f" ({error.filename})" if error.filename else ""
        remedy = "mend that; then a sweep goes on by the same command, a run with resume=true"
        said, code = f"{error.strerror or error}{place}: {remedy}", 1
    except Exception as error:
        # What an array of NumPy's, or a tensor, raises: by name, as TensorFlow is not imported here.
        if not isinstance(error, MemoryError) and type(error).__name__ != "ResourceExhaustedError":
            raise
        text = " ".join(str(error).split())[:_LONGEST_ERROR]
        remedy = "a smaller batch_size, seq_len or units, or segment, needs less (docs/speed.md)"
        said, code = f"out of memory ({text}): {remedy}", 1
    else:
        return
    print(f"{PROGRAM}: {said}", file=sys.stderr)
    sys.exit(code)
