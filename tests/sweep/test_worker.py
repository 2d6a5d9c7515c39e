"""Decisions and what is written down, with a stand-in for the process of a job."""

from pathlib import Path

import pytest
from job_process import JobProcess

from rnnexp.runs import build
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweep import left, underway
from rnnexp.sweep import worker as module
from rnnexp.sweep.folder import SweepFolder
from rnnexp.sweep.outcome import Outcome
from rnnexp.sweep.worker import do_job


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


@pytest.fixture
def ends(monkeypatch):
    """Let the job's process end that way."""
    monkeypatch.setattr(module, "limit_threads", lambda workers: None)
    monkeypatch.setattr(module, "gpu_count", lambda: 0)
    monkeypatch.setattr(underway, "close_records", lambda *arguments: None)
    monkeypatch.setattr(module, "_POLL", 0.001)

    def set_(**values):
        kind = type("Stand", (JobProcess,), values)
        monkeypatch.setattr(module, "JobProcess", kind)
        return kind

    set_()
    return set_


def make(membership, *more):
    return build.make_job(
        config := build.compose(["tracking=none", "seed=3", *more]),
        config.hydra.runtime.choices,
        ["seed=3"],
        membership,
    )


def done(folder, *more, number=0):
    return do_job(folder, number, ["seed=3"], lambda membership: make(membership, *more))


def test_a_job_that_ends_well(folder, ends, tmp_path):
    folder.state.update(run_id="parent", cwd=str(tmp_path / "there"), workers=1)
    kind = ends()
    outcome = done(folder)
    assert (outcome.status, outcome.learning, outcome.gradient, outcome.note) == (
        *("FINISHED", "solved", "stable", ""),
    )
    assert (outcome.name, outcome.run_id, outcome.tries) == ("tanh-T100-s3", "r", 1)
    assert outcome.seconds > 0
    assert folder.outcome(0) == outcome
    assert kind.job.sweep == (folder.id, folder.path.absolute(), "parent")
    assert kind.job.output_dir == tmp_path / "there" / "outputs"
    assert Path(outcome.run_folder).is_relative_to(tmp_path / "there")


def test_a_job_that_cannot_be_made_does_not_take_the_worker_down(folder, ends):
    def refuse(membership):
        raise ArgumentError("units", "3", 4)

    def break_(membership):
        raise OSError("gone")

    first, second = do_job(folder, 0, [], refuse), do_job(folder, 1, [], break_)
    assert first is not None
    assert second is not None
    assert (first.status, first.note) == ("FAILED", "units: expected 3, received 4")
    assert (second.status, second.note) == ("FAILED", "OSError: gone")


def test_what_finished_is_skipped_and_false_forces(folder, ends):
    first = done(folder)
    folder.begin()
    again = done(folder)
    assert (again.status, again.run_folder, again.learning) == ("SKIPPED", first.run_folder, "solved")
    assert again.note == ""
    folder.begin()
    forced = done(folder, "resume=false")
    assert forced.status == "FINISHED"
    assert forced.run_folder != first.run_folder


def test_what_was_interrupted_goes_on(folder, ends):
    ends(code=130, status="KILLED")
    first = done(folder)
    RunFolder(Path(first.run_folder)).checkpoint.touch()
    folder.begin()
    kind = ends()
    again = done(folder)
    assert (again.status, again.resumed, again.run_folder) == ("FINISHED", True, first.run_folder)
    assert kind.found.path.absolute() == Path(first.run_folder)


def test_what_another_process_is_at_work_on_is_left_to_it(folder, ends):
    ends(status="RUNNING", code=130)
    first = done(folder)
    folder.begin()
    with RunFolder(Path(first.run_folder)).held():
        again = done(folder)
    assert (again.status, again.note) == ("SKIPPED", "another process is at work on it")


def test_what_this_attempt_has_ended_is_not_done_again(folder, ends):
    ends(code=1, error="why", status="FAILED")
    assert done(folder) is not None
    assert done(folder) is None


