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
FIELDS = ("training_set", "seq_len", "weights", "seed", "parameters", "sequences_needed", "loss", "error")
UNITS, BATCH, BLOCK, TEST = 32, 32, 50, 2000


def main() -> None:
    """Do what is missing of the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--table", type=Path, default=STUDY / "results.csv")
    parser.add_argument("--lengths", type=int, nargs="+", default=[2, 4, 8, 16, 32])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--sets", type=int, nargs="+", default=[256, 1024])
    parser.add_argument("--lengths-of-sets", type=int, nargs="+", default=[4, 8, 16])
    arguments = parser.parse_args()
    done = keys_of(arguments.table)
    jobs = [
        *itertools.product([None], arguments.lengths, ("shared", "own")),
        *itertools.product(arguments.sets, arguments.lengths_of_sets, ("shared", "own")),
    ]
    for size, seq_len, weights in jobs:
        if ("fresh" if size is None else str(size), seq_len, weights) not in done:
            append(arguments.table, train(seq_len, weights, arguments.seeds, arguments.steps, size))


def keys_of(table: Path) -> set[tuple[str, int, str]]:
    """Return the training sets, lengths and kinds of weights that the table holds."""
    if not table.is_file():
        return set()
    with table.open(newline="") as file:
        return {(row["training_set"], int(row["seq_len"]), row["weights"]) for row in csv.DictReader(file)}


def append(table: Path, rows: list[dict[str, object]]) -> None:
    """Write runs below the others."""
    new = not table.is_file()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if new:
            writer.writeheader()
        writer.writerows(rows)
    print(*rows, sep="\n", flush=True)


def train(seq_len: int, weights: str, seeds: int, steps: int, size: int | None) -> list[dict[str, object]]:
    """Train networks of several seeds side by side on the adding problem; return their rows.

    They see fresh sequences all the time, or the same `size` ones again and again. `sequences_needed` are
    those that a network was trained on, repeats counted, when its loss on 2,000 others was first a tenth of
    the floor, looked at every 50 steps; empty where that did not happen. `loss` and `error` are those on the
    others after `steps`.
    """
    task = Adding(seq_len)
    variables = weight_sets(1 if weights == "shared" else seq_len, task.input_size, UNITS, seeds)
    optimizer = tf.keras.optimizers.Adam(1e-3)
    optimizer.build(variables)
    block = training_block(variables, optimizer)
    tests = [task.batch(seed, "validation", 0, TEST) for seed in range(seeds)]
    x, y = (tf.constant(np.stack(arrays)) for arrays in zip(*tests, strict=True))
    needed = np.full(seeds, np.nan)
    for first in range(0, steps, BLOCK):
        block(*batches(task, seeds, first, size))
        solved = losses(variables, x, y).numpy() < task.floor_loss / 10
        needed[solved & np.isnan(needed)] = (first + BLOCK) * BATCH
    outputs, final = forward(variables, x).numpy(), losses(variables, x, y).numpy()
    return [
        {
            "training_set": "fresh" if size is None else size,
            "seq_len": seq_len,
            "weights": weights,
            "seed": seed,
            "parameters": sum(int(np.prod(variable.shape[1:])) for variable in variables),
            "sequences_needed": "" if np.isnan(needed[seed]) else int(needed[seed]),
            "loss": f"{final[seed]:.6f}",
            "error": f"{task.errors(outputs[seed], tests[seed].y).mean():.4f}",
        }
        for seed in range(seeds)
    ]


def batches(task: Adding, seeds: int, first: int, size: int | None) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the batches of the next steps, x (K, R, B, T, F) and y (K, R, B, 1), R the seeds."""
    places = [first + k if size is None else (first + k) % (size // BATCH) for k in range(BLOCK)]
    drawn = [[task.batch(seed, "train", place, BATCH) for seed in range(seeds)] for place in places]
    x, y = (np.array([[batch[part] for batch in row] for row in drawn]) for part in (0, 1))
    return tf.constant(x), tf.constant(y)


def weight_sets(sets: int, features: int, units: int, seeds: int) -> list[tf.Variable]:
    """Return W (R, S, F, H), U (R, S, H, H), b (R, S, H), W_hy (R, H, 1), c (R, 1), every set by itself."""
    keys = [[100_000 * seed + 3 * place for place in range(sets)] for seed in range(seeds)]
    kernel = [[GlorotUniform(seed=key)((features, units)) for key in row] for row in keys]
    recurrent = [[Orthogonal(seed=key + 1)((units, units)) for key in row] for row in keys]
    readout = [GlorotUniform(seed=row[0] + 2)((units, 1)) for row in keys]
    bias, offset = np.zeros((seeds, sets, units)), np.zeros((seeds, 1))
    return [
        tf.Variable(np.array(value), dtype=tf.float32) for value in (kernel, recurrent, bias, readout, offset)
    ]


def forward(variables: list[tf.Variable], x: tf.Tensor) -> tf.Tensor:
    """Return y (R, B, 1) of x (R, B, T, F)."""
    kernel, recurrent, bias, readout, offset = variables
    state = tf.zeros((*x.shape[:2], recurrent.shape[-1]))
    for t in range(x.shape[2]):
        place = t % kernel.shape[1]
        a = x[:, :, t] @ kernel[:, place] + state @ recurrent[:, place] + bias[:, None, place]
        state = tf.tanh(a)
    return state @ readout + offset[:, None]


def losses(variables: list[tf.Variable], x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
    """Return the mean squared error of every network, (R,)."""
    return tf.reduce_mean(tf.square(forward(variables, x) - y), axis=(1, 2))


def training_block(variables: list[tf.Variable], optimizer: tf.keras.optimizers.Optimizer):
    """Return what takes a step on each of K batches, of all networks at once.

    The sum of the losses is minimised: Adam keeps the networks apart, as it takes every weight for itself.
    """

    @tf.function
    def block(x: tf.Tensor, y: tf.Tensor) -> None:
        def step(k: tf.Tensor) -> tuple[tf.Tensor]:
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(losses(variables, x[k], y[k]))
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
            return (k + 1,)

        # Under Python 3.13 AutoGraph does not make this of a loop over a tensor.
        tf.while_loop(lambda k: k < x.shape[0], step, (0,))

    return block


if __name__ == "__main__":
    main()
