"""A small sweep of which one process is killed, then all of them, and the same command again."""

import ctypes
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from whole_sweeps import TINY, arrays, asked, held, jobs, kill_all, run_folders, started, state, wait_for

from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.tracking.client import connect

JOB = ("steps=60", "checkpoint.every=20", "probe.every=60", "validation.every=60")
LOCAL = ("launcher=joblib", "launcher.workers=2", "seed=0,1")


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting():
    """Leave it on, as it is in the processes whose numbers are compared to the bit with those of this one."""


def folder_of(seed):
    (folder,) = (path for path in run_folders() if path.name.endswith(f"-s{seed}"))
    return folder


def outcome(number, status):
    """Return what the sweep knows of a job once it has that status."""
    (path,) = Path("outputs").glob(f"sweeps/*/jobs/{number:04d}.json")
    found = json.loads(path.read_text())
    return found if found["status"] == status else None


def test_a_sweep_goes_on_after_kills_to_the_same_bytes(tracking_uri):
    sweep = (*JOB, *LOCAL, f"tracking.uri={tracking_uri}")
    client = connect(tracking_uri)

    with held("os.rename *-s[01]/checkpoint.npz 1", *sweep, processes=2) as process:
        folders = [folder_of(seed) for seed in (0, 1)]  # the first checkpoint of each is in its place
        os.kill(state(folders[0])["pid"], signal.SIGKILL)
        killed = wait_for(lambda: outcome(0, "KILLED"), process)
        assert kill_all(process) > 2
    assert killed["note"].startswith("the process was ended by SIGKILL (out of memory?")
    assert killed["note"] in (folders[0] / "run.log").read_text()
    statuses = [state(folder)["status"] for folder in folders]
    assert (
        statuses == [client.get_run(state(f)["run_id"]).info.status for f in folders] == ["KILLED", "RUNNING"]
    )

    assert asked(*sweep).returncode == 0
    for job, folder in zip(jobs(), folders, strict=True):
        assert (job["status"], job["resumed"], job["run_folder"]) == (
            "FINISHED",
            True,
            str(folder.absolute()),
        )
        assert state(folder)["attempts"] == 2
    assert len(run_folders()) == 2
    runs = client.search_runs([client.get_run(killed["run_id"]).info.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3  # two jobs and their sweep

    run_job(build.compose_job([*TINY, *JOB, "seed=0", "tracking=none", "output_dir=alone"]))
    expected, found = arrays(next(Path("alone").glob("*/*"))), arrays(folders[0])
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def test_signals_stop_a_sweep_the_second_at_once():
    with started(*LOCAL, "steps=100000", "checkpoint.every=50", "tracking=none") as process:
        (checkpoint, *_) = wait_for(lambda: list(Path("outputs").glob("*/*/checkpoint.npz")), process)
        threads = {int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()}
        begun = time.monotonic()
        # The first is received by another thread than the one that Python handles signals in.
        assert ctypes.CDLL(None).tgkill(process.pid, max(threads - {process.pid}), signal.SIGINT) == 0
        time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate()
    assert time.monotonic() - begun < 15
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command does" in out
    assert state(checkpoint.parent)["status"] == "KILLED"
