"""Every file of a run's folder cut short in turn: what reads it says one sentence, or goes on."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jobs import jobs_of

from rnnexp.analysis import load_runs
from rnnexp.report import command
from rnnexp.report.terminal import Summary
from rnnexp.runs.run import run_jobs
from rnnexp.runs.run_folder import RunFolder
from rnnexp.runtime import provenance
from rnnexp.runtime.checks import ArgumentError
from rnnexp.tracking import Point, sync
from rnnexp.tracking.upload import update
from rnnexp.training import checkpoint

_FIELDS = ("steps_taken", "steps", "log_norms", "scalars", "clipped", "seconds", "diverged_at")
SHARES = (0.0, 0.5, 0.99)


def train(runs, signals, started):
    """Stand for training: read the checkpoint of a run that goes on, write what a run writes."""
    (run,) = runs
    if run.resumed:
        checkpoint.steps_in(run.folder.checkpoint)
    run.tracker.metrics([Point("train/loss", 1.0, step) for step in range(5)])
    run.tracker.tags({"verdict.learning": "solved"})
    (run.folder.path / "verdict.txt").write_text("a sentence")
    run.tracker.artifact(run.folder.path / "verdict.txt")
    np.savez(run.folder.arrays, steps=np.arange(3))
    run.records.close()
    return [Summary("a", 0, run.folder.path)]


@pytest.fixture(autouse=True)
def sources(monkeypatch):
    """No process is started to ask git."""
    monkeypatch.setattr(provenance, "git_state", lambda root: provenance.GitState("abc", False, ""))


def resumed(address):
    return run_jobs(jobs_of([*address, "resume=true"]), train=train)


def interrupted(address, root):
    """Leave a run as a kill leaves it: with a checkpoint, its records open."""
    run_jobs(jobs_of(address), train=train)
    (state,) = root.glob("outputs/*/*/run.json")
    folder = RunFolder(state.parent)
    folder.update(status="KILLED")
    fields: dict[str, Any] = dict.fromkeys((*_FIELDS, "validations", "spectra"), np.zeros(()))
    np.savez(folder.checkpoint, **fields)
    (folder.path / "model.keras").write_bytes(b"a model")
    return folder.path


def files_of(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file() and path.stat().st_size > 1)


def cut(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])


def sentence_or_nothing(act):
    """Do something; whatever is wrong is said by the one kind of error that becomes a sentence."""
    try:
        act()
    except ArgumentError as error:
        assert ": expected " in str(error) and "\n" not in str(error)
        return str(error)
    return ""


def test_a_run_without_mlflow(tmp_path, capsys):
    folder = interrupted(["tracking=none"], tmp_path)
    whole = shutil.copytree(folder.parents[1], tmp_path / "whole")
    names = files_of(folder)
    assert {"run.json", "status.json", "metrics.csv", "checkpoint.npz", "gradient_flow.npz"} < set(names)
    again, said = jobs_of(["tracking=none", "resume=true"]), dict[str, str]()
    for name in names:
        for share in SHARES:
            shutil.rmtree(folder.parents[1])
            shutil.copytree(whole, folder.parents[1])
            cut(folder / name, share)
            read = sentence_or_nothing(lambda: load_runs(folder.parents[1]))
            assert command.main([str(folder), "--where", str(folder.parents[1])]) == 2  # too few arrays
            went_on = sentence_or_nothing(lambda: run_jobs(again, train=train))
            said[name] = said.get(name, "") + read + went_on
    assert "remove this one, and the run begins anew" in said["checkpoint.npz"]
    assert "runs whose files are whole" in said["status.json"]
    assert said["run.json"] == said["run.log"] == said["overrides.yaml"] == ""
    assert "Traceback" not in "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "name", ["upload.json", "status.json", "tags.json", "params.json", "artifacts.json", "metrics.csv"]
)
def test_a_run_with_mlflow(tmp_path, tracking_uri, name):
    address = [f"tracking.uri={tracking_uri}"]
    folder = interrupted(address, tmp_path)
    (folder / "model.keras").unlink()
    cut(folder / name, 0.5)
    assert resumed(address) == []
    assert json.loads((folder / "upload.json").read_text())["status"] == "FINISHED"
    cut(folder / name, 0.5)
    sentence_or_nothing(lambda: sync.sync(folder))


def test_a_model_that_is_cut_short_is_named(tmp_path, tracking_uri):
    folder = interrupted([f"tracking.uri={tracking_uri}"], tmp_path)
    update(folder, status=None)
    with pytest.raises(ArgumentError, match=r"model.keras: expected a whole Keras model, .*\(ValueError\)"):
        sync.sync(folder)
    Path(folder, "model.keras").unlink()
    assert sync.sync(folder)
