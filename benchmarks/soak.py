"""A long test outside CI: many tiny runs of one sweep, killed, cut off from MLflow and out of disk at random.

    python -m benchmarks.soak --runs 200 --minutes 20

The sweep runs once undisturbed. Then its twin runs while its processes are killed (one, the first, or all),
the tracking server is killed or stopped, and the disk is full, again and again; each time the sweep
has ended, the same command goes on. When the time is over it is left alone until it is done. Then every run
must have finished once with arrays equal to the bit, and in MLflow too, none may be RUNNING, no traceback
may have been printed, and the password of the server's address must be in no file and in nothing printed.
Needs Linux, and root for a tmpfs of its own (else it works in a folder, and no disk is filled).
"""

import argparse
import collections
import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import numpy as np

from benchmarks.outages import SECRET, Chaos, Server, disk

ROOT = Path(__file__).parents[1]
_MARK = "RNNEXP_SOAK"
_TINY = (
    *("seq_len=5", "units=4", "batch_size=4", "jit=false", "steps=60", "checkpoint.every=20"),
    *("steps_per_execution=10", "probe.every=30", "probe.bootstrap=100", "validation.every=30"),
    *("validation.sequences=100", "tracking.model=false", "tracking.patience=5", "figures.format=none"),
)


class Sweep:
    """The sweep in a folder, called again whenever it has ended."""

    def __init__(self, folder: Path, address: str, runs: int):
        self.folder = folder
        self.calls = 0
        self._mark = f"{_MARK}={folder}"
        seeds = f"seed=range(0,{runs})"
        where = (f"output_dir={folder}/outputs", f"tracking.uri={address}")
        self._command = [sys.executable, str(ROOT / "run.py"), "-m", *_TINY, *where, seeds, "launcher=joblib"]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def terminal(self) -> Path:
        """What it has printed, outside the disk that is filled."""
        return self.folder.parents[1] / f"{self.folder.name}.txt"

    def call(self) -> None:
        """Give the command."""
        self.calls += 1
        environ = os.environ | {_MARK: str(self.folder), "no_proxy": "*"}
        with self.terminal.open("ab") as terminal:
            self._process = subprocess.Popen(self._command, stdout=terminal, stderr=terminal, env=environ)

    def ended(self) -> int | None:
        """Return its exit code, None while it is at work."""
        return None if self._process is None else self._process.poll()

    def first(self) -> list[int]:
        """Return the process that the user sees."""
        return [] if self._process is None else [self._process.pid]

    def processes(self) -> list[int]:
        """Return all its processes."""
        found = []
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self._mark.encode() in (path / "environ").read_bytes().split(b"\0"):
                    found.append(int(path.name))
        return found


def disturb(sweep: Sweep, chaos: Chaos, minutes: float, chance: random.Random) -> None:
    """Let things befall the sweep until the time is over or all is done."""
    over = time.monotonic() + 60 * minutes
    sweep.call()
    while time.monotonic() < over:
        time.sleep(chance.uniform(1.0, 12.0))
        if sweep.ended() == 0:
            return
        if sweep.ended() is not None:
            sweep.call()
        else:
            chaos.strike()


def settle(sweep: Sweep, most: int = 10) -> int:
    """Let the sweep come to its end undisturbed, by as many calls as it needs; return the exit code."""
    code = sweep.ended()
    for _ in range(most):
        while (code := sweep.ended()) is None:
            time.sleep(0.5)
        if code == 0 and "not in MLflow yet" not in _jobs(sweep):
            return 0
        sweep.call()
    return -1 if code is None else code


def _jobs(sweep: Sweep) -> str:
    tables = sorted(sweep.folder.glob("outputs/sweeps/*/jobs.json"))
    return tables[-1].read_text(encoding="utf-8") if tables else "not in MLflow yet"


