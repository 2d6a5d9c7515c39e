"""Sweeps in processes of their own, called as their users call them, and what they leave."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[2]
SECONDS = 600
_MARK = "SWEEP_OF_TEST"

TINY = (
    *("seq_len=5", "units=4", "batch_size=4", "jit=false", "probe.bootstrap=100"),
    *("tracking.model=false", "figures.format=none", "report=false"),
)


def command(*arguments):
    return [sys.executable, str(ROOT / "run.py"), "-m", *TINY, *arguments]


@contextlib.contextmanager
def started(*arguments, environ=None):
    """Start a sweep, all of whose processes bear the test's folder in their environment.

    What is left of its first process at the end is killed; others are left to notice that.
    """
    environ = os.environ | {_MARK: str(Path.cwd())} | (environ or {})
    nowhere = subprocess.DEVNULL
    with subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, stderr=nowhere, text=True, env=environ
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def holding(moment):
    """Return what holds programs at the moment (`held/`) if they are started with it in their environment."""
    there = Path("held").absolute()
    there.unlink(missing_ok=True)
    path = os.pathsep.join([str(Path(__file__).parent / "held"), os.environ["PYTHONPATH"]])
    return {"HELD_AT": moment, "HELD": str(there), "PYTHONPATH": path}


def wait_until_held(process, processes=1):
    """Wait until that many processes are held."""
    wait_for(lambda: Path("held").stat().st_size == processes, process)


@contextlib.contextmanager
def held(moment, *arguments, processes=1):
    """Start a sweep and wait until that many of its processes are held at the moment."""
    with started(*arguments, environ=holding(moment)) as process:
        wait_until_held(process, processes)
        yield process


def kill_all(first):
    """Kill every process of a sweep, those too that one of them starts meanwhile; return how many."""
    killed = set()
    while found := [pid for pid in _processes() if state_of(pid) != "Z"]:
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        killed |= set(found)
        time.sleep(0.001)
    first.wait()
    return len(killed)


def _processes():
    mark = f"{_MARK}={Path.cwd()}".encode()
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (path / "environ").read_bytes().split(b"\0"):
                yield int(path.name)


def state_of(pid):
    """Return the letter of a process, Z for one that is dead and that nobody has waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def wait_for(seen, process):
    """Wait until `seen()` is true, as long as the sweep is at work; return what it is."""
    deadline = time.monotonic() + SECONDS
    while True:
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            if found := seen():
                return found
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


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
