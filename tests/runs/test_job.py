"""Folder, records and end of a run, with a stand-in for the training."""

import contextlib
import dataclasses
import functools
import json
import logging
import os
import shlex
import signal
import socket
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from jobs import job_of

from rnnexp import tracking
from rnnexp.report.terminal import Summary
from rnnexp.runs import job, run_context
from rnnexp.runs.resume import earlier
from rnnexp.runs.run import run_job
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime import provenance
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.json_file import StateFile
from rnnexp.runtime.signals import Killed
from rnnexp.tracking import mlflow_tracker
from rnnexp.tracking.client import connect
from rnnexp.tracking.sync import sync
from rnnexp.tracking.upload import sent


@pytest.fixture(autouse=True)
def sources(monkeypatch):
    """No process is started to ask git."""
    monkeypatch.setattr(provenance, "git_state", lambda root: provenance.GitState("abc", False, ""))


@pytest.fixture(params=["none", "mlflow"])
def address(request):
    """The overrides that choose a tracker."""
    if request.param == "none":
        return ["tracking=none"]
    return [f"tracking.uri={request.getfixturevalue('tracking_uri')}"]


@functools.cache
def composed(*overrides):
    return job_of(overrides)


class Training:
    """Stands for the training: calls the functions in `acts` in turn, with folder, tracker and signals."""

    def __init__(self):
        self.acts = []
        self.resumed = []

    def __call__(self, runs, signals, started):
        (run,) = runs
        self.resumed.append(run.resumed)
        self.acts.pop(0)(run.folder, run.tracker, signals)
        run.records.close()
        return [Summary("a", run.job.plan.seed, run.folder.path)]

    def run(self, job, **arguments):
        return run_job(job, train=self, **arguments)


@pytest.fixture
def training():
    return Training()


def trained(folder, tracker, signals):
    np.savez(folder.arrays, loss=np.zeros(3))
    folder.checkpoint.touch()


def failing(folder, tracker, signals):
    trained(folder, tracker, signals)
    raise ZeroDivisionError("of nothing")


def killed(number):
    def act(folder, tracker, signals):
        trained(folder, tracker, signals)
        signal.raise_signal(number)
        pytest.fail("the signal was not raised")

    return act


class Records:
    """What is left of the one run in `outputs`, read by other means than those that wrote it."""

    def __init__(self, address):
        (self.folder,) = (RunFolder(path.parent) for path in Path("outputs").glob("*/*/run.json"))
        self.state = self.folder.state()
        if address == ["tracking=none"]:
            self.status = self._read("status")["status"]
            self.params, self.tags = self._read("params"), self._read("tags")
            self.artifacts = {path.name for path in self.folder.path.iterdir()}
        else:
            client = connect(address[0].removeprefix("tracking.uri="))
            run = client.get_run(self.state["run_id"])
            self.status, self.params, self.tags = run.info.status, run.data.params, run.data.tags
            self.artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
            self.artifact_root = Path(run.info.artifact_uri.removeprefix("file://"))

    def _read(self, name):
        path = self.folder.path / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def log(self):
        return self.folder.log.read_text()


