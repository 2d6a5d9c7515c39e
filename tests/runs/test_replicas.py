"""Folders, records and ends of replicas: with a stand-in for the training, and one that is killed."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from jobs import job_of, jobs_of
from whole_sweeps import holding, wait_until_held

from rnnexp import load_runs
from rnnexp.report import terminal
from rnnexp.runs.run import run_job, run_jobs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime.checks import ArgumentError
from rnnexp.runtime.signals import Killed
from rnnexp.tracking.client import connect

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting():
    """Leave it on, as it is in the processes whose numbers are compared to the bit with those of this one."""


def composed(*overrides):
    return jobs_of(overrides)


class Training:
    """Stands for the training: does `acts` in turn to each run, and closes its records."""

    def __init__(self):
        self.acts = []
        self.resumed = []

    def __call__(self, runs, signals, started):
        act = self.acts.pop(0) if self.acts else lambda run: None
        self.resumed.append({run.job.plan.seed: run.resumed for run in runs})
        for run in runs:
            run.folder.checkpoint.touch()
        return [self._end(run, act) for run in runs]

    def _end(self, run, act):
        act(run)
        run.folder.update(verdicts={"verdict.gradient": "stable", "verdict.learning": "solved"})
        run.records.close()
        verdicts, numbers = ("stable", "learning"), {"val/loss": 0.1}
        return terminal.Summary("a", run.job.plan.seed, run.folder.path, *verdicts, numbers=numbers)

    def run(self, *overrides):
        run_jobs(composed(*overrides), train=self)


@pytest.fixture
def training():
    return Training()


@pytest.fixture(params=["none", "mlflow"])
def address(request):
    """The overrides that choose a tracker."""
    if request.param == "none":
        return ["tracking=none"]
    return [f"tracking.uri={request.getfixturevalue('tracking_uri')}"]


def folders():
    """The run folders, the oldest first."""
    return [RunFolder(path.parent) for path in sorted(Path("outputs").glob("*/*/run.json"))]


def statuses():
    return [folder.state()["status"] for folder in folders()]


def at(seed, number):
    """Raise a signal, or an error where `number` is none, at the replica of that seed."""

    def act(run):
        if run.job.plan.seed == seed:
            if number is None:
                raise ZeroDivisionError("of nothing")
            signal.raise_signal(number)

    return act


def test_each_is_the_run_that_its_seed_would_have_alone(training, capsys):
    training.run("tracking=none", "units=8", "replicas=2", "seed=4")
    assert statuses() == ["FINISHED"] * 2
    for seed, folder in zip((4, 5), folders(), strict=True):
        (single,) = composed("units=8", f"seed={seed}")
        config = yaml.safe_load((folder.path / "config.yaml").read_text())
        assert (config["seed"], config["replicas"]) == (seed, 1)
        assert folder.state()["config_hash"] == single.config_hash
        assert folder.state()["name"] == single.name == f"tanh-T100-units8-s{seed}"
        typed = yaml.safe_load((folder.path / "overrides.yaml").read_text())
        assert job_of(typed).config == config
        assert f"{single.name}, configuration {single.config_hash}" in folder.log.read_text()
        others = {f"-s{other}, " for other in (4, 5)} - {f"-s{seed}, "}
        assert not any(other in folder.log.read_text() for other in others)
        assert not folder.checkpoint.exists()
    assert capsys.readouterr().out.count("learning") >= 2


def test_in_mlflow_they_lie_below_one_run_and_are_read_as_any(training, tracking_uri):
    training.run(f"tracking.uri={tracking_uri}", "replicas=2")
    table = load_runs(tracking_uri)
    assert list(table["seed"]) == [0, 1]
    assert list(table["run_id"]) == [folder.state()["run_id"] for folder in folders()]
    assert table["group_hash"].nunique() == 1
    (parent,) = set(table["parent_id"])
    run = connect(tracking_uri).get_run(parent)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "tanh-T100-s0..1")
    assert run.data.tags["replicas.learning"] == "2"
    assert "replicas=2`\n\n| seed |" in run.data.tags["mlflow.note.content"]
    assert "| 1 | stable | learning | 0.1000 |" in run.data.tags["mlflow.note.content"]


def test_replicas_that_were_given_a_name_share_it(training, capsys):
    training.run("tracking=none", "replicas=2", "name=a b")
    assert "runs        a b\n" in capsys.readouterr().out


def test_a_signal_ends_the_others_killed_and_resume_goes_on(address, training, caplog, capsys):
    training.acts.append(at(1, signal.SIGTERM))
    typed = [*address, "replicas=3"]
    with pytest.raises(Killed):
        training.run(*typed)
    assert statuses() == ["FINISHED", "KILLED", "KILLED"]
    command = f"go on with: python run.py {' '.join(typed)} resume=true"
    assert [text for text in caplog.messages if command in text] == [f"stopped by SIGTERM; {command}"] * 3
    assert [record.levelname for record in caplog.records if command in record.message].count("WARNING") == 1
    assert command in folders()[2].log.read_text()
    before = [folder.path for folder in folders()]
    parents = {folder.state()["parent"] for folder in folders()}

    training.run(*typed, "resume=true")
    assert training.resumed[1] == {1: True, 2: True}
    assert statuses() == ["FINISHED"] * 3
    assert [folder.path for folder in folders()] == before
    assert {folder.state()["parent"] for folder in folders()} == parents
    assert len(parents) == 1
    assert "seed 0: had finished earlier" in capsys.readouterr().out
    assert [text for text in caplog.messages if text.startswith("going on with")] == [
        f"going on with {path}" for path in before[1:]
    ]


def test_a_fault_ends_those_failed_that_have_not_finished(address, training, caplog):
    training.acts.append(at(1, None))
    with pytest.raises(ZeroDivisionError):
        training.run(*address, "replicas=2")
    assert statuses() == ["FINISHED", "FAILED"]
    assert "the runs failed: ZeroDivisionError: of nothing" in caplog.messages
    assert 'raise ZeroDivisionError("of nothing")' in folders()[1].log.read_text()
    if address != ["tracking=none"]:
        client = connect(address[0].removeprefix("tracking.uri="))
        assert client.get_run(folders()[0].state()["parent"]).info.status == "FAILED"


def test_a_signal_during_opening_ends_all_open_records(address, training):
    def interrupted(folder):
        if len(folders()) == 2:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Killed):
        run_jobs(composed(*address, "replicas=3"), opened=interrupted, train=training)
    assert statuses() == ["KILLED"] * 2
    assert training.resumed == []


def test_with_nothing_to_resume_all_begin_and_say_so(training, caplog):
    training.run("tracking=none", "replicas=2")
    training.run("tracking=none", "replicas=2", "resume=true")
    assert training.resumed == [{0: False, 1: False}] * 2
    assert len(folders()) == 4
    for seed in (0, 1):
        assert f"no unfinished run of tanh-T100-s{seed} in outputs: beginning anew" in caplog.messages


def test_added_replicas_begin_beside_those_that_resume(training, caplog):
    training.acts.append(at(0, signal.SIGTERM))
    with pytest.raises(Killed):
        training.run("tracking=none", "replicas=2")
    folders()[1].checkpoint.unlink()
    first, second = (folder.path for folder in folders())
    training.run("tracking=none", "replicas=3", "resume=true")
    assert training.resumed[1] == {0: True, 1: False, 2: False}
    assert statuses() == ["FINISHED"] * 3
    assert {
        f"going on with {first}",
        f"{second} was interrupted before its first checkpoint: beginning anew in it",
        "no unfinished run of tanh-T100-s2 in outputs: beginning anew",
    } <= set(caplog.messages)


def test_refused_resumption_leaves_all_replicas_unchanged(training, tracking_uri):
    training.acts.append(at(0, signal.SIGTERM))
    with pytest.raises(Killed):
        training.run("tracking=none", "replicas=2")
    before = [folder.state() for folder in folders()]
    with folders()[1].held(), pytest.raises(ArgumentError, match="resume: expected a run that no other"):
        training.run("tracking=none", "replicas=2", "resume=true")
    with pytest.raises(ArgumentError, match="tracking: expected none, where the run to be resumed began"):
        training.run(f"tracking.uri={tracking_uri}", "replicas=2", "resume=true")
    assert [folder.state() for folder in folders()] == before


WHOLE = (
    *("units=8", "seq_len=12", "batch_size=8", "steps=60", "clip=global_norm", "clip.threshold=0.1"),
    *("checkpoint.every=20", "probe.every=40", "validation.every=20", "tracking.every=10"),
    *("tracking=none", "tracking.model=false", "figures.format=none", "jit=false", "probe.bootstrap=100"),
)


def kill_at(moment, *arguments):
    """Start the command and kill it at the moment."""
    command, environ = [sys.executable, str(ROOT / "run.py"), *arguments], os.environ | holding(moment)
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=environ) as process:
        try:
            wait_until_held(process)
        finally:
            process.kill()


def arrays(folder):
    with np.load(folder / "gradient_flow.npz") as file:
        return {name: file[name] for name in file.files}


def words_of(folder):
    """The sentences of the verdict without the commands, which name the folder that was typed."""
    return re.sub(r"python run\.py .*?  \[", "[", (folder / "verdict.txt").read_text())


def test_killed_and_resumed_replicas_equal_the_single_runs(capsys):
    typed = (*WHOLE, "replicas=2")
    kill_at("os.rename */checkpoint.npz 2", *typed)  # the first checkpoint of each is in its place
    assert statuses() == ["RUNNING"] * 2
    run_jobs(composed(*typed, "resume=true"))
    assert [(folder.state()["status"], folder.state()["attempts"]) for folder in folders()] == [
        ("FINISHED", 2)
    ] * 2
    run_job(job_of([*WHOLE, "seed=1", "output_dir=alone"]))
    (alone,) = Path("alone").glob("*/*")
    found, expected = arrays(folders()[1].path), arrays(alone)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert (folders()[1].path / "theory.csv").read_bytes() == (alone / "theory.csv").read_bytes()
    assert words_of(folders()[1].path) == words_of(alone)
    tags = json.loads((alone / "tags.json").read_text())
    table = load_runs("outputs")
    for name in ("config_hash", "group_hash", "verdict.learning", "verdict.gradient"):
        assert table[name][1] == tags[name]
    shown = capsys.readouterr().out
    assert "60/60  100 %  median of 2: loss" in shown
    assert str(folders()[1].path) in shown
