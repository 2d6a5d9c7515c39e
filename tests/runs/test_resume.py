from pathlib import Path

import pytest

from rnnexp.runs import resume as module
from rnnexp.runs.resume import earlier, runs_below
from rnnexp.runs.run_folder import RunFolder


@pytest.fixture
def made():
    """Make a run folder with a state; the first made is the oldest."""

    def make(status, config_hash="h", store="none", checkpoint=False):
        folder = RunFolder.create(Path("outputs"), "a")
        folder.update(status=status, config_hash=config_hash, store=store, run_id="r")
        if checkpoint:
            folder.checkpoint.touch()
        return folder

    return make


def decided(uri=None):
    return earlier([RunFolder(Path(path)) for path in runs_below(Path("outputs")).get("h", [])], uri)


def test_nothing_is_known_at_first(made):
    made("FINISHED", config_hash="other")
    assert decided() == ("run", None)


def test_what_finished_is_skipped_whatever_came_later(made):
    done = made("FINISHED")
    made("FAILED")
    found = decided()
    assert (found.next, found.folder.path) == ("skip", done.path.absolute())


@pytest.mark.parametrize("status", ["KILLED", "RUNNING"])
def test_what_was_interrupted_goes_on_from_its_checkpoint(made, status):
    made("KILLED", checkpoint=True)
    newest = made(status, checkpoint=True)
    found = decided()
    assert (found.next, found.folder.path) == ("resume", newest.path.absolute())


@pytest.mark.parametrize("status", ["KILLED", "RUNNING"])
def test_what_was_interrupted_before_its_first_checkpoint_has_no_second_folder(made, status):
    made("KILLED", checkpoint=True)
    newest = made(status)
    found = decided()
    assert (found.next, found.folder.path) == ("resume", newest.path.absolute())


def test_what_failed_begins_anew_in_spite_of_a_checkpoint(made):
    made("FAILED", checkpoint=True)
    assert decided().next == "run"


def test_what_a_process_is_at_work_on_is_left_to_it(made):
    folder = made("RUNNING", checkpoint=True)
    with folder.held():
        assert decided().next == "busy"
    assert decided().next == "resume"


def test_another_store_does_not_count(made, monkeypatch):
    monkeypatch.setattr(module, "is_known", lambda uri, run_id: True)
    made("FINISHED", store="http://host:1")
    assert decided().next == "run"
    assert decided("http://ann:secret@host:1").next == "skip"


def test_a_run_that_the_store_has_lost_is_run_again(made, monkeypatch):
    monkeypatch.setattr(module, "is_known", lambda uri, run_id: run_id != "r")
    made("FINISHED", store="http://host:1")
    assert decided("http://host:1").next == "run"