def test_a_run_that_ends_well(address, training, monkeypatch):
    monkeypatch.setattr(provenance, "git_state", lambda root: provenance.GitState("abc", True, "-1\n+2\n"))
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "3")
    training.acts.append(trained)
    member = job.Membership("sweep-7", Path("/sweeps/sweep-7"), "of the sweep")
    opened: list[RunFolder] = []
    whole = dataclasses.replace(composed(*address, "task=copying", "clip=norm", "seed=3"), sweep=member)
    training.run(whole, opened=opened.append)
    left = Records(address)
    assert [folder.path for folder in opened] == [left.folder.path]
    assert left.state.items() >= {"pid": os.getpid(), "host": socket.gethostname(), "attempts": 1}.items()
    assert left.status == left.state["status"] == "FINISHED"
    assert left.artifacts >= {
        *("config.yaml", "overrides.yaml", "environment.txt", "git.diff", "run.log", "gradient_flow.npz")
    }
    assert not left.folder.checkpoint.exists()
    chosen = {"task": "copying", "clip": "norm", "init": "orthogonal", "launcher": "basic"}
    assert left.params.items() >= chosen.items()
    assert left.params.items() >= {"task.symbols": "8", "clip.threshold": "1.0", "seed": "3"}.items()
    assert (
        left.tags.items()
        >= {
            "git.sha": "abc",
            "git.dirty": "true",
            "sweep_id": "sweep-7",
            "sweep_folder": "/sweeps/sweep-7",
            "mlflow.parentRunId": "of the sweep",
            "threads": "3",
            "run_folder": str(left.folder.path.resolve()),
            "config_hash": composed("task=copying", "clip=norm", "seed=3").config_hash,
            "group_hash": composed("task=copying", "clip=norm", "seed=4").group_hash,
        }.items()
    )
    assert yaml.safe_load((left.folder.path / "config.yaml").read_text())["task"]["recall"] == 10
    assert yaml.safe_load((left.folder.path / "overrides.yaml").read_text())[-1] == "seed=3"
    assert (left.folder.path / "git.diff").read_text() == "-1\n+2\n"
    assert "tanh-T100-copying-norm-s3, configuration" in left.log()
    assert left.log().endswith("INFO rnnexp.runs.run_context: ended FINISHED\n")


def test_outside_a_sweep_and_with_clean_sources_there_is_less(training):
    training.acts.append(trained)
    training.run(composed("tracking=none"))
    left = Records(["tracking=none"])
    assert not {"sweep_id", "sweep_folder", "mlflow.parentRunId"} & left.tags.keys()
    assert "git.diff" not in left.artifacts


def test_a_fault_is_written_down_and_ends_it_failed(address, training, capsys):
    training.acts.append(failing)
    with pytest.raises(ZeroDivisionError):
        training.run(composed(*address))
    left = Records(address)
    assert left.status == left.state["status"] == "FAILED"
    assert left.artifacts >= {"run.log", "gradient_flow.npz", "config.yaml"}
    assert "ERROR rnnexp.runs.run_context: the run failed: ZeroDivisionError: of nothing\n" in left.log()
    assert 'raise ZeroDivisionError("of nothing")' in left.log()
    assert left.folder.checkpoint.exists()
    if hasattr(left, "artifact_root"):
        assert "ZeroDivisionError" in (left.artifact_root / "run.log").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_killed(address, training, number):
    training.acts.append(killed(number))
    with pytest.raises(Killed) as caught:
        training.run(composed(*address, "name=a b"))
    assert caught.value.exit_code == 128 + number
    left = Records(address)
    assert left.status == left.state["status"] == "KILLED"
    assert left.artifacts >= {"run.log", "gradient_flow.npz"}
    command = shlex.join(["python", "run.py", *address, "name=a b", "resume=true"])
    assert f"stopped by {signal.Signals(number).name}; go on with: {command}\n" in left.log()


@pytest.mark.parametrize("lost", [False, True])
def test_killed_before_its_first_checkpoint_it_begins_anew(address, training, lost):
    training.acts += [lambda folder, tracker, signals: None, trained]
    work = composed(*address)
    training.run(work)
    left = Records(address).folder
    state = {key: value for key, value in left.state().items() if not (lost and key == "run_id")}
    StateFile(left.path / "run.json").write(state | {"status": "RUNNING"})
    training.run(work, found=left)
    assert training.resumed == [False, False]
    again = Records(address)
    assert (again.status, again.state["status"], again.state["attempts"]) == ("FINISHED", "FINISHED", 2)
    assert "interrupted before its first checkpoint: beginning anew in it" in again.log()
    if address != ["tracking=none"]:
        client = connect(work.tracking.uri)
        experiment = client.get_run(again.state["run_id"]).info.experiment_id
        assert len(client.search_runs([experiment])) == 1


