"""`rnnexp.run` and `rnnexp.sweep`: what the command does, called."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from rich.console import Console

from rnnexp.cli import request_of
from rnnexp.python.overrides import typed
from rnnexp.python.results import Run, Runs
from rnnexp.report.terminal.notebook_line import Overwritten
from rnnexp.runs.arguments import read_arguments
from rnnexp.runs.build import compose_jobs
from rnnexp.runs.job import check_job
from rnnexp.runs.resume import earlier_of
from rnnexp.runs.run import run_jobs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.places import command_line
from rnnexp.runtime.signals import Killed
from rnnexp.sweeps.folder import SweepFolder, earlier
from rnnexp.sweeps.request import Request
from rnnexp.tracking.upload import UNSENT

_PLACE = re.compile(r" *\d+/\d+ jobs ")
_ADVICE = "false from Python (the command shows what it would do)"


def run(*overrides: str, **keys: Any) -> Run | Runs:
    """Do one run in this process, as the command does, and return what it found.

    The keys are those of the command line, nested ones as dictionaries or by their dotted names:
    `rnnexp.run(activation="relu", clip="global_norm", **{"clip.threshold": 1})`; what is typed there can be
    given as it is, too: `rnnexp.run("activation=relu", seq_len=200)`.

    Returns:
        The run; with `replicas=R`, the R runs.

    Raises:
        ArgumentError: A key or value is wrong.
        KeyboardInterrupt: The run was interrupted; its records are closed.
    """
    request = _request(typed(overrides, keys))
    if request.sweeping:
        raise ArgumentError("experiment", "one run (rnnexp.sweep does several)", request.name)
    jobs = compose_jobs(request.typed, request.menu)
    check_job(jobs[0])
    known = earlier_of(jobs)
    folders = [each.folder.path for each in known if each.folder is not None and each.next == "skip"]
    try:
        run_jobs(jobs, known, lambda folder: folders.append(folder.path), show=False)
    except Killed as killed:
        if killed.number == signal.SIGINT:
            raise KeyboardInterrupt(str(killed)) from None
        raise SystemExit(killed.exit_code) from None
    if len(jobs) == 1:
        return Run(folders[0])
    return Runs(sorted(folders, key=lambda path: RunFolder(path).state()["seed"]))


def sweep(*overrides: str, **keys: Any) -> Runs:
    """Do every combination of values, each run in a process of its own, as the command does with `-m`.

    A list, tuple or range is of values to be swept:
    `rnnexp.sweep(activation=["tanh", "relu"], seed=range(3))`. The same call again skips what has finished
    and goes on with what was interrupted.

    Returns:
        The runs.

    Raises:
        ArgumentError: A key or value is wrong.
        KeyboardInterrupt: The sweep was interrupted; the same call goes on with it.
        RuntimeError: The sweep could not be begun.
    """
    line = ["-m", *typed(overrides, keys, sweeping=True)]
    request = _request(line)
    code = watched([*command_line(), *line])
    if code in (128 + signal.SIGINT, -signal.SIGINT):
        raise KeyboardInterrupt("the sweep was stopped; the same call goes on with it")
    folder = earlier(request)
    if code not in (0, 1, UNSENT) or folder is None:
        raise RuntimeError(f"the sweep ended with code {code}")
    return _found(folder)


def _request(line: list[str]) -> Request:
    request = request_of(read_arguments(line))
    if request.first.config["dry_run"]:
        raise ArgumentError("dry_run", _ADVICE, True)
    return request


def _found(folder: SweepFolder) -> Runs:
    outcomes = list(folder.outcomes().values())
    done = [each for each in outcomes if each.run_folder is not None and not each.bad]
    bad = [each for each in outcomes if each.bad]
    failed = [f"{each.name or each.number} {each.status.lower()}: {each.note}" for each in bad]
    return Runs([Path(str(each.run_folder)) for each in done], folder.path, failed)


def watched(command: list[str]) -> int:
    """Run a sweep to its end and show what it says; return its exit code.

    It finds the modules that this process finds. It has a session of its own, so that an interruption reaches
    it once, from here.
    """
    # A kernel of Jupyter forces colour, which would make the process draw a live bar.
    environ = {name: value for name, value in os.environ.items() if name != "FORCE_COLOR"}
    environ["PYTHONPATH"] = os.pathsep.join([str(Path.cwd()), *filter(None, sys.path)])
    line_of_all = Overwritten()
    in_notebook = Console().is_jupyter
    elsewhere = in_notebook or sys.stdout is not sys.__stdout__
    pipe = subprocess.PIPE if elsewhere else None
    with subprocess.Popen(command, stdout=pipe, text=True, env=environ, start_new_session=True) as process:
        while True:
            try:
                for line in process.stdout or ():
                    if not in_notebook:
                        print(line, end="")
                    elif _PLACE.match(line):
                        line_of_all.show(line.strip())
                return process.wait()
            except KeyboardInterrupt:
                process.send_signal(signal.SIGINT)
