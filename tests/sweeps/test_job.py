"""One job of a sweep: what is decided, what becomes of it, and what is written down."""

import dataclasses
from pathlib import Path

import pytest
from jobs import job_of

from rnnexp.runs.composition import compose
from rnnexp.runs.job import Membership
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.sweeps.folder import SweepFolder
from rnnexp.sweeps.job import close_records, do_job, member, name_in_sweep
from rnnexp.sweeps.outcome import NOT_SENT, Outcome
from rnnexp.tracking import mlflow_tracker
from rnnexp.tracking.client import connect

TINY = (
    *("seq_len=5", "units=4", "batch_size=4", "steps=2", "jit=false", "probe.bootstrap=100", "seed=3"),
    *("tracking.model=false", "figures.format=none"),
)


@pytest.fixture
def folder():
    return SweepFolder.create(Path("outputs"))


def made(folder, *more):
    job = job_of(["tracking=none", *TINY, *more])
    return dataclasses.replace(job, sweep=Membership(folder.id, folder.path, None))


def test_a_job_is_named_by_what_the_sweep_varies(folder):
    job = made(folder, "init.gain=0.9", "clip=norm")
    assert name_in_sweep(job, ["init.gain"]) == "tanh-T5-gain0.9-s3"
    assert name_in_sweep(job, None) == job.name
    named = made(folder, "name=mine")
    assert name_in_sweep(named, ["seed"]) == "mine"


def done(folder, *more, number=0):
    do_job(folder, number, ["seed=3"], lambda: made(folder, *more))
    return folder.outcome(number)


def run_of(folder, **state):
    """Make the folder of an earlier run of the job."""
    run = RunFolder.create(Path("outputs"), "earlier")
    run.update(config_hash=made(folder).config_hash, store="none", **state)
    return run


def test_a_job_is_done_once_and_again_where_that_is_asked_for(folder):
    first = done(folder)
    assert (first.status, first.tries, first.note, first.resumed) == ("FINISHED", 1, "", False)
    assert first.learning is not None
    assert done(folder) == first

    folder.begin()
    left = RunFolder(Path(first.run_folder)).checkpoint
    left.touch()  # as by a kill at the very end of a run
    second = done(folder)
    assert not left.exists()
    assert (second.status, second.run_folder, second.learning) == (
        "SKIPPED",
        first.run_folder,
        first.learning,
    )

    folder.begin()
    forced = done(folder, "resume=false")
    assert forced.status == "FINISHED"
    assert forced.run_folder != first.run_folder


def test_a_job_at_work_elsewhere_is_left_alone(folder):
    run = run_of(folder, status="RUNNING")
    with run.held():
        outcome = done(folder)
    assert (outcome.status, outcome.note) == ("SKIPPED", "another process is at work on it")
    assert outcome.run_folder == str(run.path.absolute())


def test_an_interrupted_job_goes_on_in_its_folder(folder):
    run = run_of(folder, status="KILLED")
    outcome = done(folder)
    assert (outcome.status, outcome.run_folder) == ("FINISHED", str(run.path.absolute()))
    assert run.state()["status"] == "FINISHED"


@pytest.mark.parametrize(
    ("error", "note"),
    [
        (ArgumentError("units", "3", 4), "units: expected 3, received 4"),
        (OSError("no\nroom"), "OSError: no room"),
    ],
)
def test_a_job_that_cannot_be_made_has_failed(folder, capsys, error, note):
    def refuse():
        raise error

    do_job(folder, 1, ["seed=3"], refuse)
    outcome = folder.outcome(1)
    assert (outcome.status, outcome.note) == ("FAILED", note)
    assert "Traceback" in capsys.readouterr().err


def test_a_job_begins_without_its_server(folder):
    nobody = "http://127.0.0.1:9"
    config = compose([*TINY, f"tracking.uri={nobody}"])
    assert member(folder, config, config.hydra).tracking.uri == nobody


def test_asked_to_stop_it_begins_nothing(folder):
    folder.stop(1)
    assert done(folder) is None


def test_a_job_whose_process_is_killed_again_is_given_up(folder):
    folder.record(Outcome(0, ("seed=3",), "RUNNING", tries=2))
    outcome = done(folder)
    assert (outcome.status, outcome.note) == ("KILLED", "its process was killed 2 times")


def test_records_of_a_lost_process_are_closed(folder):
    run = run_of(folder, status="RUNNING")
    open_one = Outcome(0, (), "RUNNING", run_folder=str(run.path))
    close_records(folder, made(folder), open_one, "KILLED", "gone")
    outcome = folder.outcome(0)
    assert (outcome.status, outcome.note) == ("KILLED", "gone")
    assert run.state()["status"] == "KILLED"
    assert "gone" in run.log.read_text()


def test_records_that_cannot_be_closed_are_said_so(folder):
    run = run_of(folder, status="RUNNING")
    open_one = Outcome(0, (), "RUNNING", run_folder=str(run.path))
    with run.held():
        close_records(folder, made(folder), open_one, "KILLED", "gone")
    outcome = folder.outcome(0)
    assert outcome.note.startswith("gone; its records are not closed: resume: expected")


def test_without_a_run_there_is_nothing_to_close(folder):
    close_records(folder, made(folder), Outcome(0, ()), "FAILED", "gone")
    outcome = folder.outcome(0)
    assert (outcome.status, outcome.note) == ("FAILED", "gone")


def test_records_mlflow_did_not_take_are_sent_by_the_next_call(folder, tracking_uri, monkeypatch):
    def gone(uri, experiment):
        raise ConnectionError("the server has died")

    address = ("tracking=mlflow", f"tracking.uri={tracking_uri}")
    with monkeypatch.context() as away:
        away.setattr(mlflow_tracker, "ensure_store", gone)
        first = done(folder, *address, "tracking.patience=0.2")
        folder.begin()
        again = done(folder, *address)
    assert (first.status, first.note) == ("FINISHED", NOT_SENT)
    assert first.unsent and again.unsent
    assert (again.status, again.note) == ("SKIPPED", f"{NOT_SENT} (ConnectionError: the server has died)")
    folder.begin()
    assert done(folder, *address).note == "its records have been sent to MLflow now"
    folder.begin()
    last = done(folder, *address)
    assert (last.status, last.note) == ("SKIPPED", "")
    assert connect(tracking_uri).get_run(last.run_id).info.status == "FINISHED"
