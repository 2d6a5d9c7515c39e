"""The main job from its first line to its last, against a stock Keras script of the same training.

`python run.py activation=relu seq_len=200` measures, tracks, draws and keeps the model; the script trains the
same network on the same batches, validates as often, and logs by TensorBoard and as CSV. It does without
TensorFlow's tuner of data pipelines, as the run does: with it the script would wait up to 40 s at its end.
"""

import statistics
import sys
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
options = tf.data.Options()
options.autotune.enabled = False
data = data.with_options(options)
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


def measure(rounds: int = 2) -> dict[str, Any]:
    """Return seconds of both, medians over paired rounds, and the ratio, the script's over the run's."""
    commands = {
        "rnnexp": [sys.executable, str(ROOT / "run.py"), "activation=relu", "seq_len=200"],
        "stock Keras": [sys.executable, "-c", _STOCK],
    }
    taken = timing.processes(commands, rounds)
    return {
        "rounds": rounds,
        "seconds": {name: statistics.median(values) for name, values in taken.items()},
        "ratio": timing.median_ratio(taken["stock Keras"], taken["rnnexp"]),
    }
