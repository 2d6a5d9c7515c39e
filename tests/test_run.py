"""`python run.py` as its users call it, in processes of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.tracking.client import connect

ROOT = Path(__file__).parents[1]
SECONDS = 120
IMPORTED = re.compile(r"^import time:[^|]*\|[^|]*\|\s*(\S+)$", re.MULTILINE)


@pytest.fixture(scope="module", autouse=True)
def graph_rewriting():
    """Leave it on, as it is in the processes whose numbers are compared to the bit with those of this one."""


@pytest.fixture(autouse=True)
def as_a_user_starts_it(monkeypatch):
    """What was imported into this process (JAX, for one) may have set how much TensorFlow tells of itself."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)


def command(*arguments, options=()):
    return [sys.executable, *options, str(ROOT / "run.py"), *arguments]


class Answer(NamedTuple):
    code: int
    out: str
    err: str
    imported: set[str]
    seconds: float


def asked(*arguments: str) -> Answer:
    """Run to the end, and note which packages were imported."""
    started = time.perf_counter()
    answer = subprocess.run(
        command(*arguments, options=("-X", "importtime")), capture_output=True, text=True, timeout=SECONDS
    )
    seconds = time.perf_counter() - started
    imported = {name.partition(".")[0] for name in IMPORTED.findall(answer.stderr)}
    err = "".join(line for line in answer.stderr.splitlines(True) if not line.startswith("import time:"))
    return Answer(answer.returncode, answer.stdout, err, imported, seconds)


HEAVY = {"tensorflow", "keras", "mlflow", "matplotlib", "pandas", "scipy", "sklearn", "sqlalchemy", "rich"}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["seqlen=200"],
            "seqlen: expected a key of the configuration, such as seq_len, received 'seqlen=200'",
        ),
        (["activation=rleu"], "activation: expected one of tanh, relu, "),
        (["-m", "init=sparse", "seq_len=10,0"], "seq_len: expected an integer of at least 1, received 0"),
        (["tracking.uri=http://127.0.0.1:1"], "tracking.uri: expected a running MLflow server "),
    ],
)
def test_a_wrong_command_is_refused_before_heavy_imports(tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.setenv("no_proxy", "*")
    answer = asked(*arguments)
    print(f"refused after {answer.seconds:.2f} s")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith(f"run.py: {sentence}")
    assert answer.err.count("\n") == 1
    assert not answer.imported & HEAVY
    assert list(tmp_path.iterdir()) == []
    assert answer.seconds < 15  # 0.5 where nothing else is at work


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["--help"],
            [
                "python run.py -m",
                "task: adding, characters, connected, copying",
                "clip: agc, autoclip",
                "seq_len: 100",
            ],
        ),
        (["--cfg", "job", "--resolve", "seq_len=7"], ["seq_len: 7", "_target_: rnnexp.tasks.Adding"]),
        (["--info"], ["Defaults Tree"]),
    ],
)
def test_what_hydra_answers_is_answered_without_tensorflow(tmp_path, arguments, parts):
    answer = asked(*arguments)
    print(f"answered after {answer.seconds:.2f} s")
    assert (answer.code, answer.err) == (0, "")
    for part in parts:
        assert part in answer.out
    assert not answer.imported & HEAVY
    assert list(tmp_path.iterdir()) == []


def composed(*overrides):
    return build.compose_job(overrides)


def arrays(folder):
    with np.load(Path(folder) / "gradient_flow.npz") as file:
        return {name: file[name] for name in file.files}


def assert_same_arrays(one, other):
    assert one.keys() == other.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], other[name], err_msg=name, strict=True)


LONG = (
    *("units=8", "seq_len=12", "batch_size=8", "steps=600", "probe.every=600", "validation.every=200"),
    *("jit=false", "probe.bootstrap=100", "tracking.model=false", "figures.format=none"),
)


