"""How far a pixel hears after T recurrent steps, and how many steps connectedness needs.

`fields.csv`: the width of the effective receptive field by steps, of networks before training.
`results.csv`: the error on `task=connected` by steps, of a recurrent convolution and of a stack of T
different ones with as many parameters. Runs that it holds are not done again: a study that was stopped goes
on.
"""

import argparse
import csv
import itertools
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from rnnexp.nn.cells.conv_elman import ConvElman
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.probes.receptive_field import receptive_fields, width
from rnnexp.tasks import Connected
from rnnexp.theory.linear import effective_width

STUDY = Path(__file__).parent
SIDE, CHANNELS, BATCH = 6, 8, 32
FIELD_SIDE, FIELD_STEPS = 33, 14


def main() -> None:
    """Do what is missing of both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=STUDY)
    parser.add_argument("--lengths", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--networks", type=int, default=20)
    arguments = parser.parse_args()
    if not (arguments.folder / "fields.csv").is_file():
        write_fields(arguments.folder, arguments.networks)
    table = arguments.folder / "results.csv"
    done = keys_of(table)
    for seed, seq_len, kind in itertools.product(
        range(arguments.seeds), arguments.lengths, ("recurrent", "stack")
    ):
        if (kind, seq_len, seed) not in done:
            append(table, train(kind, seq_len, seed, arguments.steps))


def write_fields(folder: Path, networks: int) -> None:
    """Measure the mean field over networks; write its widths by steps, and the fields themselves."""
    fields = np.mean([field_of(seed) for seed in range(networks)], axis=0)
    np.savez_compressed(folder / "fields.npz", fields=fields.astype(np.float32))
    with (folder / "fields.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("steps", "measured", "theory"))
        for steps, field in enumerate(fields, start=1):
            writer.writerow((steps, f"{width(field):.4f}", f"{effective_width(steps, 3):.4f}"))


def field_of(seed: int) -> np.ndarray:
    """Return the receptive fields of one network before training, (T, side, side), each summing to 1."""
    units, drawn = FIELD_SIDE**2 * CHANNELS, (GlorotUniform(seed=3 * seed), Orthogonal(seed=3 * seed + 1))
    cell = ConvElman().build(units, "tanh", *drawn, "float64")
    cell.build((None, FIELD_SIDE**2))
    image = 0.1 * np.random.default_rng(seed).normal(size=FIELD_SIDE**2)
    fields = receptive_fields(cell, image, FIELD_STEPS)
    return fields / fields.sum(axis=(1, 2), keepdims=True)


def train(kind: str, seq_len: int, seed: int, steps: int) -> dict[str, object]:
    """Train a network on fresh images; return its row: error and loss on 4,000 others."""
    task = Connected(seq_len, SIDE)
    network = recurrent(task, seed) if kind == "recurrent" else stack(task, seed)
    optimizer = keras.optimizers.Adam(2e-3, global_clipnorm=1.0)
    step = training_step(network, optimizer)
    for count in range(steps):
        if count == steps * 3 // 4:
            optimizer.learning_rate.assign(4e-4)
        step(*task.batch(seed, "train", count, BATCH))
    x, y = task.batch(seed, "validation", 0, 4000)
    logits = np.concatenate([network(part).numpy() for part in np.array_split(x, 8)])
    loss = keras.losses.sparse_categorical_crossentropy(y, logits, from_logits=True)
    return {
        "kind": kind,
        "seq_len": seq_len,
        "seed": seed,
        "parameters": network.count_params(),
        "loss": f"{float(np.mean(loss)):.4f}",
        "error": f"{task.errors(logits, y).mean():.4f}",
    }


def recurrent(task: Connected, seed: int) -> keras.Model:
    """Return the network of a run with `cell=conv_elman` and 8 channels."""
    drawn = GlorotUniform(seed=3 * seed), Orthogonal(seed=3 * seed + 1)
    cell = ConvElman().build(SIDE**2 * CHANNELS, "relu", *drawn, "float32")
    return build_network(task, cell, 3 * seed + 2)


def stack(task: Connected, seed: int) -> keras.Model:
    """Return T convolutions with weights of their own, as wide as the same parameters allow."""
    keras.utils.set_random_seed(seed)
    target = recurrent(task, seed).count_params()
    widths = [width for width in range(1, 40) if _stacked(task, width).count_params() <= target]
    keras.utils.set_random_seed(seed)
    return _stacked(task, max(widths, default=1))


def _stacked(task: Connected, channels: int) -> keras.Model:
    inputs = keras.Input((task.time_steps, task.input_size))
    image = hidden = keras.layers.Reshape((SIDE, SIDE, 1))(inputs[:, 0])
    for _ in range(task.time_steps):
        # Every layer sees the image, as every step of the recurrent network does.
        seen = keras.layers.Concatenate()([hidden, image])
        hidden = keras.layers.Conv2D(
            channels, 3, padding="same", activation="relu", kernel_initializer="he_normal"
        )(seen)
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(hidden)))


def training_step(network: keras.Model, optimizer: keras.optimizers.Optimizer):
    """Return the compiled step: one update on a batch."""

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            losses = keras.losses.sparse_categorical_crossentropy(y, network(x), from_logits=True)
            loss = tf.reduce_mean(losses)
        variables = network.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

    optimizer.build(network.trainable_variables)
    return step


def keys_of(table: Path) -> set[tuple[str, int, int]]:
    """Return the runs that the table holds."""
    if not table.is_file():
        return set()
    with table.open(newline="") as file:
        return {(row["kind"], int(row["seq_len"]), int(row["seed"])) for row in csv.DictReader(file)}


def append(table: Path, row: dict[str, object]) -> None:
    """Write a run below the others."""
    new = not table.is_file()
    with table.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row))
        if new:
            writer.writeheader()
        writer.writerow(row)
    print(row, flush=True)


if __name__ == "__main__":
    main()
