"""A whole sweep in the process that the user sees: launch it, show its progress, stop it, print its table."""

import contextlib
import os
import shlex
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from rnnexp import tracking
from rnnexp.report.terminal.labels import as_typed, print_place
from rnnexp.runs.resume import runs_below
from rnnexp.runs.run_context import belongs_to
from rnnexp.runtime.device import gpu_count
from rnnexp.runtime.output import errors_in
from rnnexp.runtime.places import COMMAND, data_folder
from rnnexp.runtime.secrets import as_handed_over, clean
from rnnexp.runtime.signals import handled
from rnnexp.sweeps.folder import SweepFolder, earlier
from rnnexp.sweeps.grid import Grid
from rnnexp.sweeps.job import CALL
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.progress import SweepProgress, progress
from rnnexp.sweeps.request import Request
from rnnexp.sweeps.resources import ray_settings
from rnnexp.sweeps.table import Ending, print_ending
from rnnexp.tracking.upload import UNSENT

_POLL = 0.25  # seconds
_LONGEST_ERROR = 600  # characters


def supervise(request: Request, main: Callable[[], object]) -> int:
    """Run a sweep to its end, print its table and return the exit code.

    0: every job finished, now or earlier, diverged ones too. 1: one failed or was killed. 3: MLflow did not
    take all records. 128 + N: signal N.

    Args:
        request: The sweep.
        main: Hydra's entry point, which reads `sys.argv` and calls the launcher.

    Raises:
        ArgumentError: The folder or the store cannot be used, or another process is at work on this sweep.
    """
    started, console = time.monotonic(), Console()
    folder = _folder(request)
    with folder.held(), _stopping(folder) as signals:
        _say_finished(request, folder, console)
        folder.begin()
        folder.state.update(**_state(request), pid=os.getpid())
        parent = _parent(request, folder)
        grid = Grid(request.jobs, request.swept)
        with progress(request.costs(), request.workers or 1, grid, console) as shown:
            broken = _launch(request, folder, main, shown)
        outcomes = _all(request, folder)
        folder.save_table(outcomes)
        ending = Ending(request, folder, outcomes, time.monotonic() - started, parent.place, broken)
        print_ending(ending, console)
        _end(parent, ending)
        if not signals:
            _report(request, folder, console)
    if signals:
        return 128 + signals[0]
    if ending.unfinished:
        return 1
    return UNSENT if any(outcome.unsent for outcome in outcomes) else 0


@contextlib.contextmanager
def _stopping(folder: SweepFolder) -> Iterator[list[int]]:
    """Turn signals into requests to stop the sweep, and yield the list of those received.

    The first leaves time for checkpoints. The second ends the launcher at once (KeyboardInterrupt), and
    with it the jobs.
    """
    received: list[int] = []

    def receive(number: int, frame: object = None) -> None:
        received.append(number)
        folder.stop(len(received))
        if len(received) == 2:
            raise KeyboardInterrupt

    with handled(receive):
        yield received


def _folder(request: Request) -> SweepFolder:
    """Return the folder of the same sweep if it was called before, else a new one."""
    if request.folder is not None:
        Path(request.folder).mkdir(parents=True, exist_ok=True)
    elif request.first.resume is False:
        return SweepFolder.create(request.first.output_dir)
    return earlier(request) or SweepFolder.create(request.first.output_dir)


def _say_finished(request: Request, folder: SweepFolder, console: Console) -> None:
    """Say how many jobs the call before has left finished: where all are, nothing else is said for long."""
    before = sum(outcome.status in ("FINISHED", "SKIPPED") for outcome in folder.outcomes().values())
    if before:
        text = f"{len(request.jobs)} jobs, of which the call before left {before} finished"
        console.print(text, highlight=False, soft_wrap=True)


def _state(request: Request) -> dict[str, object]:
    return {
        "signature": request.signature,
        "name": request.name,
        "overrides": list(request.typed),
        "jobs": len(request.jobs),
        "store": request.first.tracking.store,
        "cwd": str(Path.cwd()),
        "launcher": request.launcher,
        "workers": request.workers,
        "swept": list(request.swept),
    }


