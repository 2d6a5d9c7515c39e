"""Sweeps whose every process is killed, at moments of which nobody warns them, and the same command again."""

import contextlib
import json
import random
import time
from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import SECONDS, arrays, asked, histories, jobs, kill_all, run_folders, started, state

from rnnexp.tracking.client import connect

pytestmark = pytest.mark.sweep


LAUNCHERS = {"joblib": ("launcher=joblib", "launcher.workers=2"), "basic": ("launcher=basic",)}


def sweep(folder, launcher):
    """Return the sweep's arguments, its records below `folder`."""
    return (
        *("steps=400", "checkpoint.every=50", "steps_per_execution=10", "probe.every=200"),
        *("validation.every=200", "tracking.every=1", "tracking.model=true", f"tracking.uri={store(folder)}"),
        *("seed=0,1,2,3", *LAUNCHERS[launcher]),
    )


def store(folder):
    return f"sqlite:///{folder}/runs.db"


def written(pattern, since):
    """Return the files that were written later than `since`."""
    return [path for path in Path("outputs").glob(pattern) if path.stat().st_mtime > since]


def statuses(since=0.0):
    return [json.loads(path.read_text())["status"] for path in written("sweeps/*/jobs/*.json", since)]


def unnamed(since):
    """Whether a run lies in its folder of which the store may know and the folder does not."""
    return any("run_id" not in state(path.parent) for path in written("*/*/run.json", since))


# When all is killed: what a look from outside shows, or, without one, after a part of 12 seconds.
MOMENTS = {
    "start-up": None,
    "a run opens its records": unnamed,
    "a checkpoint is being written": lambda since: written("*/*/checkpoint.partial", since),
    "a job is done": lambda since: "FINISHED" in statuses(since),
    "figures are being drawn": lambda since: written("*/*/figures/*.png", since),
    "any": None,
}
FIRST, WORK, LAST = "the store is made", "jobs are at work", "the first process alone"
MOMENTS |= {
    FIRST: lambda since: Path(".runs.db.lock").exists(),
    WORK: lambda since: "RUNNING" in statuses(since),
    LAST: lambda since: "RUNNING" in statuses(since),
}


def kill_at(moment, chance, here, launcher):
    """Start the sweep and kill it at that moment; return how many processes it had, 0 where it had ended."""
    seen, wait = MOMENTS[moment], chance.uniform(0.0, 1.5 if moment == "start-up" else 12.0)
    since = time.time()
    with started(*sweep(here, launcher)) as first:
        while first.poll() is None:
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                if seen is not None and seen(since):
                    break
            if (seen is None and time.time() - since > wait) or time.time() - since > SECONDS:
                break
            time.sleep(0.001)
        if first.poll() is not None:
            print(f"{moment}: it had ended")
            return 0
        print(f"{moment}: after {time.time() - since:.3f} s, jobs {statuses(since)}", end=", ")
        if moment == LAST:
            first.kill()  # the others notice, and end in order while the next call has begun
            return 1
        count = kill_all(first)
        print(f"{count} processes killed")
    return count


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


@pytest.mark.parametrize(("seed", "launcher"), [(0, "joblib"), (1, "joblib"), (2, "basic")])
def test_a_repeatedly_killed_sweep_ends_as_an_undisturbed_one(tmp_path, monkeypatch, seed, launcher):
    alone, disturbed = tmp_path / "alone", tmp_path / "disturbed"
    for folder in (alone, disturbed):
        folder.mkdir()

    monkeypatch.chdir(alone)
    assert asked(*sweep(alone, launcher)).returncode == 0
    expected = jobs()

    monkeypatch.chdir(disturbed)
    chance = random.Random(seed)
    between = chance.sample(sorted(MOMENTS.keys() - {FIRST, WORK, LAST}), len(MOMENTS) - 3)
    killed = [kill_at(moment, chance, disturbed, launcher) for moment in (FIRST, WORK, *between, LAST)]
    assert killed[1] > 3  # the fork server and processes of jobs among them
    assert sum(count > 3 for count in killed) >= 3
    assert asked(*sweep(disturbed, launcher)).returncode == 0
    found = jobs()

    client, other = connect(store(disturbed)), connect(store(alone))
    assert len(run_folders()) == len(found) == len(expected) == 4
    for job, twin in zip(found, expected, strict=True):
        check_table(job, twin)
        check_run(Path(job["run_folder"]), Path(twin["run_folder"]), client, other)
    experiment = client.get_run(found[0]["run_id"]).info.experiment_id
    runs = client.search_runs([experiment])
    assert [run.info.status for run in runs] == ["FINISHED"] * 5  # four jobs and their sweep
    models = client.search_logged_models([experiment])
    assert sorted(model.source_run_id for model in models) == sorted(job["run_id"] for job in found)
