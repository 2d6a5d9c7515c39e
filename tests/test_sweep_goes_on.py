"""A small sweep of which one process is killed, then all of them, and the same command after each."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from whole_sweeps import ROOT, TINY, arrays, asked, jobs, kill_all, run_folders, started, state, wait_for

from rnnexp.tracking.client import connect

JOB = ("steps=1500", "checkpoint.every=50", "probe.every=1500", "validation.every=1500")
LOCAL = ("launcher=joblib", "launcher.workers=2", "seed=0,1")


def at_work(seed, attempt):
    """Return the folder of that job once it has a checkpoint and is at work for the n-th time."""
    for folder in run_folders():
        run = state(folder)
        if (run["status"], run["attempts"], run["name"].endswith(f"-s{seed}")) == ("RUNNING", attempt, True):
            return folder if (folder / "checkpoint.npz").is_file() else None
    return None


def test_a_sweep_goes_on_after_kills_to_the_same_bytes(tracking_uri):
    sweep = (*JOB, *LOCAL, f"tracking.uri={tracking_uri}")
    client = connect(tracking_uri)

    with started(*sweep) as process:
        folder = wait_for(lambda: at_work(0, 1), process)
        os.kill(state(folder)["pid"], signal.SIGKILL)
        out, _ = process.communicate()
    assert process.returncode == 1
    killed, other = jobs()
    assert (killed["status"], other["status"]) == ("KILLED", "FINISHED")
    assert killed["note"].startswith("the process was ended by SIGKILL (out of memory?")
    assert "the same command goes on with it" in " ".join(out.split())
    assert killed["note"] in (folder / "run.log").read_text()
    assert client.get_run(killed["run_id"]).info.status == state(folder)["status"] == "KILLED"

    with started(*sweep) as process:
        assert wait_for(lambda: at_work(0, 2), process) == folder
        assert kill_all(process) > 2
    assert state(folder)["status"] == "RUNNING"

    assert asked(*sweep).returncode == 0
    first, second = jobs()
    assert (first["status"], first["resumed"], second["status"]) == ("FINISHED", True, "SKIPPED")
    assert first["run_folder"] == str(folder.absolute())
    assert (first["run_id"], second["run_id"]) == (killed["run_id"], other["run_id"])
    assert state(folder)["attempts"] == 3
    assert len(run_folders()) == 2
    runs = client.search_runs([client.get_run(first["run_id"]).info.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3  # two jobs and their sweep

    alone = (*TINY, *JOB, "seed=0", "tracking=none", "output_dir=alone")
    subprocess.run([sys.executable, str(ROOT / "run.py"), *alone], check=True, stdout=subprocess.DEVNULL)
    expected, found = arrays(next(Path("alone").glob("*/*"))), arrays(folder)
    assert expected.keys() == found.keys()
    for name in expected:
        np.testing.assert_array_equal(found[name], expected[name], err_msg=name, strict=True)


def test_a_second_signal_ends_a_sweep_at_once():
    with started(*JOB, *LOCAL, "steps=100000", "tracking=none") as process:
        folder = wait_for(lambda: at_work(0, 1), process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        begun = time.monotonic()
        out, _ = process.communicate()
    assert time.monotonic() - begun < 15
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command does" in out
    assert state(folder)["status"] == "KILLED"


def test_a_signal_that_another_thread_receives_stops_a_sweep():
    with started(*JOB, *LOCAL, "steps=100000", "tracking=none") as process:
        folder = wait_for(lambda: at_work(0, 1), process)
        threads = {int(path.name) for path in Path(f"/proc/{process.pid}/task").iterdir()}
        other = max(threads - {process.pid})
        begun = time.monotonic()
        assert ctypes.CDLL(None).tgkill(process.pid, other, signal.SIGINT) == 0
        out, _ = process.communicate()
    assert time.monotonic() - begun < 30
    assert process.returncode == 128 + signal.SIGINT
    assert "the same command does" in out
    assert (folder / "checkpoint.npz").is_file()
