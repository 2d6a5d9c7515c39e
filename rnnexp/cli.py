"""What a command line asks for: checked before anything is made for it, then handed over."""

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from rnnexp.runs.build import alone, check_job, compose_job, compose_jobs, make_job, make_jobs
from rnnexp.runs.composition import axes, compose, one_by_one, parse
from rnnexp.runs.job import Job, Membership
from rnnexp.runs.run import run_jobs
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.device import gpu_count
from rnnexp.runtime.signals import Killed
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.launched import CALL, VARIABLE, launched
from rnnexp.sweep.left import one_may_be_left
from rnnexp.sweep.request import Request
from rnnexp.sweep.resources import cores, default_workers
from rnnexp.sweep.worker import do_job
from rnnexp.tracking.address import sqlite_path

_SWEEP_FLAGS = ("-m", "--multirun")


def start(arguments: Sequence[str], main: Callable[[], object]) -> None:
    """Check a command line, then do what it asks for; `main` is Hydra's way to `run`.

    A sweep is supervised: this process starts itself anew for Hydra and its launcher.
    """
    if VARIABLE in os.environ:
        with launched(Path(os.environ[VARIABLE])), one_may_be_left():
            main()
        return
    request = check(arguments)
    if request is not None and request.first.config["dry_run"]:
        _preview(request)
    elif request is not None and request.sweeping:
        _supervise(request, arguments)
    else:
        main()


# What prints is imported only where there is something to print: a refusal has not waited for it.


def _preview(request: Request) -> None:
    from rnnexp.sweep.preview import preview

    try:
        preview(request, compose_job)
    except ArgumentError as error:
        refuse(error)


def _supervise(request: Request, arguments: Sequence[str]) -> NoReturn:
    from rnnexp.sweep.supervision import supervise

    try:
        sys.exit(supervise(request, arguments))
    except ArgumentError as error:
        refuse(error)


def check(arguments: Sequence[str]) -> Request | None:
    """Check a command line before anything is made for it; exit 2 with one sentence if it is wrong.

    Every value of a sweep is checked, each with the first values of the others. Command lines that ask Hydra
    for something else (`--help`, `--cfg`, another folder of configurations) are left to Hydra.

    Returns:
        The run or sweep that is asked for; None for what is left to Hydra.
    """
    flags = [argument for argument in arguments if argument.startswith("-")]
    if not set(flags).issubset(_SWEEP_FLAGS):
        return None
    typed = [argument for argument in arguments if not argument.startswith("-")]
    try:
        return _check(typed, sweeping=len(flags) > 0)
    except ArgumentError as error:
        refuse(error)


def _check(typed: Sequence[str], sweeping: bool) -> Request:
    overrides = [parse(argument) for argument in typed]
    listed = axes(overrides, sweeping)
    config = compose([axis[0] for axis in listed])
    params = config.hydra.sweeper.get("params") or {}
    if params and not sweeping:
        expected = f"python run.py -m, as it sweeps {', '.join(params)}"
        raise ArgumentError("experiment", expected, config.hydra.runtime.choices.get("experiment"))
    listed = axes([*(parse(f"{key}={value}") for key, value in params.items()), *overrides], sweeping)
    if sweeping:
        jobs = [compose_job(combination) for combination in one_by_one(listed)]
        for job in jobs:
            check_job(job)
        command_lines = list(itertools.product(*listed))
    else:
        (one,) = itertools.product(*listed)
        jobs = compose_jobs(one)
        check_job(jobs[0])
        command_lines = [one] if len(jobs) == 1 else [alone(one, job.plan.seed) for job in jobs]
    _check_machines(config, jobs[0])
    return _request(typed, command_lines, config, jobs[0], sweeping)


def _request(
    typed: Sequence[str], jobs: Sequence[tuple[str, ...]], config: DictConfig, first: Job, sweeping: bool
) -> Request:
    launcher = config.hydra.runtime.choices["launcher"]
    named = any(override.startswith("hydra.sweep.dir=") for override in typed)
    return Request(
        sweeping=sweeping,
        typed=tuple(typed),
        jobs=tuple(jobs),
        first=first,
        launcher=launcher,
        workers=_workers(config.launcher, launcher, len(jobs)),
        folder=str(config.hydra.sweep.dir) if named else None,
    )


def _workers(settings: DictConfig, launcher: str, jobs: int) -> int | None:
    """Return how many jobs run at the same time; None where a cluster says that."""
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
    """Refuse a SQLite store for jobs on several machines: its locks hold on one."""
    launcher = config.hydra.launcher
    kind = launcher["_target_"].rpartition(".")[2]
    several = kind == "SlurmLauncher" or (
        kind == "RayLauncher" and launcher.ray.init.get("address") is not None
    )
    if several and job.tracking.uri is not None and sqlite_path(job.tracking.uri) is not None:
        expected = "the address of a server, as the jobs run on several machines and a SQLite file serves one"
        raise ArgumentError("tracking.uri", expected, job.tracking.uri)


def run(config: DictConfig) -> None:
    """Run what Hydra composed. Exits 2 on a wrong value, 128 + signal number when killed."""
    settings = HydraConfig.get()
    if settings.mode is RunMode.MULTIRUN:
        _run_in_sweep(config, settings)
        return
    try:
        jobs = make_jobs(config, settings.runtime.choices, settings.overrides.task)
        check_job(jobs[0])
        run_jobs(jobs)
    except Killed as killed:
        sys.exit(killed.exit_code)
    except ArgumentError as error:
        refuse(error)


def _run_in_sweep(config: DictConfig, settings: Any) -> None:
    """Do one job of a sweep.

    Raises:
        RuntimeError: It failed, and nobody supervises the sweep who would tell.
    """

    def make(membership: Membership) -> Job:
        job = make_job(config, settings.runtime.choices, settings.overrides.task, membership)
        check_job(job)
        return job

    folder = SweepFolder(Path(settings.sweep.dir), os.environ.get(CALL))
    outcome = do_job(folder, settings.job.num, settings.overrides.task, make)
    supervised = len(folder.state.read()) > 0
    if outcome is not None and outcome.bad and not supervised:
        raise RuntimeError(f"{outcome.name or 'the job'} {outcome.status.lower()}: {outcome.note}")


def refuse(error: ArgumentError) -> NoReturn:
    """End with the one sentence and code 2."""
    print(f"run.py: {error}", file=sys.stderr)
    sys.exit(2)
