"""Sweeps in processes of their own, called as their users call them, and what they leave."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SECONDS = 600

TINY = ("seq_len=5", "units=4", "batch_size=4", "jit=false", "probe.bootstrap=100", "tracking.model=false")


def command(*arguments):
    return [sys.executable, str(ROOT / "run.py"), "-m", *TINY, *arguments]


def asked(*arguments, environ=None):
    answer = subprocess.run(
        command(*arguments),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=os.environ | (environ or {}),
    )
    print(answer.stdout)
    assert "Traceback" not in answer.stdout + answer.stderr
    return answer


def jobs():
    (table,) = Path("outputs").glob("sweeps/*/jobs.json")
    return json.loads(table.read_text())


def run_folders():
    return {path.parent for path in Path("outputs").glob("*/*/run.json")}


def state(folder):
    return json.loads((Path(folder) / "run.json").read_text())


def arrays(folder):
    with np.load(Path(folder) / "gradient_flow.npz") as file:
        return {name: file[name] for name in file.files}


def histories(client, run_id):
    """Every point of every curve of a run, but for times."""
    keys = [key for key in client.get_run(run_id).data.metrics if not key.startswith("time/")]
    return {
        key: sorted((point.step, point.value) for point in client.get_metric_history(run_id, key))
        for key in keys
    }
