"""A job whose process is at work: watched, told to stop where that is wished, judged when it has ended."""

import dataclasses
import os
import signal
import time

from rnnexp.runs.job import Job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import BAD, Outcome
from rnnexp.sweep.process import JobProcess, close_records
from rnnexp.tracking import Status

_BY_URGENCY = {1: signal.SIGINT, 2: signal.SIGTERM}
_INTERRUPTED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Underway:
    """A job at work.

    Args:
        folder: Of the sweep.
        outcome: What is known of the job.
        job: The job.
        process: Its process.
        started: When the worker began with it, as `time.monotonic` tells it.

    Attributes:
        folder: As above.
        ended: Whether its process has ended.
    """

    def __init__(self, folder: SweepFolder, outcome: Outcome, job: Job, process: JobProcess, started: float):
        self.folder = folder
        self._outcome = outcome
        self._job = job
        self._process = process
        self._started = started
        self._seconds: float | None = None
        self.ended = False
        self._parent = os.getppid()
        self._announced = False
        self._told = 0

    @property
    def finishing(self) -> bool:
        """Whether nothing is left of it but its figures and the end of its records."""
        return self._process.finishing

    def watch(self, seconds: float) -> Outcome | None:
        """Wait up to `seconds` for news; hand on the wish to stop, and this process' end.

        Returns:
            What became of the job; None where it is still at work.
        """
        code = self._process.wait(seconds)
        if code is None:
            self._look_after()
            return None
        self.ended = True
        try:
            outcome = self._judge(code)
        except Exception as error:  # of its records, which nobody else is to suffer from
            outcome = self._outcome.failed(error)
        seconds = self._so_far() if self._seconds is None else self._seconds
        return dataclasses.replace(outcome, seconds=seconds)

    def leave(self) -> None:
        """Stop its watch: what it takes from now on, it takes beside the next job."""
        self._seconds = self._so_far()

    def _so_far(self) -> float:
        return round(time.monotonic() - self._started, 3)

    def _look_after(self) -> None:
        if not self._announced and self._process.folder is not None:
            self.folder.record(self._running(self._process.folder))
            self._announced = True
        urgency = max(self.folder.stopping, int(os.getppid() != self._parent))
        if urgency > self._told:
            self._process.send(_BY_URGENCY.get(urgency, signal.SIGKILL))
            self._told = urgency

    def _running(self, run: RunFolder) -> Outcome:
        return dataclasses.replace(self._outcome, status="RUNNING", run_folder=str(run.path.absolute()))

    def _judge(self, code: int) -> Outcome:
        """Return what became of the job whose process ended with `code`."""
        status: Status = "FINISHED" if code == 0 else "KILLED" if _stopped(code) else "FAILED"
        note, run = self._process.error or _cause(code), self._process.folder
        if run is None:
            return dataclasses.replace(self._outcome, status=status, note=note)
        if run.state().get("status") == "RUNNING":
            close_records(self._job, run, status, note)
        outcome = self._running(run).of(run.state())
        return dataclasses.replace(outcome, status=status, note=note if status in BAD else "")


def _stopped(code: int) -> bool:
    return code < 0 or code in _INTERRUPTED


def _cause(code: int) -> str:
    if code == 0:
        return ""
    if not _stopped(code):
        return f"the process ended with code {code}"
    number = -code if code < 0 else code - 128
    name = signal.Signals(number).name
    hint = " (out of memory?)" if number == signal.SIGKILL else ""
    return f"stopped by {name}{hint}" if code > 0 else f"the process was ended by {name}{hint}"
