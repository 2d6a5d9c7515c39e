"""How long the first answers take: of the command line, and of the first training step of a process."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import timing

ROOT = Path(__file__).parents[1]
HELP = [sys.executable, str(ROOT / "run.py"), "--help"]
REFUSAL = [sys.executable, str(ROOT / "run.py"), "seq_len=-1"]

_STOCK = """
import keras, numpy as np
layers = [keras.Input((200, 2)), keras.layers.SimpleRNN(64, activation="relu"), keras.layers.Dense(1)]
model = keras.Sequential(layers)
model.compile(optimizer="adam", loss="mse")
model.fit(np.zeros((64, 200, 2), "float32"), np.zeros((64, 1), "float32"), batch_size=64, verbose=0)
"""

_OURS = """
import keras, numpy as np
from rnnexp import tasks
from rnnexp.cells import ElmanCell
from rnnexp.clipping import NoClip
from rnnexp.network import build_network
from rnnexp.training import RecordingModel
task = tasks.Adding(200)
network = build_network(task, ElmanCell(64, activation="relu"), seed=0)
model = RecordingModel(network, task.loss, NoClip(), steps=200, shards=2)
model.compile(optimizer="adam", jit_compile=True)
model.fit(np.zeros((64, 200, 2), "float32"), np.zeros((64, 1), "float32"), batch_size=64, verbose=0)
"""


def measure(rounds: int) -> dict[str, Any]:
    """Return seconds, medians over paired rounds of whole processes, and the ratio of the first steps."""
    commands = {
        "help": HELP,
        "refusal": REFUSAL,
        "first step, rnnexp": [sys.executable, "-c", _OURS],
        "first step, stock Keras": [sys.executable, "-c", _STOCK],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):  # the first one warms the file cache
        for name, command in commands.items():
            seconds = _duration(command)
            if turn > 0:
                taken[name].append(seconds)
    return {
        "seconds": {name: timing.median(values) for name, values in taken.items()},
        "ratio": timing.median_ratio(taken["first step, rnnexp"], taken["first step, stock Keras"]),
    }


def _duration(command: list[str]) -> float:
    environ = os.environ | {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    started = time.perf_counter()
    subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.perf_counter() - started
