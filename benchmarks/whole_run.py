"""The main job from its first line to its last, against a stock Keras script of the same training.

`python run.py activation=relu seq_len=200` measures, tracks, draws and keeps the model; the script trains the
same network on the same batches, validates as often, and logs by TensorBoard and as CSV.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import timing

ROOT = Path(__file__).parents[1]

_STOCK = """
import keras, tensorflow as tf
from rnnexp import tasks

task = tasks.Adding(200)
def batches():
    for index in range(5000):
        yield task.batch(0, "train", index, 64)
x, y = task.batch(0, "train", 0, 64)
signature = (tf.TensorSpec(x.shape, x.dtype), tf.TensorSpec(y.shape, y.dtype))
data = tf.data.Dataset.from_generator(batches, output_signature=signature).prefetch(8)
model = keras.Sequential([
    keras.Input((200, 2)),
    keras.layers.SimpleRNN(64, activation="relu", recurrent_initializer="orthogonal"),
    keras.layers.Dense(1),
])
model.compile(optimizer="adam", loss="mse", steps_per_execution=10)
model.fit(
    data, epochs=10, steps_per_epoch=500, verbose=0,
    validation_data=task.batch(0, "validation", 0, 1000),
    callbacks=[keras.callbacks.TensorBoard("logs", histogram_freq=0), keras.callbacks.CSVLogger("log.csv")],
)
model.save("model.keras")
"""


def measure(rounds: int) -> dict[str, Any]:
    """Return seconds of both, medians over paired rounds, and the ratio, the script's over the run's."""
    commands = {
        "rnnexp": [sys.executable, str(ROOT / "run.py"), "activation=relu", "seq_len=200"],
        "stock Keras": [sys.executable, "-c", _STOCK],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds):
        for name in sorted(commands, reverse=turn % 2 == 1):
            taken[name].append(_duration(commands[name]))
    return {
        "seconds": {name: timing.median(values) for name, values in taken.items()},
        "ratio": timing.median_ratio(taken["stock Keras"], taken["rnnexp"]),
    }


def _duration(command: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        environ = os.environ | {
            "PYTHONPATH": str(ROOT),
            "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        started = time.perf_counter()
        subprocess.run(
            command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
        )
        return time.perf_counter() - started