@contextlib.contextmanager
def started(
    *arguments: str, before: Sequence[str] = (), out: int = subprocess.PIPE
) -> Iterator[subprocess.Popen]:
    """Start a run; it is gone at the end whatever happens."""
    pipes = {"stdin": None if out == subprocess.PIPE else out, "stdout": out, "stderr": subprocess.PIPE}
    whole = [*before, *command(*arguments)]
    with subprocess.Popen(whole, text=True, **pipes) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


class Window:
    """A terminal, in which a run is started as the first process of a session, as in a window of its own."""

    _FIRST = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); "

    def __init__(self) -> None:
        self._end, self.terminal = os.openpty()
        os.set_blocking(self._end, False)
        self.before = [sys.executable, "-c", self._FIRST + "os.execv(sys.argv[1], sys.argv[1:])"]

    def show(self) -> None:
        """Take what was printed since: a terminal that nobody looks at becomes full."""
        with contextlib.suppress(BlockingIOError, OSError):
            os.read(self._end, 2**16)

    def close(self) -> None:
        """Close the window: the system sends SIGHUP, and nothing can be printed any more."""
        os.close(self._end)


def wait_for(
    process: subprocess.Popen, happened: Callable[[], bool], meanwhile: Callable[[], None] = lambda: None
) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        meanwhile()
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


def ended(process: subprocess.Popen, number: signal.Signals) -> tuple[int, str]:
    process.send_signal(number)
    _, err = process.communicate(timeout=SECONDS)
    return process.returncode, err


def run_folders() -> list[Path]:
    return [path.parent for path in Path("outputs").glob("*/*/run.json")]


def test_a_run_stopped_and_resumed_equals_a_whole_one(tracking_uri, capfd):
    arguments = (*LONG, "checkpoint.every=50", f"tracking.uri={tracking_uri}")
    client = connect(tracking_uri)

    window = Window()
    with started(*arguments, before=window.before, out=window.terminal) as process:
        os.close(window.terminal)
        wait_for(process, lambda: bool(list(Path("outputs").glob("*/*/checkpoint.npz"))), window.show)
        process.send_signal(signal.SIGSTOP)
        held = asked(*arguments, "resume=true")
        process.send_signal(signal.SIGCONT)
        window.close()
        _, err = process.communicate(timeout=SECONDS)
    assert process.returncode == 128 + signal.SIGHUP
    assert err == f"stopped by SIGHUP; go on with: python run.py {' '.join(arguments)} resume=true\n"
    (folder,) = run_folders()
    expected = "run.py: resume: expected a run that no other process is at work on, received "
    assert (held.code, held.out, held.err) == (2, "", f"{expected}'{folder}'\n")
    state = json.loads((folder / "run.json").read_text())
    assert state["status"] == client.get_run(state["run_id"]).info.status == "KILLED"
    kept = {artifact.path for artifact in client.list_artifacts(state["run_id"])}
    assert kept >= {"run.log", "gradient_flow.npz", "config.yaml"}
    assert 50 <= len(arrays(folder)["steps"]) < 600

    run_job(composed(*arguments, "resume=true"))
    assert run_folders() == [folder]
    last = json.loads((folder / "run.json").read_text())
    assert (last["status"], last["run_id"], last["attempts"]) == ("FINISHED", state["run_id"], 2)
    assert client.get_run(state["run_id"]).info.status == "FINISHED"

    run_job(composed(*LONG, "checkpoint.every=0", "tracking=none", "output_dir=whole"))
    (whole,) = Path("whole").glob("*/*")
    assert_same_arrays(arrays(whole), arrays(folder))


def test_a_signal_during_the_start_ends_it_killed():
    with started("tracking=none") as process:
        wait_for(process, lambda: len(run_folders()) > 0)
        code, err = ended(process, signal.SIGTERM)
    assert (code, err) == (143, "stopped by SIGTERM; there is no checkpoint to go on from\n")
    (folder,) = run_folders()
    assert json.loads((folder / "run.json").read_text())["status"] == "KILLED"
    assert json.loads((folder / "status.json").read_text())["status"] == "KILLED"
    assert (folder / "run.log").is_file()
