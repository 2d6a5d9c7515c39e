"""How long the first answers take: of the command line, and of the first training step of a process."""

import statistics
import sys
from pathlib import Path
from typing import Any

from benchmarks import timing

ROOT = Path(__file__).parents[1]
OURS, STOCK = "first step, rnnexp", "first step, stock Keras"
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
from rnnexp.runtime.device import import_tensorflow
import_tensorflow("cpu")  # as a run does
import numpy as np
from rnnexp import tasks
from rnnexp.nn.elman_cell import ElmanCell
from rnnexp.clipping import NoClip
from rnnexp.nn.network import build_network
from rnnexp.training.model import RecordingModel
from rnnexp.training.data import stacked
import tensorflow as tf
task = tasks.Adding(200)
network = build_network(task, ElmanCell(64, activation="relu"), seed=0)
model = RecordingModel(network, task.loss, NoClip(), time_steps=200, shards=2)
model.compile(optimizer="adam", jit_compile=True)
block = stacked([tasks.Batch(np.zeros((64, 200, 2)), np.zeros((64, 1), "float32"))], 10, "float32")
model.fit(tf.data.Dataset.from_tensors(block), verbose=0)
"""


def measure(rounds: int = 5) -> dict[str, Any]:
    """Return seconds, medians over paired rounds of whole processes, and the ratio of the first steps."""
    commands = {
        "help": HELP,
        "refusal": REFUSAL,
        OURS: [sys.executable, "-c", _OURS],
        STOCK: [sys.executable, "-c", _STOCK],
    }
    timing.processes(commands, 1)  # which warms the file cache
    taken = timing.processes(commands, rounds)
    return {
        "rounds": rounds,
        "seconds": {name: statistics.median(values) for name, values in taken.items()},
        "ratio": timing.median_ratio(taken[OURS], taken[STOCK]),
    }
