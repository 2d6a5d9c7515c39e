"""Sweeps whose every process is killed, at moments of which nobody warns them, and the same command again."""

from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import (
    arrays,
    asked,
    held,
    histories,
    jobs,
    kill_all,
    run_folders,
    started,
    state,
    state_of,
    wait_for,
)

from rnnexp.tracking.client import connect

pytestmark = pytest.mark.sweep

FIRST_ALONE = "jobs are at work, and only the process that the user sees is killed"

# A moment at which a process is held (`support/held`); all are killed then.
JOBLIB = [
    "sqlite3.connect */.runs.db.lock 0",  # the store is being made
    "os.rename *-s0/run.json 0",  # a run has a folder, and nothing in it
    "os.rename *-s0/run.json 1",  # the store knows of the run, and its folder not that it does
    FIRST_ALONE,
    "os.rename *-s0/checkpoint.npz 0",  # a checkpoint is written, and not in its place
    "os.rename *-s1/checkpoint.npz 1",  # so is the next of another
    "open *-s0/gradient_flow.npz 0",  # what was trained is written
    "os.remove *-s0/checkpoint.npz 0",  # the records are closed
    "open */jobs.json 0",  # all is done but the table
]
BASIC = [JOBLIB[2], JOBLIB[5], JOBLIB[8]]

LAUNCHERS = {"joblib": ("launcher=joblib", "launcher.workers=2"), "basic": ("launcher=basic",)}


def sweep(folder, launcher):
    """Return the sweep's arguments, its records below `folder`."""
    return (
        *("steps=60", "checkpoint.every=20", "steps_per_execution=10", "probe.every=30"),
        *(
            "validation.every=30",
            "tracking.every=1",
            "tracking.model=true",
            "tracking.diff=false",
            f"tracking.uri={store(folder)}",
        ),
        *("seed=0,1,2", *LAUNCHERS[launcher]),
    )


def store(folder):
    return f"sqlite:///{folder}/runs.db"


def at_work():
    """Whether a run is RUNNING in a process that is alive."""
    states = [state(folder) for folder in run_folders()]
    return any(run["status"] == "RUNNING" and state_of(run["pid"]) != "Z" for run in states)


def kill_at(moment, arguments):
    """Start the sweep and kill it at that moment."""
    if moment == FIRST_ALONE:  # the others notice that and end in order
        with started(*arguments) as first:
            wait_for(at_work, first)
            first.kill()
        return
    with held(moment, *arguments) as first:
        print(f"{moment}: {kill_all(first)} processes killed")


def check_table(job, other):
    for name in ("number", "name", "config_hash", "gradient", "learning"):
        assert job[name] == other[name]


def check_run(folder, other, client, other_client):
    assert {path.name for path in folder.rglob("*")} == {path.name for path in other.rglob("*")}
    found, expected = arrays(folder), arrays(other)
    assert found.keys() == expected.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)
    run_id, other_id = state(folder)["run_id"], state(other)["run_id"]
    assert histories(client, run_id) == histories(other_client, other_id)


@pytest.mark.parametrize(("launcher", "moments"), [("joblib", JOBLIB), ("basic", BASIC)])
def test_a_repeatedly_killed_sweep_ends_as_an_undisturbed_one(tmp_path, monkeypatch, launcher, moments):
    alone, disturbed = tmp_path / "alone", tmp_path / "disturbed"
    for folder in (alone, disturbed):
        folder.mkdir()

    monkeypatch.chdir(alone)
    assert asked(*sweep(alone, launcher)).returncode == 0
    expected = jobs()

    monkeypatch.chdir(disturbed)
    for moment in moments:
        kill_at(moment, sweep(disturbed, launcher))
    assert asked(*sweep(disturbed, launcher)).returncode == 0
    found = jobs()

    client, other = connect(store(disturbed)), connect(store(alone))
    assert len(run_folders()) == len(found) == len(expected) == 3
    for job, twin in zip(found, expected, strict=True):
        check_table(job, twin)
        check_run(Path(job["run_folder"]), Path(twin["run_folder"]), client, other)
    experiment = client.get_run(found[0]["run_id"]).info.experiment_id
    runs = client.search_runs([experiment])
    assert [run.info.status for run in runs] == ["FINISHED"] * 4  # three jobs and their sweep
    models = client.search_logged_models([experiment])
    assert sorted(model.source_run_id for model in models) == sorted(job["run_id"] for job in found)
