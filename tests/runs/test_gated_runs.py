"""Training of gated cells, as `cell=lstm` and `cell=gru` do it: the record, the weights, the resumption."""

import csv
import dataclasses
import functools
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from interruptions import SignalAt
from plans import small_plan

from rnnexp.nn.cells.gru import Gru
from rnnexp.nn.cells.lstm import Lstm
from rnnexp.nn.initializers import GlorotUniform, Orthogonal
from rnnexp.nn.network import build_network
from rnnexp.optim.clipping import NoClip
from rnnexp.optim.optimizers import Adam
from rnnexp.runs import build
from rnnexp.runs.run import run_job
from rnnexp.runtime.signals import Interruption, Killed
from rnnexp.tasks import Adding
from rnnexp.training import checkpoint
from rnnexp.training.data import training_data
from rnnexp.training.model import RecordingModel
from rnnexp.training.replica import Observer
from rnnexp.training.trainer import Member, Trainer

T, H, B, SEED, STEPS = 10, 5, 8, 3, 7

TASK = Adding(T)
RECIPES = {"lstm": Lstm(), "gru": Gru()}
STOCK = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}
each_recipe = pytest.mark.parametrize("name", RECIPES)


def network(name, dtype):
    cell = RECIPES[name].build(H, "tanh", GlorotUniform(seed=1), Orthogonal(seed=2), dtype)
    return build_network(TASK, cell, SEED)


def fitted(name, dtype, jit=False, record=True):
    """What `STEPS` recorded steps left: the record and the weights."""
    # The cache knows a call by what is written in it, default or not.
    return _fitted(name, dtype, jit, record)


@functools.cache
def _fitted(name, dtype, jit, record):
    model = RecordingModel(network(name, dtype), TASK.loss, NoClip(), time_steps=T, record=record)
    model.compile(optimizer=Adam(0.01).build(), jit_compile=jit)
    data = training_data(TASK, SEED, B, 0, STEPS, dtype, 1)
    model.fit(data, epochs=1, verbose=0, shuffle=False)
    return model.read(0), model.network.get_weights()


@pytest.mark.parametrize(
    ("name", "dtype", "jit", "tolerance"),
    [
        ("lstm", "float64", False, 1e-9),
        ("gru", "float64", False, 1e-9),
        ("lstm", "float32", True, 1e-5),
    ],
)
def test_the_weights_are_those_of_plain_keras(name, dtype, jit, tolerance):
    plain = keras.Sequential(
        [
            keras.Input((T, 2), dtype=dtype),
            STOCK[name](H, dtype=dtype),
            keras.layers.Dense(1, dtype=dtype),
        ]
    )
    plain.set_weights(network(name, dtype).get_weights())
    # Not compiled by XLA, whatever the record is: to the tolerance that is the same.
    loss = keras.losses.MeanSquaredError(dtype=dtype)
    plain.compile(optimizer=Adam(0.01).build(), loss=loss, jit_compile=False)
    data = training_data(TASK, SEED, B, 0, STEPS, dtype, 1).map(lambda x, y, filled: (x[0], y[0]))
    plain.fit(data, epochs=1, verbose=0, shuffle=False)
    for got, expected in zip(fitted(name, dtype, jit)[1], plain.get_weights(), strict=True):
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance)


@each_recipe
def test_the_first_record_is_the_gradient_of_a_loop_over_steps(name):
    """In float64 to the rounding of the record, in float32, compiled, within 1e-3 decades."""
    untrained = network(name, "float64")
    cell, readout = untrained.get_layer("recurrent").cell, untrained.get_layer("readout")
    x, y = TASK.batch(SEED, "train", 0, B)
    states, kept = cell.get_initial_state(batch_size=B), []
    with tf.GradientTape() as tape:
        for step in tf.unstack(tf.constant(x, tf.float64), axis=1):
            states = [tf.identity(state) for state in cell(step, states)[1]]
            kept.append(states[0])
        loss = tf.reduce_sum(tf.square(readout(kept[-1]) - y))
    norms = np.linalg.norm(np.array(tape.gradient(loss, kept)), axis=2)
    expected = np.log(np.sqrt(np.mean(norms**2, axis=1)))
    np.testing.assert_allclose(fitted(name, "float64")[0].log_norms[0], expected, rtol=0, atol=1e-6)
    compiled = fitted(name, "float32", True)[0].log_norms[0]
    np.testing.assert_allclose(compiled / np.log(10), expected / np.log(10), rtol=0, atol=1e-3)


