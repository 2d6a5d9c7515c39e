"""What becomes of a job, with a stand-in for its process."""

import signal
import time
from pathlib import Path

import pytest
from job_process import JobProcess

from rnnexp.runs import build
from rnnexp.sweep import underway as module
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.underway import Underway


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


@pytest.fixture
def closed(monkeypatch):
    """The runs whose records were closed, and how."""
    calls: list[tuple] = []
    monkeypatch.setattr(
        module, "close_records", lambda job, run, *how: calls.append((run.path.absolute(), *how))
    )
    return calls


@pytest.fixture
def begin(folder):
    """Begin a job whose process ends that way."""

    def begun(**values):
        job = build.compose_job(["tracking=none", "seed=3"])
        process = type("Stand", (JobProcess,), values)(job, None, folder.console(0), {})
        return Underway(folder, Outcome(0, ("seed=3",)), job, process, time.monotonic() - 1), process

    return begun


def ended(at_work):
    for _ in range(100):
        outcome = at_work.watch(0.001)
        if outcome is not None:
            return outcome
    raise AssertionError("it does not end")


def test_until_it_has_ended_its_folder_is_known_and_no_more(folder, begin):
    at_work, process = begin(waits=3)
    assert at_work.watch(0.001) is None
    running = folder.outcome(0)
    assert (running.status, running.run_folder) == ("RUNNING", str(process.folder.path.absolute()))
    outcome = ended(at_work)
    assert (outcome.status, outcome.learning, outcome.run_id) == ("FINISHED", "solved", "r")
    assert outcome.seconds >= 1
    assert folder.outcome(0) == running


@pytest.mark.parametrize("finishing", [True, False])
def test_it_tells_whether_only_its_figures_are_left(begin, finishing):
    assert begin(finishing=finishing)[0].finishing is finishing


FAULTS = [
    ({"code": 1, "error": "OSError: gone", "status": "FAILED"}, "FAILED", "OSError: gone"),
    ({"code": 1, "error": "OSError: gone", "opens": False}, "FAILED", "OSError: gone"),
    ({"code": 3, "status": "FAILED"}, "FAILED", "the process ended with code 3"),
    ({"code": -9, "opens": False}, "KILLED", "the process was ended by SIGKILL (out of memory?)"),
    ({"code": -11, "opens": False}, "KILLED", "the process was ended by SIGSEGV"),
    ({"code": 143, "status": "KILLED"}, "KILLED", "stopped by SIGTERM"),
]


@pytest.mark.parametrize(("how", "status", "note"), FAULTS)
def test_one_that_ends_badly_is_an_outcome_too(begin, closed, how, status, note):
    outcome = ended(begin(**how)[0])
    assert (outcome.status, outcome.note, outcome.learning) == (status, note, None)
    assert not closed


def test_the_records_of_a_killed_process_are_closed_for_it(begin, closed):
    outcome = ended(begin(code=-9, status="RUNNING")[0])
    note = "the process was ended by SIGKILL (out of memory?)"
    assert closed == [(Path(outcome.run_folder), "KILLED", note)]


def test_records_that_cannot_be_closed_are_its_failure(begin, monkeypatch):
    def refuse(*arguments):
        raise OSError("disk full")

    monkeypatch.setattr(module, "close_records", refuse)
    outcome = ended(begin(code=-9, status="RUNNING")[0])
    assert (outcome.status, outcome.note) == ("FAILED", "OSError: disk full")
    assert outcome.seconds >= 1


@pytest.mark.parametrize(
    ("urgency", "number"), [(1, signal.SIGINT), (2, signal.SIGTERM), (3, signal.SIGKILL)]
)
def test_the_wish_to_stop_reaches_it_once(folder, begin, urgency, number):
    at_work, process = begin(code=128 + signal.SIGINT, status="KILLED", obeys=number)
    assert at_work.watch(0.001) is None
    folder.stop(urgency)
    assert ended(at_work).status == "KILLED"
    assert process.received == [number]


def test_it_stops_where_its_worker_s_parent_is_gone(begin, monkeypatch):
    at_work, process = begin(code=128 + signal.SIGINT, status="KILLED", obeys=signal.SIGINT)
    monkeypatch.setattr(module.os, "getppid", lambda: 1)
    assert ended(at_work).note == "stopped by SIGINT"
    assert process.received == [signal.SIGINT]


def test_a_run_that_was_never_opened_has_no_folder(begin):
    at_work, process = begin(opens=False)
    assert process.folder is None
    assert ended(at_work).run_folder is None
