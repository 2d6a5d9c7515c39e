import time
from pathlib import Path

import pytest
from job_process import JobProcess

from rnnexp.runs import build
from rnnexp.runtime import lock
from rnnexp.sweep import left as module
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.left import one_may_be_left, place
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.underway import Underway


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


@pytest.fixture
def begin(folder, monkeypatch):
    monkeypatch.setattr(module, "_POLL", 0.001)

    def begun(started=0.0, **values):
        job = build.compose_job(["tracking=none", "seed=3"])
        process = type("Stand", (JobProcess,), {"waits": 5} | values)(job, None, folder.console(0), {})
        return Underway(folder, Outcome(0, ("seed=3",)), job, process, time.monotonic() - started)

    return begun


def here():
    found = place()
    assert found is not None
    return found


def others_may_begin(folder):
    try:
        with lock.held(folder.path / "workers.lock"):
            return True
    except BlockingIOError:
        return False


def test_there_is_a_place_where_somebody_waits_for_it_and_nowhere_else(folder, begin):
    assert place() is None
    with one_may_be_left():
        here().leave(begin())
        assert folder.outcome(0) is None
    assert folder.outcome(0).status == "FINISHED"
    assert place() is None


def test_it_is_waited_for_where_what_is_done_inside_raises(folder, begin):
    with pytest.raises(ZeroDivisionError), one_may_be_left():
        here().leave(begin())
        raise ZeroDivisionError
    assert folder.outcome(0).status == "FINISHED"


def test_it_is_at_work_for_the_sweep_until_its_outcome_is_written(folder, begin, monkeypatch):
    record, free = folder.record, []

    def noted(outcome):
        free.append(others_may_begin(folder))
        record(outcome)

    monkeypatch.setattr(folder, "record", noted)
    with one_may_be_left():
        here().leave(begin())
        assert not others_may_begin(folder)
    assert set(free) == {False}
    assert others_may_begin(folder)


def test_its_time_is_that_until_it_was_left(folder, begin):
    with one_may_be_left():
        here().leave(begin(started=5.0))
        time.sleep(0.2)
    assert 5.0 <= folder.outcome(0).seconds < 5.15


def test_what_cannot_be_written_down_is_tried_again_while_it_is_at_work_and_then_given_up(
    folder, begin, monkeypatch, caplog
):
    def refuse(outcome):
        raise OSError("disk full")

    monkeypatch.setattr(folder, "record", refuse)
    with one_may_be_left():
        here().leave(begin())
        here().look()
        assert not here().free
    assert "disk full" in caplog.text
    assert place() is None
