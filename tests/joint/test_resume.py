from pathlib import Path

import pytest

from rnnexp.joint.resume import begun
from rnnexp.runs import build
from rnnexp.runs.run_folder import RunFolder

SEEDS = (0, 1)


def jobs(*overrides):
    return build.compose_jobs(["tracking=none", "replicas=2", *overrides])


def left(seed, status, checkpoint=False, store="none"):
    """Leave a run of that seed."""
    folder = RunFolder.create(Path("outputs"), f"s{seed}")
    folder.update(status=status, config_hash=jobs()[seed].config_hash, store=store)
    if checkpoint:
        folder.checkpoint.touch()
    return folder


def found(*overrides):
    """What becomes of each seed: the name of its folder and whether it has finished, or None."""
    runs = begun(jobs(*overrides or ["resume=true"]))
    return [None if run is None else (run.folder.path.name, run.finished) for run in runs]


def test_nothing_is_looked_for_unless_that_is_asked():
    left(0, "KILLED", checkpoint=True)
    assert found("resume=false") == found("resume=null") == [None, None]


def test_where_nothing_is_left_unfinished_all_begin_anew():
    assert found() == [None, None]
    for seed in SEEDS:
        left(seed, "FINISHED")
    assert found() == [None, None]


@pytest.mark.parametrize("status", ["RUNNING", "KILLED"])
@pytest.mark.parametrize("checkpoint", [False, True])
def test_one_that_was_interrupted_goes_on_and_one_that_has_finished_is_left_alone(status, checkpoint):
    left(0, "KILLED", checkpoint=True)
    finished, interrupted = left(0, "FINISHED"), left(1, status, checkpoint)
    assert found() == [(finished.path.name, True), (interrupted.path.name, False)]


def test_one_that_failed_goes_on_from_the_newest_checkpoint_that_there_is():
    older = left(0, "KILLED", checkpoint=True)
    left(0, "FAILED")
    newest = left(1, "FAILED", checkpoint=True)
    assert found() == [(older.path.name, False), (newest.path.name, False)]


def test_one_that_has_finished_in_another_store_is_run_here():
    left(0, "FINISHED", store="sqlite:///mlflow.db")
    interrupted = left(1, "KILLED")
    assert found() == [None, (interrupted.path.name, False)]