def assert_same(run, other):
    for name in ("train_steps", "log_norms", "scalars"):
        got, expected = getattr(run[0], name), getattr(other[0], name)
        np.testing.assert_array_equal(got, expected)
    for got, expected in zip(run[1], other[1], strict=True):
        np.testing.assert_array_equal(got, expected)


def test_recording_changes_no_bit_of_the_weights_under_xla():
    recorded, silent = (fitted("lstm", "float32", True, record) for record in (True, False))
    for got, expected in zip(recorded[1], silent[1], strict=True):
        np.testing.assert_array_equal(got, expected)


def plan(name):
    sizes = {"units": H, "batch_size": B, "train_steps": STEPS}
    return small_plan(task=TASK, cell=RECIPES[name], checkpoint_every=2, probe_every=STEPS, **sizes)


def run(plan, folder, resume=False, interruption=None):
    observer = Observer(
        on_block=lambda block: None,
        on_measurement=lambda measurement: None,
        on_validation=lambda validated: None,
        on_checkpoint=lambda: None,
    )
    member = Member(plan, folder / "state.npz", observer)
    trainer = Trainer([member], interruption or Interruption())
    (result,) = trainer.run([resume])
    looks = [list(look.metrics().values()) for look in (result.start, result.end)]
    validations = [dataclasses.astuple(validated.score) for validated in result.validations]
    return (result.history.kept, [*trainer.replicas[0].network.get_weights(), *looks, validations]), result


def test_a_run_that_was_killed_goes_on_to_the_bit(tmp_path):
    lstm, folder = plan("lstm"), tmp_path / "killed"
    whole, result = run(lstm, tmp_path)
    folder.mkdir()
    with pytest.raises(Killed):
        run(lstm, folder, interruption=SignalAt(3))
    assert checkpoint.steps_in(folder / "state.npz") < STEPS
    assert_same(run(lstm, folder, resume=True)[0], whole)
    assert np.isfinite(result.history.kept.log_norms).all()
    assert "further_states" in result.end.results


SMALL = (
    *("units=8", "seq_len=12", "batch_size=8", "jit=false", "tracking=none", "figures.format=none"),
    "probe.bootstrap=100",
    *("probe.every=20", "validation.every=20", "checkpoint.every=20"),
)


def points(folder):
    with (folder / "metrics.csv").open() as file:
        return {row["key"]: float(row["value"]) for row in csv.DictReader(file)}


def test_a_whole_run_of_an_lstm_reads_well(capsys, caplog):
    run_job(build.compose_job([*SMALL, "cell=lstm", "steps=40"]))
    (status,) = Path("outputs").glob("*/*/status.json")
    folder, printed = status.parent, capsys.readouterr().out
    recorded = points(folder)
    assert recorded.keys() >= {"grad/rate", "grad/rate_c", "grad/log10_ratio_c", "lyapunov/lambda_1"}
    assert not {"state/dead", "theory/rate", "theory/rate_bound"} & recorded.keys()
    assert all(map(np.isfinite, recorded.values()))
    with np.load(folder / "gradient_flow.npz") as arrays:
        assert arrays["log_norms"].shape == (40, 12)
        assert arrays["start_log_norm_c"].shape == arrays["end_log_norm_c"].shape == (11,)
    assert "nan" not in printed and "mean field" not in printed and "bound" not in printed
    assert not (folder / "figures").exists()
    assert f"python run.py report {folder}" in " ".join(printed.split())
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
    loaded = keras.models.load_model(folder / "model.keras")
    assert isinstance(loaded.get_layer("recurrent").cell, keras.layers.LSTMCell)


def test_a_diverged_gru_is_not_compared_with_a_theory(capsys):
    rate = "optimizer.learning_rate=1e30"
    run_job(build.compose_job([*SMALL, "cell=gru", "steps=10", "optimizer=sgd", rate]))
    _, _, summary = capsys.readouterr().out.partition("finished ")
    printed = " ".join(summary.split())
    assert "diverged at training step" in printed
    assert "before training the gradient was" in printed and "nats per step" in printed
    assert "nan" not in printed and "mean field" not in printed
