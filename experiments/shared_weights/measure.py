"""Train one network with shared weights and one with a weight set for every step; keep each run as it ends.

    h_t = tanh(W_t^T x_t + U_t^T h_{t-1} + b_t),   y = W_hy^T h_T + c;   shared: W_t = W, U_t = U, b_t = b

Runs that are in `results.csv` are not done again: a study that was stopped goes on.
"""

import argparse
import csv
import itertools
from pathlib import Path

import numpy as np
import tensorflow as tf

from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.tasks import Adding

STUDY = Path(__file__).parent
FIELDS = ("seq_len", "weights", "seed", "parameters", "sequences_needed", "loss", "error")
UNITS, BATCH, CHECK_EVERY = 32, 32, 100
TEST = 4000


def main() -> None:
    """Do what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=STUDY / "results.csv")
    parser.add_argument("--lengths", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6000)
    arguments = parser.parse_args()
    done = keys_of(arguments.table)
    for seq_len, weights, seed in itertools.product(
        arguments.lengths, ("shared", "own"), range(arguments.seeds)
    ):
        if (seq_len, weights, seed) not in done:
            append(arguments.table, train(seq_len, weights, seed, arguments.steps))


def keys_of(table: Path) -> set[tuple[int, str, int]]:
    """Return the runs that the table holds."""
    if not table.is_file():
        return set()
    with table.open(newline="") as file:
        return {(int(row["seq_len"]), row["weights"], int(row["seed"])) for row in csv.DictReader(file)}


def append(table: Path, row: dict[str, object]) -> None:
    """Write a run below the others."""
    new = not table.is_file()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


def train(seq_len: int, weights: str, seed: int, steps: int) -> dict[str, object]:
    """Train a network on fresh sequences of the adding problem; return its row.

    `sequences_needed` are those it was trained on when its loss on 4,000 others was first a tenth of the
    floor, looked at every 100 steps; empty where that did not happen. `loss` and `error` are after `steps`.
    """
    task = Adding(seq_len)
    sets = 1 if weights == "shared" else seq_len
    variables = weight_sets(sets, task.input_size, UNITS, seed)
    optimizer = tf.keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    step = training_step(variables, optimizer, seq_len)
    x, y = task.batch(seed, "validation", 0, TEST)
    needed: int | None = None
    for count in range(1, steps + 1):
        step(*task.batch(seed, "train", count, BATCH))
        if count % CHECK_EVERY == 0 and needed is None:
            needed = count * BATCH if loss_of(variables, x, y) < task.floor_loss / 10 else None
    outputs = forward(variables, tf.constant(x))
    return {
        "seq_len": seq_len,
        "weights": weights,
        "seed": seed,
        "parameters": sum(int(np.prod(variable.shape)) for variable in variables),
        "sequences_needed": "" if needed is None else needed,
        "loss": f"{loss_of(variables, x, y):.6f}",
        "error": f"{task.errors(outputs.numpy(), y).mean():.4f}",
    }


def weight_sets(sets: int, features: int, units: int, seed: int) -> list[tf.Variable]:
    """Return W (S, F, H), U (S, H, H), b (S, H), W_hy (H, 1) and c (1,), every set drawn for itself."""
    seeds = [100_000 * seed + 3 * place for place in range(sets)]
    kernel = np.stack([GlorotUniform(seed=s)((features, units)) for s in seeds])
    recurrent = np.stack([Orthogonal(seed=s + 1)((units, units)) for s in seeds])
    readout = GlorotUniform(seed=100_000 * seed + 2)((units, 1))
    values = (kernel, recurrent, np.zeros((sets, units), np.float32), readout, np.zeros(1, np.float32))
    return [tf.Variable(value, dtype=tf.float32) for value in values]


@tf.function
def forward(variables: list[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    """Return y (B, 1) of x (B, T, F)."""
    kernel, recurrent, bias, readout, offset = variables
    state = tf.zeros((tf.shape(x)[0], recurrent.shape[-1]))
    for t in range(x.shape[1]):
        place = t % kernel.shape[0]
        state = tf.tanh(x[:, t] @ kernel[place] + state @ recurrent[place] + bias[place])
    return state @ readout + offset


def loss_of(variables: list[tf.Variable], x: np.ndarray, y: np.ndarray) -> float:
    """Return the mean squared error."""
    return float(tf.reduce_mean(tf.square(forward(variables, tf.constant(x)) - y)))


def training_step(variables: list[tf.Variable], optimizer: tf.keras.optimizers.Optimizer, seq_len: int):
    """Return the compiled step: one update on a batch, by the gradient clipped to a norm of 1."""

    @tf.function(jit_compile=True)
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward(variables, x) - y))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, variables), 1.0)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))

    return step


if __name__ == "__main__":
    main()
