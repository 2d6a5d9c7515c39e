"""The process that the user sees: it starts the launcher, shows the progress, stops it, prints the table.

Hydra and its launcher work in a second process, which terminal signals do not reach. If that breaks (joblib
gives all up where one of its workers is killed), it is started again and does what is not done.
"""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rnnexp import tracking
from rnnexp.runs.resume import runs_below
from rnnexp.runtime.device import gpu_count
from rnnexp.sweep.folder import SweepFolder, newest, signature
from rnnexp.sweep.launched import CALL, VARIABLE
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.progress import SweepProgress, progress
from rnnexp.sweep.ray_settings import ray_settings
from rnnexp.sweep.request import Request
from rnnexp.sweep.table import Ending, print_ending

_POLL = 0.25  # seconds
_GRACE = 3.0
_LAST_WORDS = 600


def supervise(request: Request, arguments: Sequence[str]) -> int:
    """Run a sweep to its end, print its table and return the exit code.

    0: every job finished, now or earlier, diverged ones too. 1: one failed or was killed. 128 + N: signal N.

    Args:
        request: The sweep.
        arguments: Of this program, which is started anew with them for the launcher.

    Raises:
        ArgumentError: The folder or the store cannot be used, or another process is at work on this sweep.
    """
    started = time.monotonic()
    folder = _folder(request)
    with folder.held(), _stopping(folder) as signals:
        folder.begin()
        folder.state.update(**_state(request), **signals.identity)
        parent = _parent(request, folder)
        with progress(request.costs(), request.workers or 1) as shown:
            broken = _launch(request, _command(request, arguments, folder), folder, shown)
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
            broken=broken,
        )
        print_ending(ending)
        _end(parent, request, ending)
    if signals.last:
        return 128 + signals.last
    counts = ending.counts()
    return int(counts["failed"] + counts["killed"] + counts["waiting"] > 0)


class _Signals:
    """SIGINT and SIGTERM as the wish that the sweep stop; each further one is more urgent."""

    def __init__(self, folder: SweepFolder):
        self._folder = folder
        self.last = 0
        self.identity = {"pid": os.getpid()}

    def receive(self, number: int, frame: object = None) -> None:
        self.last = number
        self._folder.stop(self._folder.stopping + 1)


@contextlib.contextmanager
def _stopping(folder: SweepFolder) -> Iterator[_Signals]:
    signals = _Signals(folder)
    found = {number: signal.signal(number, signals.receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield signals
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


def _launch(request: Request, command: Sequence[str], folder: SweepFolder, shown: SweepProgress) -> str:
    """Start the launcher until all is done, or it breaks without having done anything; say how it broke."""
    tries = 0
    while not folder.stopping:
        folder.remember_runs(runs_below(request.first.output_dir))
        log = folder.path / "launcher.txt"
        with log.open("wb") as file:
            code = _watch(_start(command, folder, file.fileno()), folder, shown)
        outcomes = folder.outcomes()
        ended = sum(outcome.ended for outcome in outcomes.values())
        if ended >= len(request.jobs) or folder.stopping:
            return ""
        before, tries = tries, sum(outcome.tries for outcome in outcomes.values())
        if tries == before:
            return f"it ended with code {code}: {_last_words(log)}"
    return ""


def _start(command: Sequence[str], folder: SweepFolder, output: int) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
        env=os.environ | {VARIABLE: str(folder.path), CALL: str(folder.call)},
    )


def _watch(launcher: subprocess.Popen, folder: SweepFolder, shown: SweepProgress) -> int:
    """Show the progress until the launcher ends; asked to stop, end what is left when no job is at work."""
    idle_since = time.monotonic()
    try:
        while launcher.poll() is None:
            outcomes = folder.outcomes()
            shown.update(outcomes)
            now = time.monotonic()
            if not folder.stopping or any(outcome.status == "RUNNING" for outcome in outcomes.values()):
                idle_since = now
            if now - idle_since > _GRACE:
                break
            time.sleep(_POLL)
    finally:
        # What is left of the session: workers of a launcher that broke, fork servers.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        code = launcher.wait()
    shown.update(folder.outcomes())
    return code


def _all(request: Request, folder: SweepFolder) -> list[Outcome]:
    """Return the outcomes of all jobs; one at work when all was ended by force was killed."""
    known = folder.outcomes()
    outcomes = [known.get(number, Outcome(number, jobs)) for number, jobs in enumerate(request.jobs)]
    return [outcome if outcome.ended else outcome.left(folder.stopping > 0) for outcome in outcomes]


def _last_words(log: Path) -> str:
    text = " ".join(log.read_text(encoding="utf-8", errors="replace").split())
    return text[-_LAST_WORDS:] or "it said nothing"


def _command(request: Request, arguments: Sequence[str], folder: SweepFolder) -> list[str]:
    """Return the command line of this program with what the configuration leaves open for Hydra.

    That comes first: what was typed has the last word.
    """
    path = str(folder.path.absolute()).replace("\\", "\\\\").replace("'", "\\'")
    # The environment of this process reaches workers on this machine, that of the jobs all of them.
    told = [f"hydra.sweep.dir='{path}'", f"+hydra.job.env_set.{CALL}='{folder.call}'"]
    if request.launcher == "joblib":
        told.append(f"hydra.launcher.n_jobs={request.workers}")
    if request.launcher == "ray":
        settings = request.first.config["launcher"]
        told += ray_settings(request.workers, settings["address"], settings["gpus"], gpu_count())
    interpreter = sys.orig_argv[1 : len(sys.orig_argv) - len(arguments)]
    return [sys.executable, *interpreter, *request.menu.flags, "-m", *told, *request.typed]
