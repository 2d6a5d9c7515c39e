import re
import threading
import time
from pathlib import Path

import pytest

from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps import folder as module
from rnnexp.sweeps.folder import SweepFolder, newest
from rnnexp.sweeps.outcome import Outcome


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


def test_the_path_is_date_and_time(folder):
    assert re.fullmatch(r"outputs/sweeps/\d{4}-\d\d-\d\d_\d\d-\d\d-\d\d-\d{6}", str(folder.path))
    assert folder.id == folder.path.name


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="output_dir: expected a folder that can be written"):
        SweepFolder.create(tmp_path / "file")


def test_outcomes_are_kept_until_the_next_attempt(folder):
    assert folder.outcomes() == {}
    first, second = Outcome(0, ("a=1",)), Outcome(11, ("a=2",), "FAILED")
    folder.record(second)
    folder.record(first)
    assert folder.outcomes() == {0: first, 11: second}
    assert folder.outcome(5) is None
    folder.begin()
    assert folder.outcomes() == {}


def test_the_wish_to_stop_counts_and_ends_with_the_attempt(folder):
    assert folder.stopping == 0
    folder.stop(2)
    assert folder.stopping == 2
    folder.begin()
    assert folder.stopping == 0


def test_jobs_of_an_earlier_call_stop_and_stop_no_other(folder):
    folder.begin()
    earlier = SweepFolder(folder.path, folder.call)
    assert earlier.stopping == 0
    folder.begin()
    assert (earlier.stopping, folder.stopping) == (1, 0)
    earlier.stop(2)
    assert (earlier.stopping, folder.stopping) == (2, 0)


def test_a_call_waits_for_the_jobs_of_those_before_it(folder):
    folder.begin()
    earlier = SweepFolder(folder.path, folder.call)
    seen: list[bool] = []

    def work():
        with earlier.worker():
            at_work.set()
            while not earlier.stopping:
                time.sleep(0.01)
            seen.append(started.is_set())
            earlier.record(Outcome(3, (), "KILLED"))

    at_work, started = threading.Event(), threading.Event()
    thread = threading.Thread(target=work)
    thread.start()
    assert at_work.wait(30)
    folder.begin()
    started.set()
    thread.join(30)
    assert seen == [False]
    assert folder.outcomes() == {}


def test_a_call_does_not_wait_for_ever(folder, monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.3)
    with folder.worker(), pytest.raises(ArgumentError, match=r"sweep: expected one whose earlier jobs have"):
        folder.begin()


def test_two_sweeps_do_not_hold_one_folder(folder):
    with (
        folder.held(),
        pytest.raises(ArgumentError, match="sweep: expected a sweep that no other process is at work on"),
        SweepFolder(folder.path).held(),
    ):
        pytest.fail("held twice")
    with folder.held():
        pass


def test_a_remembered_list_of_runs_spares_the_search(folder):
    run = RunFolder.create(Path("outputs"), "a")
    run.update(config_hash="h")
    assert [found.path for found in folder.runs_of(["h"], Path("outputs"))] == [run.path.absolute()]
    folder.remember_runs({})
    assert folder.runs_of(["h"], Path("outputs")) == []
    folder.remember_runs({"h": ["some/where"]})
    assert [found.path for found in folder.runs_of(["h"], Path("outputs"))] == [Path("some/where")]


def test_the_newest_of_its_kind_is_found():
    assert newest(Path("outputs"), "s") is None
    for kind in ("s", "s", "t"):
        made = SweepFolder.create(Path("outputs"))
        made.state.update(signature=kind)
        if kind == "s":
            expected = made.path
    found = newest(Path("outputs"), "s")
    assert found is not None
    assert found.path == expected
