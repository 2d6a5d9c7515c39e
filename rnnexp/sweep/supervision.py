"""A whole sweep in the process that the user sees: launched, shown, stopped, and summed up in a table."""

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from rnnexp import tracking
from rnnexp.runs.resume import runs_below
from rnnexp.runtime.device import gpu_count
from rnnexp.sweep.folder import SweepFolder, newest, signature
from rnnexp.sweep.job import CALL
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.progress import Output, SweepProgress, progress
from rnnexp.sweep.request import Request
from rnnexp.sweep.resources import ray_settings
from rnnexp.sweep.table import Ending, print_ending

_POLL = 0.25  # seconds
_LAST_WORDS = 600


def supervise(request: Request, main: Callable[[], object]) -> int:
    """Run a sweep to its end, print its table and return the exit code.

    0: every job finished, now or earlier, diverged ones too. 1: one failed or was killed. 128 + N: signal N.

    Args:
        request: The sweep.
        main: Hydra's way to the launcher, with the command line in `sys.argv`.

    Raises:
        ArgumentError: The folder or the store cannot be used, or another process is at work on this sweep.
    """
    started, console = time.monotonic(), _console()
    folder = _folder(request)
    with folder.held(), _stopping(folder) as signals:
        folder.begin()
        folder.state.update(**_state(request), pid=os.getpid())
        parent = _parent(request, folder)
        with progress(request.costs(), request.workers or 1, console) as shown:
            broken = _launch(request, folder, main, shown)
        outcomes = _all(request, folder)
        folder.save_table(outcomes)
        ending = Ending(
            title=f"{request.name}, {folder.id}",
            outcomes=outcomes,
            swept=request.swept,
            seconds=time.monotonic() - started,
            workers=request.workers,
            folder=folder,
            run=parent.where,
            open_command=parent.open_command,
            page=parent.page,
            broken=broken,
        )
        print_ending(ending, console)
        _end(parent, request, ending)
    if signals:
        return 128 + signals[0]
    counts = ending.counts()
    return int(counts["failed"] + counts["killed"] + counts["waiting"] > 0)


def _console() -> Console:
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed: the next file that is opened would take its place
            os.open(os.devnull, os.O_RDWR)
    return Console(file=Output())  # type: ignore[arg-type]


@contextlib.contextmanager
def _stopping(folder: SweepFolder) -> Iterator[list[int]]:
    """Take signals as the wish that the sweep stop, and yield those that came.

    The first leaves time for checkpoints. The second ends the launcher where it is (KeyboardInterrupt), and
    with it the jobs.
    """
    received: list[int] = []

    def receive(number: int, frame: object = None) -> None:
        received.append(number)
        folder.stop(len(received))
        if len(received) == 2:
            raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # which nohup asks for
        numbers.append(signal.SIGHUP)
    found = {number: signal.signal(number, receive) for number in numbers}
    try:
        yield received
    finally:
        for number, handler in found.items():
            signal.signal(number, handler)


def _folder(request: Request) -> SweepFolder:
    """Return the folder of the same sweep, to be gone on with, or a fresh one."""
    root = request.first.output_dir
    if request.folder is not None:
        Path(request.folder).mkdir(parents=True, exist_ok=True)
        return SweepFolder(Path(request.folder))
    found = None
    if request.first.resume is not False:
        found = newest(root, signature(request.asked, request.first.tracking.store))
    return SweepFolder.create(root) if found is None else found


def _state(request: Request) -> dict[str, object]:
    store = request.first.tracking.store
    return {
        "signature": signature(request.asked, store),
        "name": request.name,
        "overrides": list(request.typed),
        "jobs": len(request.jobs),
        "store": store,
        "cwd": str(Path.cwd()),
        "launcher": request.launcher,
        "workers": request.workers,
        "swept": list(request.swept),
    }


def _parent(request: Request, folder: SweepFolder) -> tracking.ParentRun:
    """Open the sweep's run in MLflow before the first job; a call that was killed may have opened it."""
    settings, experiment = request.first.tracking, None
    if settings.uri is not None:
        experiment = tracking.ensure_store(settings.uri, settings.experiment)
    parent = tracking.ParentRun(
        settings.uri,
        experiment,
        request.name,
        _command_line(request),
        known=[folder.state.read().get("run_id")],
        tags={"sweep_id": folder.id, "sweep_folder": str(folder.path.absolute())},
    )
    if parent.run_id is not None:
        folder.state.update(run_id=parent.run_id)
    return parent


def _end(parent: tracking.ParentRun, request: Request, ending: Ending) -> None:
    counts = ending.counts()
    found = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in counts.items() if count)
    parent.describe(
        f"{_command_line(request)}\n\n{found}",
        {f"sweep.{name}": count for name, count in counts.items()},
    )
    bad = counts["failed"] + counts["killed"] + counts["waiting"]
    parent.end("FAILED" if bad else "FINISHED", [ending.folder.save_table(ending.outcomes)])


def _command_line(request: Request) -> str:
    return f"`python run.py -m {shlex.join(request.typed)}`"


def _launch(request: Request, folder: SweepFolder, main: Callable[[], object], shown: SweepProgress) -> str:
    """Launch all jobs; return how the launcher broke, "" if it did not."""
    folder.remember_runs(runs_below(request.first.output_dir))
    log, code, typed = folder.path / "launcher.txt", None, sys.argv
    sys.argv = [typed[0], *_command(request, folder)]
    try:
        with _errors_in(log), _watched(folder, shown):
            code = _exit_code(main)
            while folder.at_work and not folder.stopping:  # jobs of a cluster whose launcher broke
                time.sleep(_POLL)
    except KeyboardInterrupt:  # the second signal
        pass
    finally:
        sys.argv = typed
    if not code or folder.stopping:
        return ""
    said = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
    return f"it ended with code {code}: {said[-_LAST_WORDS:]}"


def _exit_code(main: Callable[[], object]) -> object:
    try:
        main()
    except SystemExit as end:
        return end.code
    return None


@contextlib.contextmanager
def _errors_in(path: Path) -> Iterator[None]:
    """Send the standard error to a file, what compiled code and the processes begun inside say too."""
    sys.stderr.flush()
    kept = os.dup(2)
    with path.open("wb") as file:
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


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
    """Return the outcomes of all jobs; one that is still at work when the launcher has ended was killed."""
    known = folder.outcomes()
    outcomes = [known.get(number, Outcome(number, jobs)) for number, jobs in enumerate(request.jobs)]
    stopped = folder.stopping > 0
    return [outcome if outcome.ended else outcome.without_process(stopped) for outcome in outcomes]


def _command(request: Request, folder: SweepFolder) -> list[str]:
    """Return what was typed, after what the configuration leaves open: what was typed has the last word."""
    path = str(folder.path.absolute()).replace("\\", "\\\\").replace("'", "\\'")
    settings = [f"hydra.sweep.dir='{path}'", f"+hydra.job.env_set.{CALL}='{folder.call}'"]
    if request.launcher == "ray":
        given = request.first.config["launcher"]
        settings += ray_settings(request.workers, given["address"], given["gpus"], gpu_count())
    return [*request.menu.flags, "-m", *settings, *request.typed]