def test_what_a_signal_makes_fail_was_stopped_by_it(address, training):
    def swallowed(folder, tracker, signals):
        with contextlib.suppress(Killed):
            signal.raise_signal(signal.SIGINT)
        raise SystemError("a call into compiled code returned with an exception set")

    training.acts.append(swallowed)
    with pytest.raises(Killed):
        training.run(composed(*address))
    left = Records(address)
    assert left.status == left.state["status"] == "KILLED"
    assert "stopped by SIGINT; there is no checkpoint to go on from" in left.log()
    assert earlier([left.folder], composed(*address).tracking.uri).next == "resume"


def test_the_diff_of_the_source_can_be_left_out(training, monkeypatch):
    monkeypatch.setattr(provenance, "git_state", lambda root: provenance.GitState("abc", True, "-1\n+2\n"))
    training.acts.append(trained)
    training.run(composed("tracking=none", "tracking.diff=false"))
    left = Records(["tracking=none"])
    assert "git.diff" not in left.artifacts and left.tags["git.dirty"] == "true"


def test_without_a_checkpoint_nothing_is_promised(training):
    training.acts.append(lambda folder, tracker, signals: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed("tracking=none"))
    assert "stopped by SIGTERM; there is no checkpoint to go on from" in Records(["tracking=none"]).log()


def test_a_signal_while_the_records_are_opened(address, training, monkeypatch):
    def interrupted(kind):
        def opened(*arguments, **keywords):
            tracker = kind(*arguments, **keywords)
            signal.raise_signal(signal.SIGTERM)
            return tracker

        return opened

    monkeypatch.setattr(tracking, "Tracker", interrupted(tracking.Tracker))
    with pytest.raises(Killed):
        training.run(composed(*address))
    assert Records(address).status == "KILLED"
    assert training.resumed == []


@pytest.mark.parametrize(("act", "status"), [(trained, "FINISHED"), (killed(signal.SIGINT), "KILLED")])
def test_a_signal_while_the_records_are_closed_waits(address, training, act, status):
    def impatient(folder, tracker, signals):
        end = tracker.end

        def end_slowly(how):
            signal.raise_signal(signal.SIGINT)
            end(how)

        tracker.end = end_slowly
        act(folder, tracker, signals)

    training.acts.append(impatient)
    with pytest.raises(Killed):
        training.run(composed(*address))
    left = Records(address)
    assert left.status == left.state["status"] == status


def test_a_store_that_is_away_costs_no_run(training, monkeypatch, tmp_path):
    def gone(uri, experiment):
        raise ConnectionError("the server has died")

    training.acts.append(trained)
    with monkeypatch.context() as away:
        away.setattr(mlflow_tracker, "ensure_store", gone)
        address = f"tracking.uri=sqlite:///{tmp_path}/mlflow.db"
        (folder,) = training.run(composed(address, "tracking.patience=0.2"))
    assert folder.state()["status"] == "FINISHED"
    assert "MLflow is away, the run goes on and keeps its records: ConnectionError" in folder.log.read_text()
    assert f"python run.py sync {folder.path}" in folder.log.read_text()
    assert sync(folder.path)
    run = connect(f"sqlite:///{tmp_path}/mlflow.db").get_run(sent(folder.path)["run_id"])
    assert run.info.status == "FINISHED"


def test_records_that_cannot_be_opened_leave_no_folder(monkeypatch, tmp_path, training):
    def refused(folder, name, mirror):
        raise ConnectionError("the server has died")

    monkeypatch.setattr(tracking, "Tracker", refused)
    handler = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ConnectionError):
        training.run(composed("tracking=none"))
    assert [path for path in tmp_path.rglob("*") if path.name != "outputs"] == []
    assert signal.getsignal(signal.SIGTERM) is handler


