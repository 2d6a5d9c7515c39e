"""No file, no database and no terminal tells the password of a tracking address."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from rnnexp.report.terminal import Summary
from rnnexp.runs import build
from rnnexp.runs.run import run_jobs
from rnnexp.runtime import output
from rnnexp.tracking import Mirror, Tracker, Upload, sync
from rnnexp.tracking.upload import update

ROOT = Path(__file__).parents[2]
SECRET = "hidden-word-4711"


def as_the_command_prints(monkeypatch):
    """Print as `run.py` does from here on; in a fixture pytest would set the streams once more."""
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, getattr(sys, name))
    output.protect()


@pytest.fixture
def nobody(monkeypatch):
    """The address, with a login, of a server that is not there."""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield f"http://ann:{SECRET}@127.0.0.1:{free.getsockname()[1]}"


def telling():
    """The files that hold the password, whatever their kind."""
    files = [path for path in Path.cwd().rglob("*") if path.is_file()]
    assert files
    return [str(path) for path in files if SECRET.encode() in path.read_bytes()]


def test_a_run_that_mlflow_does_not_take(nobody, monkeypatch, capfd):
    as_the_command_prints(monkeypatch)

    def train(runs, signals, started):
        (run,) = runs
        run.tracker.tags({"note": f"see {nobody}", "why": f"login failed with {SECRET}"})
        run.records.close()
        return [Summary(nobody, 0, run.folder.path)]

    settings = [f"tracking.uri={nobody}", "tracking.patience=1", f"name='at {nobody}'", "replicas=2"]
    with pytest.raises(ValueError, match="not enough|too many"):
        run_jobs(build.compose_jobs(settings), train=train)
    (unsent,) = run_jobs(build.compose_jobs(settings[:3]), train=train)
    assert sync.main([str(unsent.path), "--to", nobody]) == 3
    assert sync.main([str(unsent.path), "--to", nobody.replace("http:", "htp:")]) == 2
    said = "".join(capfd.readouterr())
    assert "MLflow cannot be reached" in said and "htp" not in said
    assert SECRET not in said
    assert telling() == []


def test_a_run_that_fails_with_it_in_its_words():
    def fail(runs, signals, started):
        raise ConnectionError(f"postgresql://ann:{SECRET}@h/d: password {SECRET} is wrong")

    build.compose_jobs([f"tracking.uri=postgresql://ann:{SECRET}@h/d"])
    with pytest.raises(ConnectionError):
        run_jobs(build.compose_jobs(["tracking=none"]), train=fail)
    (log,) = Path("outputs").glob("*/*/run.log")
    assert "ConnectionError: postgresql://h/d: password *** is wrong" in log.read_text()
    assert telling() == []


def test_a_database_of_mlflow(tracking_uri, tmp_path):
    words = f"http://ann:{SECRET}@h/x and mysql://h/d?user=ann&password={SECRET}"
    upload = Upload(tmp_path / "run", tracking_uri, "study", words)
    tracker = Tracker(tmp_path / "run", words, Mirror(upload))
    tracker.params({"tracking": {"uri": words}})
    tracker.tags({"mlflow.note.content": words})
    update(tmp_path / "run", reason=words)
    tracker.end("FINISHED")
    assert tracker.complete
    assert telling() == []


@pytest.mark.sweep
def test_a_sweep_and_what_hydra_writes_of_it(tmp_path):
    tiny = ("seq_len=5", "units=4", "batch_size=4", "jit=false", "steps=2", "probe.bootstrap=100")
    uri = f"tracking.uri='postgresql://ann:{SECRET}@127.0.0.1:1/d?password={SECRET}'"
    command = [
        sys.executable,
        str(ROOT / "run.py"),
        "-m",
        *tiny,
        uri,
        "seed=0,1",
        "hydra.output_subdir=.hydra",
    ]
    answer = subprocess.run(
        [*command, "tracking.patience=2", "figures.format=none"],
        capture_output=True,
        text=True,
        env=os.environ | {"HYDRA_FULL_ERROR": "1"},
    )
    print(answer.stdout, answer.stderr)
    (written,) = Path("outputs").glob("sweeps/*/multirun.yaml")
    asked = yaml.safe_load(written.read_text())
    assert asked["tracking"]["uri"] == "${oc.env:RNNEXP_TRACKING_ADDRESS}"
    assert len(list(Path("outputs").glob("*/*/metrics.csv"))) == 2
    assert SECRET not in answer.stdout + answer.stderr
    assert telling() == []