def _finished(sweep: Sweep) -> dict[int, list[Path]]:
    """Return seed -> the folders of its runs that finished."""
    found: dict[int, list[Path]] = collections.defaultdict(list)
    for path in sweep.folder.glob("outputs/*/*/run.json"):
        state = json.loads(path.read_text(encoding="utf-8"))
        if state["status"] == "FINISHED":
            found[state["seed"]].append(path.parent)
    return found


def _different(one: Path, other: Path) -> list[str]:
    with np.load(one / "gradient_flow.npz") as a, np.load(other / "gradient_flow.npz") as b:
        names = sorted({*a.files, *b.files})
        return [name for name in names if a[name].tobytes() != b[name].tobytes()]


def _in_mlflow(folder: Path) -> collections.Counter[tuple[str, str]]:
    """Return (kind, status) -> runs in the store, read from its database."""
    query = (
        "SELECT CASE WHEN t.value IS NULL THEN 'sweep' ELSE 'run' END, r.status, COUNT(*) FROM runs r "
        "LEFT JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'config_hash' GROUP BY 1, 2"
    )
    with contextlib.closing(sqlite3.connect(folder / "runs.db")) as database:
        return collections.Counter({(kind, status): n for kind, status, n in database.execute(query)})


def _leaks(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [str(path) for path in files if SECRET.encode() in path.read_bytes()]


def judge(calm: Sweep, rough: Sweep, runs: int, folder: Path) -> dict[str, object]:
    """Return what is to be true after all, as figures."""
    expected, found = _finished(calm), _finished(rough)
    both = [(expected[seed][0], found[seed][0]) for seed in expected if found.get(seed)]
    return {
        "runs": runs,
        "finished once": sum(len(found[seed]) == 1 for seed in range(runs)),
        "arrays equal to the bit": sum(not _different(*pair) for pair in both),
        "in MLflow": {f"{kind} {status}": n for (kind, status), n in sorted(_in_mlflow(folder).items())},
        "tracebacks printed": rough.terminal.read_text(errors="replace").count("Traceback (most recent call"),
        "files with the password": _leaks(folder.parent),
    }


def good(found: Mapping[str, object], runs: int) -> bool:
    """Whether all is as it should be; what failed on a full disk may lie beside its successor."""
    store = dict(cast("Mapping[str, int]", found["in MLflow"]))
    ended = store.pop("run FINISHED", 0) == 2 * runs and store.pop("sweep FINISHED", 0) == 2
    whole = found["finished once"] == found["arrays equal to the bit"] == runs and found["exit code"] == 0
    clean = not found["tracebacks printed"] and not found["files with the password"]
    return ended and whole and clean and store.keys() <= {"run FAILED"}


def main() -> int:
    """Run the test and print its figures as JSON; return 0 if all is true that should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary, disk(Path(temporary, "disk")) as tmpfs:
        folder = Path(temporary, "disk")
        server = Server(folder)
        server.start()
        calm, rough = (Sweep(folder / name, server.address, options.runs) for name in ("calm", "rough"))
        for sweep in (calm, rough):
            sweep.folder.mkdir()
        try:
            found = _soak(calm, rough, server, tmpfs, options, folder)
        finally:
            server.signal(signal.SIGCONT)
            server.signal(signal.SIGKILL)
    print(json.dumps(found, indent=1))
    return int(not good(found, options.runs))


def _soak(
    calm: Sweep, rough: Sweep, server: Server, tmpfs: Path | None, options: argparse.Namespace, folder: Path
) -> dict[str, object]:
    began = time.monotonic()
    calm.call()
    settle(calm)
    undisturbed = time.monotonic() - began
    chaos = Chaos(rough, server, tmpfs, options.seed)
    disturb(rough, chaos, options.minutes, random.Random(options.seed + 1))
    code = settle(rough)
    found = judge(calm, rough, options.runs, folder)
    seconds = {"undisturbed": round(undisturbed), "all": round(time.monotonic() - began)}
    return found | {"calls": rough.calls, "exit code": code, "seconds": seconds, "befell": dict(chaos.counts)}


if __name__ == "__main__":
    sys.exit(main())