def test_a_job_whose_worker_was_killed_is_tried_once_more(folder, ends):
    folder.record(Outcome(0, ("seed=3",), "RUNNING", tries=1))
    again = done(folder)
    assert (again.status, again.tries) == ("FINISHED", 2)
    folder.record(Outcome(1, ("seed=3",), "RUNNING", tries=2))
    last = done(folder, number=1)
    assert (last.status, last.note) == ("KILLED", "the process of its worker was killed")


def test_asked_to_stop_it_begins_nothing(folder, ends):
    folder.stop(1)
    assert done(folder) is None
    assert folder.outcomes() == {}


def test_each_job_has_its_gpu(folder, ends, monkeypatch):
    seen = []

    class Noting(JobProcess):
        def __init__(self, job, found, console, environ):
            seen.append(environ)
            super().__init__(job, found, console, environ)

    monkeypatch.setattr(module, "JobProcess", Noting)
    monkeypatch.setattr(module, "gpu_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    folder.state.update(workers=2)
    with folder.slot(2):
        done(folder)
    assert seen == [{"CUDA_VISIBLE_DEVICES": "1"}]


@pytest.mark.parametrize(
    ("state", "workers", "limited"),
    [
        ({}, 1, [1]),
        ({"launcher": "joblib", "workers": 3}, 3, [3]),
        ({"launcher": "ray", "workers": None}, 16, [16]),  # a cluster: a job for each core of the node
        ({"launcher": "submitit", "workers": 64}, 64, []),  # what Slurm gives to the job is the job's alone
    ],
)
def test_the_cores_of_a_machine_are_shared_by_its_workers(monkeypatch, state, workers, limited):
    told: list[int] = []
    monkeypatch.setattr(module, "cores", lambda: 16)
    monkeypatch.setattr(module, "limit_threads", told.append)
    assert module._workers_here(state) == workers
    assert told == limited


@pytest.fixture
def leaves(ends):
    """Let the job's process have only its figures to wait for, from its first moment on, and be left."""

    def set_(**values):
        return ends(**{"finishing": True, "waits": 10} | values)

    set_()
    with left.one_may_be_left():
        yield set_


def settle():
    place = left.place()
    assert place is not None
    place.settle()


def test_one_that_waits_for_its_figures_is_left(folder, leaves):
    assert done(folder, number=0) is None
    assert folder.outcome(0).status == "RUNNING"
    leaves(waits=20)
    assert done(folder, "units=5", number=1) is None
    first = folder.outcome(0)
    assert (first.status, first.learning, first.tries) == ("FINISHED", "solved", 1)
    assert folder.outcome(1).status == "RUNNING"
    settle()
    assert folder.outcome(1).status == "FINISHED"


def test_no_more_than_one_is_left(folder, leaves):
    leaves(waits=50)
    assert done(folder, number=0) is None
    leaves(waits=10)
    assert done(folder, "units=5", number=1).status == "FINISHED"
    assert folder.outcome(0).status == "RUNNING"


def test_on_a_gpu_a_job_is_waited_for(folder, leaves, monkeypatch):
    monkeypatch.setattr(module, "gpu_count", lambda: 1)
    assert done(folder).status == "FINISHED"


def test_where_nobody_would_wait_for_it_a_job_is_not_left(folder, ends):
    folder.state.update(launcher="basic", workers=1)
    ends(finishing=True, waits=10)
    assert done(folder).status == "FINISHED"


def test_one_that_was_left_may_end_badly(folder, leaves):
    leaves(code=1, error="OSError: gone", status="FAILED")
    assert done(folder, number=0) is None
    leaves(waits=0)
    assert done(folder, "units=5", number=1).status == "FINISHED"
    settle()
    assert (folder.outcome(0).status, folder.outcome(0).note) == ("FAILED", "OSError: gone")


def test_the_same_configuration_again_is_skipped_when_the_job_that_was_left_has_ended(folder, ends, leaves):
    ends(code=130, status="KILLED")
    RunFolder(Path(done(folder).run_folder)).checkpoint.touch()
    folder.begin()
    leaves(waits=30)
    assert done(folder, number=0) is None  # going on with the run, which it holds
    again = done(folder, number=1)
    assert (again.status, again.note, again.learning) == ("SKIPPED", "", "solved")
    assert folder.outcome(0).status == "FINISHED"
    assert again.run_folder == folder.outcome(0).run_folder