def _parent(request: Request, folder: SweepFolder) -> tracking.ParentRun:
    """Open the sweep's run in MLflow before the first job; a call that was killed may have opened it."""
    settings = request.first.tracking
    parent = tracking.ParentRun(
        settings.uri,
        settings.experiment,
        request.name,
        _command_line(request),
        known=[folder.state.read().get("run_id")],
        tags={"sweep_id": folder.id, "sweep_folder": str(folder.path.absolute())},
        patience=settings.patience,
        told_to_stop=lambda: folder.stopping > 0,
    )
    if parent.run_id is not None:
        folder.state.update(run_id=parent.run_id)
    return parent


def _end(parent: tracking.ParentRun, ending: Ending) -> None:
    counts = ending.counts()
    found = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    parent.describe(
        f"{_command_line(ending.request)}\n\n{found}",
        {f"sweep.{name}": count for name, count in counts.items()},
    )
    runs = [Path(outcome.run_folder) for outcome in ending.outcomes if outcome.run_folder is not None]
    parent.below = [run for run in runs if belongs_to(run, ending.folder.id)]
    parent.end("FAILED" if ending.unfinished else "FINISHED", [ending.folder.save_table(ending.outcomes)])


def _report(request: Request, folder: SweepFolder, console: Console) -> None:
    """Write the page of the sweep, or say the command that does."""
    uri, written = request.first.tracking.uri, None
    where = request.first.output_dir if uri is None else uri
    if request.first.config["report"]:
        # Only here, since pandas takes a second to import.
        from rnnexp.report.command import write

        try:
            written = write(where, folder.id, out=folder.path / "report.html").report.page
        except Exception as error:  # the sweep has ended as it has, whatever becomes of its page
            print_place("no report", f"{type(error).__name__}: {error}", console)
    command = f"{COMMAND} report {folder.id}"
    if uri is None or uri != tracking.resolve(None, os.environ, data_folder()):
        command += f" --where {shlex.quote(clean(str(where)))}"
    print_place("report", command if written is None else as_typed(written), console)


def _command_line(request: Request) -> str:
    return f"`{COMMAND} -m {shlex.join(map(clean, request.typed))}`"


def _launch(request: Request, folder: SweepFolder, main: Callable[[], object], shown: SweepProgress) -> str:
    """Launch all jobs; return the error with which the launcher ended, "" without one."""
    folder.remember_runs(runs_below(request.first.output_dir))
    log, code, typed = folder.path / "launcher.txt", None, sys.argv
    sys.argv = [typed[0], *_command(request, folder)]
    try:
        with log.open("wb") as file, errors_in(file), _watched(folder, shown):
            code = _exit_code(main)
            while folder.at_work and not folder.stopping:  # a cluster's jobs go on if its launcher fails
                time.sleep(_POLL)
    except KeyboardInterrupt:  # the second signal
        pass
    finally:
        sys.argv = typed
    if not code or folder.stopping:
        return ""
    said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
    return f"it ended with code {code}: {said[-_LONGEST_ERROR:]}"


def _exit_code(main: Callable[[], object]) -> object:
    try:
        main()
    except SystemExit as end:
        return end.code
    return None


@contextlib.contextmanager
def _watched(folder: SweepFolder, shown: SweepProgress) -> Iterator[None]:
    """Show the progress."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_POLL):
            shown.update(folder.outcomes())

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        shown.update(folder.outcomes())


def _all(request: Request, folder: SweepFolder) -> list[Outcome]:
    """Return the outcomes of all jobs after the launcher has ended; a job that still ran then was killed."""
    known = folder.outcomes()
    outcomes = [known.get(number, Outcome(number, jobs)) for number, jobs in enumerate(request.jobs)]
    stopped = folder.stopping > 0
    return [outcome if outcome.ended else outcome.without_process(stopped) for outcome in outcomes]


def _command(request: Request, folder: SweepFolder) -> list[str]:
    """Return Hydra's command line: the settings of this call first, so that the user's overrides win."""
    path = str(folder.path.absolute()).replace("\\", "\\\\").replace("'", "\\'")
    settings = [f"hydra.sweep.dir='{path}'", f"+hydra.job.env_set.{CALL}='{folder.call}'"]
    if request.launcher == "ray":
        given = request.first.config["launcher"]
        settings += ray_settings(request.workers, given["address"], given["gpus"], gpu_count())
    return [*request.menu.flags, "-m", *settings, *as_handed_over(request.typed)]
