import functools
from pathlib import Path

import pytest
from jobs import jobs_of

from rnnexp.runs.resume import earlier, earlier_in_sweep, earlier_of, runs_below
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import MlflowTracker, ensure_store
from rnnexp.tracking.client import connect


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
def test_a_run_interrupted_before_a_checkpoint_keeps_its_folder(made, status):
    made("KILLED", checkpoint=True)
    newest = made(status)
    found = decided()
    assert (found.next, found.folder.path) == ("resume", newest.path.absolute())


def test_what_failed_goes_on_from_its_checkpoint(made):
    older = made("FAILED", checkpoint=True)
    made("FAILED")
    found = decided()
    assert (found.next, found.folder.path) == ("resume", older.path.absolute())


def test_what_a_process_is_at_work_on_is_left_to_it(made):
    folder = made("RUNNING", checkpoint=True)
    with folder.held():
        assert decided().next == "busy"
    assert decided().next == "resume"


def test_another_store_and_a_deleted_run_do_not_count(made, tracking_uri):
    tracker = MlflowTracker(tracking_uri, ensure_store(tracking_uri, "study"), "a")
    tracker.end("FINISHED")
    store = composed(f"tracking.uri={tracking_uri}")[0].tracking.store
    done = made("FINISHED", store=store)
    done.update(run_id=tracker.run_id)
    assert decided().next == "run"
    assert decided(tracking_uri).next == "skip"
    connect(tracking_uri).delete_run(tracker.run_id)
    assert decided(tracking_uri).next == "run"
    done.update(status="KILLED")
    assert decided(tracking_uri).next == "run"


@functools.cache
def composed(*overrides):
    return jobs_of(overrides or ["tracking=none"])


def left(status, seed=0, checkpoint=False, store="none"):
    """Leave a run of that seed."""
    folder = RunFolder.create(Path("outputs"), f"s{seed}")
    job = composed("tracking=none", f"seed={seed}")[0]
    folder.update(status=status, config_hash=job.config_hash, store=store)
    if checkpoint:
        folder.checkpoint.touch()
    return folder


def found(*overrides):
    """What a command does with each of its seeds: the word, and the name of the folder."""
    typed = ("tracking=none", *(overrides or ["replicas=2", "resume=true"]))
    return [
        (run.next, None if run.folder is None else run.folder.path.name)
        for run in earlier_of(composed(*typed))
    ]


@pytest.mark.parametrize("command", [["seed=0"], ["replicas=2"]])
def test_outside_a_sweep_only_resume_looks_back(command):
    left("KILLED", checkpoint=True)
    for resume in ("resume=false", "resume=null"):
        assert {word for word, _ in found(*command, resume)} == {"run"}
    assert found(*command, "resume=true")[0][0] == "resume"


def test_in_a_sweep_only_resume_false_does_not():
    done = left("FINISHED")
    for resume, word in (("null", "skip"), ("true", "skip"), ("false", "run")):
        (job,) = composed("tracking=none", f"resume={resume}")
        assert earlier_in_sweep(job, [done]).next == word


def test_where_none_is_left_unfinished_all_begin_anew():
    assert found() == [("run", None)] * 2
    for seed in (0, 1):
        left("FINISHED", seed)
    assert found() == [("run", None)] * 2
    assert found("seed=0", "resume=true") == [("run", None)]


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_the_interrupted_go_on_and_the_finished_are_left_alone(status, checkpoint):
    left("KILLED", checkpoint=True)
    finished, interrupted = left("FINISHED"), left(status, 1, checkpoint)
    assert found() == [("skip", finished.path.name), ("resume", interrupted.path.name)]
    assert found("seed=1", "resume=true") == [("resume", interrupted.path.name)]


def test_one_that_failed_goes_on_from_the_newest_checkpoint():
    older = left("KILLED", checkpoint=True)
    left("FAILED")
    newest = left("FAILED", 1, checkpoint=True)
    assert found() == [("resume", older.path.name), ("resume", newest.path.name)]


def test_one_that_was_interrupted_in_another_store_is_refused():
    left("KILLED", store="sqlite:///mlflow.db")
    with pytest.raises(ArgumentError, match="tracking: expected sqlite:///mlflow.db, where the run"):
        found("seed=0", "resume=true")
    interrupted = left("KILLED", 1)
    assert found() == [("run", None), ("resume", interrupted.path.name)]


DAMAGED = [b"[1]", b"\xff\xfe", b"{}", b'{"config_hash": ["h"]}', b'{"config_hash": "h"}']


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_state_is_no_run_and_hides_none(made, content):
    kept = made("FINISHED")
    (made("FINISHED").path / "run.json").write_bytes(content)
    found = earlier([RunFolder(Path(path)) for path in runs_below(Path("outputs"))["h"]], None)
    assert found.next == "skip"
    assert found.folder is not None
    assert found.folder.path == kept.path.absolute()