def test_a_run_stays_resumable_when_its_records_fail_to_open(monkeypatch, training):
    training.acts.append(killed(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed("tracking=none"))

    def refused(folder, name, mirror):
        raise ConnectionError("the server has died")

    with monkeypatch.context() as patched, pytest.raises(ConnectionError):
        patched.setattr(tracking, "Tracker", refused)
        training.run(composed("tracking=none", "resume=true"))
    training.acts.append(trained)
    training.run(composed("tracking=none", "resume=true"))
    assert training.resumed == [False, True]


def test_an_upload_that_fails_ends_it_failed(address, training, monkeypatch):
    def full(folder, tracker, signals):
        trained(folder, tracker, signals)

        def refuse(path, folder=""):
            raise OSError("no space left on device")

        tracker.artifact = refuse

    training.acts.append(full)
    with pytest.raises(OSError, match="no space left"):
        training.run(composed(*address))
    left = Records(address)
    assert left.status == left.state["status"] == "FAILED"
    assert left.folder.checkpoint.exists()


def test_a_killed_run_goes_on_in_its_folder_and_under_its_id(address, training, caplog):
    training.acts.append(killed(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed(*address))
    before = Records(address)
    training.acts.append(trained)
    training.run(composed(*address, "resume=true"))
    after = Records(address)
    assert training.resumed == [False, True]
    assert after.status == "FINISHED"
    assert (after.folder.path, after.state["run_id"]) == (before.folder.path, before.state["run_id"])
    assert f"going on with {before.folder.path}" in caplog.messages
    assert after.log().startswith(before.log())


def test_with_nothing_to_resume_a_run_begins_and_says_so(training, caplog):
    training.acts.append(trained)
    training.run(composed("tracking=none", "resume=true"))
    assert training.resumed == [False]
    assert caplog.messages.count("no unfinished run of tanh-T100-s0 in outputs: beginning anew") == 1


def test_the_records_of_a_process_that_is_gone_are_closed(address, training):
    training.acts.append(killed(signal.SIGTERM))
    work = composed(*address)
    with pytest.raises(Killed):
        training.run(work)
    (folder,) = (RunFolder(path.parent) for path in Path("outputs").glob("*/*/run.json"))
    folder.update(status="RUNNING")
    run_context.end(work, folder, "KILLED", "the process was ended by SIGKILL")
    left = Records(address)
    assert left.status == left.state["status"] == "KILLED"
    assert "ERROR rnnexp.runs.run_context: the process was ended by SIGKILL\n" in left.log()
    assert left.artifacts >= {"run.log", "gradient_flow.npz"}
    assert left.folder.checkpoint.exists()


def test_another_configuration_is_another_run(training):
    training.acts.append(killed(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed("tracking=none"))
    training.acts.append(trained)
    training.run(composed("tracking=none", "resume=true", "steps=6000"))
    assert training.resumed == [False, False]


def test_a_run_is_resumed_where_it_was_recorded(training, tracking_uri):
    training.acts.append(killed(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed("tracking=none"))
    with pytest.raises(ArgumentError) as refused:
        training.run(composed(f"tracking.uri={tracking_uri}", "resume=true"))
    assert str(refused.value) == (
        f"tracking: expected none, where the run to be resumed began, received '{tracking_uri}'"
    )
    assert Records(["tracking=none"]).status == "KILLED"


def test_a_run_that_another_holds_is_refused_and_stays_as_it_is(training):
    training.acts.append(killed(signal.SIGTERM))
    with pytest.raises(Killed):
        training.run(composed("tracking=none"))
    left = Records(["tracking=none"])
    with (
        left.folder.held(),
        pytest.raises(ArgumentError, match="resume: expected a run that no other process"),
    ):
        training.run(composed("tracking=none", "resume=true"))
    assert Records(["tracking=none"]).state == left.state


def test_the_log_ends_with_the_run(training):
    logger = logging.getLogger("rnnexp")
    before = (logger.level, list(logger.handlers))
    training.acts.append(failing)
    with contextlib.suppress(ZeroDivisionError):
        training.run(composed("tracking=none"))
    assert (logger.level, logger.handlers) == before


def test_a_run_in_another_thread_does_without_signals(training):
    training.acts.append(trained)
    thread = threading.Thread(target=training.run, args=(composed("tracking=none"),))
    thread.start()
    thread.join()
    assert Records(["tracking=none"]).status == "FINISHED"
