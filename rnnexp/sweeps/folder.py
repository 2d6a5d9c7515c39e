"""The folder of a sweep: its command, the outcomes of its jobs, and the request to stop."""

import contextlib
import datetime
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rnnexp.runs.resume import runs_below, runs_of
from rnnexp.runs.run_folder import RunFolder, can_be_written
from rnnexp.runtime import lock
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.secrets import clean_all
from rnnexp.sweeps.outcome import Outcome
from rnnexp.sweeps.request import Request

_STATE = "sweep.json"
_TABLE = "jobs.json"
_RUNS = "earlier.json"
_PATIENCE = 60.0  # seconds for jobs of earlier calls to stop: each finishes the training steps under way
_POLL = 0.1


class SweepFolder:
    """`sweep.json` (command, store, parent run), `jobs/` (a file and the console of each job), `jobs.json`.

    The processes of a sweep, on one machine or on several that share the folder, communicate through it.

    The same sweep can be called again after an interruption. Jobs of an earlier call that was killed may
    still be running: in their processes `stopping` becomes true when a later call begins.

    Args:
        path: The folder.
        call: The call that this process works for; None where nobody supervises the sweep.

    Attributes:
        path: The folder; its name is the sweep's id.
        call: As above.
    """

    def __init__(self, path: Path, call: str | None = None):
        self.path = path
        self.call = call
        self.state = StateFile(path / _STATE)

    @classmethod
    def create(cls, root: Path) -> "SweepFolder":
        """Make `root`/sweeps/<date and time with microseconds>.

        Raises:
            ArgumentError: It cannot be made.
        """
        path = root / "sweeps" / f"{datetime.datetime.now():%Y-%m-%d_%H-%M-%S-%f}"
        with can_be_written(root):
            path.mkdir(parents=True)
        return cls(path)

    @property
    def id(self) -> str:
        """The id that its runs share."""
        return self.path.name

    def held(self) -> contextlib.AbstractContextManager[None]:
        """Hold the folder against a second sweep.

        Raises:
            ArgumentError: Another process holds it.
        """
        expected = "a sweep that no other process is at work on (resume=false begins another)"
        return lock.held(self.path / "sweep.lock", ArgumentError("sweep", expected, str(self.path)))

    def begin(self) -> None:
        """Begin a call: stop the jobs of earlier calls, wait for them, and delete all outcomes.

        Raises:
            ArgumentError: A job of an earlier call does not end.
        """
        self.call = f"{datetime.datetime.now():%Y%m%d%H%M%S%f}"
        self.state.update(call=self.call)
        self._wait_for_workers()
        self._jobs.mkdir(exist_ok=True)
        for path in [*self._jobs.iterdir(), *self.path.glob("stop-*")]:
            path.unlink()

    def worker(self) -> contextlib.AbstractContextManager[None]:
        """Hold a lock while a job runs; the next call of the sweep waits until it is released."""
        return lock.shared(self._workers)

    @property
    def at_work(self) -> bool:
        """Whether a job of any call is at work."""
        try:
            with lock.held(self._workers):
                return False
        except BlockingIOError:
            return True

    def _wait_for_workers(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while self.at_work:
            if time.monotonic() > deadline:
                expected = f"one whose earlier jobs have ended, which they have not in {_PATIENCE:g} s"
                raise ArgumentError("sweep", expected, str(self.path))
            time.sleep(_POLL)

    def remember_runs(self, runs: Mapping[str, Sequence[str]]) -> None:
        """Store the folders of all earlier runs by `config_hash`, so that no job has to search for them."""
        StateFile(self.path / _RUNS).write({"runs": dict(runs)})

    def runs_of(self, hashes: Sequence[str], root: Path) -> list[RunFolder]:
        """Return the earlier runs of a configuration, the newest first: stored, or found below `root`."""
        stored = StateFile(self.path / _RUNS).read()
        runs = stored["runs"] if stored else runs_below(root)
        return runs_of(hashes, runs)

    def outcome(self, number: int) -> Outcome | None:
        """Return what is known of a job; None before it begins."""
        values = StateFile(self._job(number)).read()
        return Outcome.from_dict(values) if values else None

    def record(self, outcome: Outcome) -> None:
        """Write what is known of a job."""
        self._jobs.mkdir(exist_ok=True)
        StateFile(self._job(outcome.number)).write(outcome._asdict())

    def outcomes(self) -> dict[int, Outcome]:
        """Return what is known of every job that has begun, by its number."""
        found = (self.outcome(int(path.stem)) for path in sorted(self._jobs.glob("*.json")))
        return {outcome.number: outcome for outcome in found if outcome is not None}

    def console(self, number: int) -> Path:
        """Where a job's process writes what a run alone would show on the terminal."""
        return self._jobs / f"{number:04d}.txt"

    def stop(self, urgency: int) -> None:
        """Ask all processes of the sweep to stop; `urgency` counts the requests so far."""
        # Unbuffered: a second signal may interrupt this write, and the first must not be written after it.
        with self._stop.open("wb", buffering=0) as file:
            file.write(str(urgency).encode())

    @property
    def stopping(self) -> int:
        """How often the sweep was asked to stop; at least 1 if a later call has begun."""
        try:
            return int(self._stop.read_text(encoding="utf-8") or 1)
        except FileNotFoundError:
            return int(self.call is not None and self.state.read().get("call") != self.call)

    def save_table(self, outcomes: Sequence[Outcome]) -> Path:
        """Write all outcomes into one file, in the order of the jobs; return its path."""
        path = self.path / _TABLE
        text = json.dumps(clean_all([outcome._asdict() for outcome in outcomes]), indent=1) + "\n"
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def _jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def _stop(self) -> Path:
        return self.path / f"stop-{self.call or 0}"

    @property
    def _workers(self) -> Path:
        return self.path / "workers.lock"

    def _job(self, number: int) -> Path:
        return self._jobs / f"{number:04d}.json"


def earlier(request: Request) -> SweepFolder | None:
    """Return the folder that a sweep names, else that of its newest call; None where there is none."""
    if request.folder is not None:
        return SweepFolder(Path(request.folder))
    return newest(request.first.output_dir, request.signature)


def newest(root: Path, signature: str) -> SweepFolder | None:
    """Return the newest sweep below `root` with that signature."""
    for path in sorted(root.glob(f"sweeps/*/{_STATE}"), reverse=True):
        folder = SweepFolder(path.parent)
        if folder.state.read().get("signature") == signature:
            return folder
    return None
